"""Magnum v1: cluster templates, certificates, quotas and the like. Clusters are in magnum_clusters."""

from __future__ import annotations

import random
import re
from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import Cloud, Record, Table, dotted, new_id, now, words
from zerojhub.practice.apis.drivers import driver_for
from zerojhub.practice.apis.magnum_checks import check_drivers, check_resources, patched
from zerojhub.practice.apis.magnum_types import TEMPLATE, invalid, read, read_patch
from zerojhub.practice.apis.wire import Call, Refusal, Service, paged

HEADER = "OpenStack-API-Version"
MINIMUM, MAXIMUM = "OpenStack-API-Minimum-Version", "OpenStack-API-Maximum-Version"
NAMES = ("container-infrastructure-management", "container-infrastructure", "container-infra")
OFFSET = "%Y-%m-%dT%H:%M:%S+00:00"
GREEK = words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi "
    "chi psi omega"
)


def say_no(refusal: Refusal) -> JSONResponse:
    error: Record = {
        "request_id": "",
        "code": "client" if refusal.status < 500 else "server",
        "status": refusal.status,
        "title": refusal.message.split(".", 1)[0],
        "detail": refusal.message,
        "links": [],
    }
    if refusal.kind:
        # What the web library beneath Magnum refuses, before Magnum's own code, has no code and a fixed title.
        error |= {"code": "", "title": refusal.kind}
    if refusal.headers:
        error = {
            "code": "magnum.microversion-unsupported",
            "title": refusal.kind,
            "description": refusal.message,
            "max_version": refusal.headers[MAXIMUM].split()[-1],
            "min_version": refusal.headers[MINIMUM].split()[-1],
            "links": [{"rel": "help", "href": "http://docs.openstack.org/api-guide/compute/microversions.html"}],
        }
    return JSONResponse({"errors": [error]}, refusal.status)


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split("."))


def not_acceptable(message: str) -> Refusal:
    return Refusal(406, message, "Not Acceptable")


def negotiate(call: Call) -> dict[str, str]:
    """The microversion that the request asks for, put in `call.state.version`. Raises Refusal (406)."""
    if call.url.path.rstrip("/") == magnum.prefix:
        return {}
    oldest, newest = (dotted(version) for version in call.cloud.profile.microversions("container-infra"))
    name = call.cloud.profile.service("container-infra").microversions.service or NAMES[0]
    asked = call.headers.get(HEADER, f"{name} {oldest}").split()
    if len(asked) != 2 or (asked[1] != "latest" and asked[0] not in NAMES):
        raise not_acceptable(f"Invalid service type for {HEADER} header")
    wanted = asked[1] if asked[1] != "latest" else newest
    if not re.fullmatch(r"\d+\.\d+", wanted):
        raise not_acceptable(f"Invalid value for {HEADER} header")
    version = version_of(wanted)
    headers = {
        MINIMUM: f"{name} {oldest}",
        MAXIMUM: f"{name} {newest}",
        HEADER: f"{name} {wanted}",
        "Vary": HEADER,
    }
    supported = f"The supported version range is: [{name} {oldest}, {name} {newest}]."
    if version[0] != 1:
        message = (
            f"Mutually exclusive versions requested. Version {wanted} requested but not supported by this service."
        )
        raise Refusal(406, message + supported, "Requested microversion is unsupported", headers)
    if not version_of(oldest) <= version <= version_of(newest):
        message = f"Version {wanted} was requested but the minor version is not supported by this service. "
        raise Refusal(406, message + supported, "Requested microversion is unsupported", headers)
    call.state.version = version
    return headers


magnum = Service("container-infra", "/container-infra", say_no, negotiate)


def since(call: Call, minor: int, what: str) -> None:
    """Refuse what the requested microversion does not have yet; where none has it, there is no such path."""
    if call.cloud.profile.microversions("container-infra")[1] < (1, minor):
        raise Refusal(404, "The resource could not be found.")
    version = call.state.version
    if version < (1, minor):
        message = (
            f"Version {dotted(version)} was requested but the requested API {what} is not supported for this version."
        )
        raise not_acceptable(message)


def links(call: Call, path: str) -> list[Record]:
    base = f"{call.origin}/container-infra"
    return [{"href": f"{base}/v1/{path}", "rel": "self"}, {"href": f"{base}/{path}", "rel": "bookmark"}]


def page(call: Call, kind: str, records: list[Record], lost: str) -> tuple[list[Record], dict[str, str]]:
    """A page of records, and {"next": …} when there are more. `lost` is the kind's name in the error for a marker."""
    limit, direction = call.query_params.get("limit"), call.query_params.get("sort_dir", "asc")
    if limit is not None:
        try:
            number = int(limit)
        except ValueError as error:
            raise invalid("limit", limit, f"unable to convert to int. Error: {error}") from None
        if number <= 0:
            raise Refusal(400, "Limit must be positive")
    if direction not in ("asc", "desc"):
        raise Refusal(400, f"Invalid sort direction: {direction}. Acceptable values are 'asc' or 'desc'")
    key = call.query_params.get("sort_key", "id")
    if key != "id" and records and key not in records[0]:
        raise Refusal(400, f'The sort_key value "{key}" is an invalid field for sorting')
    marker = call.query_params.get("marker")
    if marker and marker not in [record["uuid"] for record in records]:
        raise Refusal(404, f"{lost} {marker} could not be found.")
    part, _ = paged(call, records, key="uuid")
    if not limit or len(part) != int(limit):
        return part, {}
    sort = f"sort_key={key}&sort_dir={direction}"
    href = f"{call.origin}/container-infra/v1/{kind}?{sort}&limit={limit}&marker={part[-1]['uuid']}"
    return part, {"next": href}


def find(table: Table, ident: str, lost: str, several: str) -> Record:
    """The record of that UUID or name. Raises Refusal: 404 for none, 409 for more than one."""
    found = table.find(ident)
    if not found:
        raise Refusal(404, f"{lost} {ident} could not be found.")
    if len(found) > 1:
        raise Refusal(409, f"Multiple {several} exist with same name. Please use the {lost.lower()} uuid instead.")
    return found[0]


def random_name(suffix: str) -> str:
    return f"{random.choice(GREEK)}-{random.randint(1, 24)}-{suffix}"


# -- versions -----------------------------------------------------------------------------------------------------------


@magnum.route("GET", "", public=True)
async def root(call: Call) -> Record:
    oldest, newest = call.cloud.profile.microversions("container-infra")
    version = {
        "id": "v1",
        "links": [{"href": f"{call.origin}/container-infra/v1/", "rel": "self"}],
        "status": "CURRENT",
        "max_version": dotted(newest),
        "min_version": dotted(oldest),
    }
    description = "Magnum is an OpenStack project which aims to provide container cluster management."
    return {"name": "OpenStack Magnum API", "description": description, "versions": [version]}


@magnum.route("GET", "/v1", public=True)
async def version_1(call: Call) -> Record:
    base = f"{call.origin}/container-infra"
    described = {
        "href": "http://docs.openstack.org/developer/magnum/dev/api-spec-v1.html",
        "rel": "describedby",
        "type": "text/html",
    }
    body: Record = {
        "id": "v1",
        "media_types": [{"base": "application/json", "type": "application/vnd.openstack.magnum.v1+json"}],
        "links": [{"href": f"{base}/v1/", "rel": "self"}, described],
    }
    for kind in ("clustertemplates", "clusters", "quotas", "certificates", "mservices", "stats", "federations"):
        body[kind] = links(call, f"{kind}/")
    newest = call.cloud.profile.microversions("container-infra")[1]
    if newest >= (1, 9):
        body["nodegroups"] = links(call, "clusters/{cluster_id}/nodegroups")
    if newest >= (1, 12):
        body["credentials"] = links(call, "credentials/")
    return body


# -- templates ----------------------------------------------------------------------------------------------------------


def new_template(cloud: Cloud, project: str, user: str, **fields: Any) -> Record:
    body = read("cluster_template", TEMPLATE, {"coe": "kubernetes", **fields})
    image = cloud.images.find(body["image_id"])[0]
    template = {
        **body,
        "uuid": new_id(),
        "cluster_distro": image.get("os_distro"),
        "labels": body["labels"] or {},
        "network_driver": body["network_driver"] or "flannel",
        "driver": body["driver"] or driver_for(cloud, image).name,
        "project_id": project,
        "user_id": user,
        "created_at": now(OFFSET),
        "updated_at": None,
    }
    return cloud.templates.add(template, "uuid")


def find_template(call: Call, ident: str) -> Record:
    visible = Table(
        (key, template)
        for key, template in call.cloud.templates.items()
        if template["project_id"] == call.project or template["public"]
    )
    try:
        return find(visible, ident, "ClusterTemplate", "ClusterTemplates")
    except Refusal as refusal:
        refusal.message = refusal.message.replace("clustertemplate uuid", "ClusterTemplate uuid")
        raise


def shown(call: Call, template: Record) -> Record:
    body = {**template, "links": links(call, f"clustertemplates/{template['uuid']}")}
    return {name: value for name, value in body.items() if name not in call.cloud.profile.lacks.template}


@magnum.route("GET", "/v1/clustertemplates")
@magnum.route("GET", "/v1/clustertemplates/detail")
async def list_templates(call: Call) -> Record:
    mine = [
        template
        for template in call.cloud.templates.values()
        if template["project_id"] == call.project or (template["public"] and not template["hidden"])
    ]
    kind = call.url.path.rstrip("/").partition("/v1/")[2]
    part, more = page(call, kind, mine, "ClusterTemplate")
    return {"clustertemplates": [shown(call, template) for template in part], **more}


@magnum.route("GET", "/v1/clustertemplates/{ident}")
async def show_template(call: Call) -> Record:
    return shown(call, find_template(call, call.path_params["ident"]))


@magnum.route("POST", "/v1/clustertemplates")
async def create_template(call: Call) -> JSONResponse:
    body = read("cluster_template", TEMPLATE, call.data, call.cloud.profile.lacks.template)
    if not body["coe"]:
        raise Refusal(400, "Requested COE type Unset is not supported.")
    check_drivers(body)
    if not call.cloud.images.find(body["image_id"]):
        raise Refusal(400, f"Image {body['image_id']} could not be found.")
    if body["driver"] not in (None, *(driver.name for driver in call.cloud.profile.drivers)):
        raise Refusal(400, f"Cluster driver ({body['driver']}) not supported.")
    check_resources(call.cloud, body)
    image = call.cloud.images.find(body["image_id"])[0]
    if not image.get("os_distro"):
        raise Refusal(400, f"Image {body['image_id']} doesn't contain os_distro field.")
    driver_for(call.cloud, image)
    if body["public"] or body["hidden"]:
        raise Refusal(403, "Not authorized to set public or hidden flag for cluster template.")
    body["name"] = body["name"] or random_name("template")
    template = new_template(call.cloud, call.project, call.token.user, **body)
    location = f"{call.origin}/container-infra/v1/clustertemplates/{template['uuid']}"
    return JSONResponse(shown(call, template), 201, {"Location": location})


@magnum.route("PATCH", "/v1/clustertemplates/{ident}")
async def update_template(call: Call) -> Record:
    fixed = ("network_driver", "external_network_id", "tls_disabled", "public", "server_type", "coe", "image_id")
    patch = read_patch(call.data, fixed=(*fixed, "registry_enabled", "cluster_distro", "hidden"))
    template = find_template(call, call.path_params["ident"])
    if template["project_id"] != call.project:
        raise Refusal(403, "Policy doesn't allow clustertemplate:update to be performed.")
    names = [attribute.name for attribute in TEMPLATE if not attribute.readonly]
    changed = patched({name: template[name] for name in names}, patch, {"labels": {}})
    body = read("cluster_template", TEMPLATE, {name: value for name, value in changed.items() if value is not None})
    check_drivers(body)
    if None in (body["flavor_id"], body["master_flavor_id"]):
        # Magnum looks for them when a template is changed, even where it names none.
        raise Refusal(400, "Unable to find flavor None.")
    check_resources(call.cloud, body)
    body["labels"] = body["labels"] or {}
    altered = {name for name in names if body[name] != template[name]}
    if altered & {"public", "hidden"}:
        raise Refusal(403, "Not authorized to set public or hidden flag for cluster template.")
    if altered - {"name"} and altered != {"tags"}:
        refuse_in_use(call.cloud, template)
    template.update(body, updated_at=now(OFFSET))
    return shown(call, template)


def refuse_in_use(cloud: Cloud, template: Record) -> None:
    if cloud.clusters.where(cluster_template_id=template["uuid"]):
        raise Refusal(400, f"ClusterTemplate {template['uuid']} is referenced by one or multiple clusters.")


@magnum.route("DELETE", "/v1/clustertemplates/{ident}")
async def delete_template(call: Call) -> None:
    ident = call.path_params["ident"]
    template = find_template(call, ident)
    if template["project_id"] != call.project:
        raise Refusal(403, "Policy doesn't allow clustertemplate:delete to be performed.")
    refuse_in_use(call.cloud, template)
    del call.cloud.templates[template["uuid"]]
