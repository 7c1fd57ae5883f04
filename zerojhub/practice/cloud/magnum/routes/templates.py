"""Cluster templates."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.magnum.checks import apply_patch, check_drivers, check_resources
from zerojhub.practice.cloud.magnum.drivers import driver_for
from zerojhub.practice.cloud.magnum.pages import links, page
from zerojhub.practice.cloud.magnum.records import OFFSET, enforce, find_one, new_template, random_name
from zerojhub.practice.cloud.magnum.schema import TEMPLATE, TEMPLATE_COLUMNS, parse_body, parse_patch
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, Table, now
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


def find_template(call: Call, ident: str, *, everyone: bool = True) -> Record:
    """The visible template with this UUID or name. `everyone`: administrators see those of every project."""
    visible = Table(
        (key, template)
        for key, template in call.store.templates.items()
        if (call.is_admin and everyone)
        or template["project_id"] == call.project
        or (template["public"] and (call.is_admin or not template["hidden"]))
    )
    try:
        return find_one(visible, ident, "ClusterTemplate", "ClusterTemplates")
    except Refusal as refusal:
        refusal.message = refusal.message.replace("clustertemplate uuid", "ClusterTemplate uuid")
        raise


def render_template(call: Call, template: Record) -> Record:
    body = {**template, "links": links(call, f"clustertemplates/{template['uuid']}")}
    return {name: value for name, value in body.items() if name not in call.store.profile.lacks.template}


@routes("GET", "/v1/clustertemplates")
@routes("GET", "/v1/clustertemplates/detail")
async def list_templates(call: Call) -> Record:
    mine = [
        template
        for template in call.store.templates.values()
        if call.is_admin or template["project_id"] == call.project or (template["public"] and not template["hidden"])
    ]
    kind = call.url.path.rstrip("/").partition("/v1/")[2]
    part, more = page(call, kind, mine, "ClusterTemplate", TEMPLATE_COLUMNS)
    return {"clustertemplates": [render_template(call, template) for template in part], **more}


@routes("GET", "/v1/clustertemplates/{ident}")
async def show_template(call: Call) -> Record:
    return render_template(call, find_template(call, call.path_params["ident"]))


@routes("POST", "/v1/clustertemplates")
async def create_template(call: Call) -> JSONResponse:
    body = parse_body("cluster_template", TEMPLATE, call.data, call.store.profile.lacks.template)
    if not body["coe"]:
        raise Refusal(400, "Requested COE type Unset is not supported.")
    check_drivers(body)
    if not call.store.images.find(body["image_id"]):
        raise Refusal(400, f"Image {body['image_id']} could not be found.")
    if body["driver"] not in (None, *(driver.name for driver in call.store.profile.drivers)):
        raise Refusal(400, f"Cluster driver ({body['driver']}) not supported.")
    check_resources(call.store, body)
    image = call.store.images.find(body["image_id"])[0]
    if not image.get("os_distro"):
        raise Refusal(400, f"Image {body['image_id']} doesn't contain os_distro field.")
    if not body["driver"]:
        driver_for(call.store, image["os_distro"])
    if (body["public"] or body["hidden"]) and not call.is_admin:
        raise Refusal(403, "Not authorized to set public or hidden flag for cluster template.")
    body["name"] = body["name"] or random_name("template")
    template = new_template(call.store, call.project, call.token.user, **body)
    location = f"{call.origin}/container-infra/v1/clustertemplates/{template['uuid']}"
    return JSONResponse(render_template(call, template), 201, {"Location": location})


@routes("PATCH", "/v1/clustertemplates/{ident}")
async def update_template(call: Call) -> Record:
    fixed = ("network_driver", "external_network_id", "tls_disabled", "public", "server_type", "coe", "image_id")
    patch = parse_patch(call.data, fixed=(*fixed, "registry_enabled", "cluster_distro", "hidden"))
    # Magnum looks before it lets administrators see the private ones of others.
    template = find_template(call, call.path_params["ident"], everyone=False)
    if template["project_id"] != call.project:
        enforce(call, "clustertemplate:update")
    lacks = call.store.profile.lacks.template
    names = [each.name for each in TEMPLATE if not each.readonly and each.name not in lacks]
    changed = apply_patch({name: template[name] for name in names}, patch, {"labels": {}})
    body = parse_body(
        "cluster_template", TEMPLATE, {name: value for name, value in changed.items() if value is not None}
    )
    check_drivers(body)
    if None in (body["flavor_id"], body["master_flavor_id"]):
        # Magnum looks up both flavors on every update, even if they are not set.
        raise Refusal(400, "Unable to find flavor None.")
    check_resources(call.store, body)
    body["labels"] = body["labels"] or {}
    altered = {name for name in names if body[name] != template[name]}
    if altered & {"public", "hidden"} and not call.is_admin:
        raise Refusal(403, "Not authorized to set public or hidden flag for cluster template.")
    publishing = len(altered) == 1 and (altered <= {"hidden", "tags"} or (body["public"] and altered == {"public"}))
    if altered - {"name"} and not publishing:
        refuse_in_use(call.store, template)
    template.update(body, updated_at=now(OFFSET))
    return render_template(call, template)


def refuse_in_use(store: Store, template: Record) -> None:
    if store.clusters.where(cluster_template_id=template["uuid"]):
        raise Refusal(400, f"ClusterTemplate {template['uuid']} is referenced by one or multiple clusters.")


@routes("DELETE", "/v1/clustertemplates/{ident}")
async def delete_template(call: Call) -> None:
    ident = call.path_params["ident"]
    template = find_template(call, ident)
    if template["project_id"] != call.project:
        enforce(call, "clustertemplate:delete")
    refuse_in_use(call.store, template)
    del call.store.templates[template["uuid"]]
