"""Clusters: requests are validated here, and the conductor does the work."""

from __future__ import annotations

import re

from zerojhub.practice.cloud.magnum.checks import apply_patch, check_drivers, check_resources
from zerojhub.practice.cloud.magnum.drivers import driver_for
from zerojhub.practice.cloud.magnum.microversions import since
from zerojhub.practice.cloud.magnum.pages import links, page
from zerojhub.practice.cloud.magnum.records import (
    OFFSET,
    compare_labels,
    default_worker,
    find_nodegroup,
    find_one,
    new_nodegroup,
    of_role,
    random_name,
)
from zerojhub.practice.cloud.magnum.routes.quotas import limit_of
from zerojhub.practice.cloud.magnum.routes.templates import find_template
from zerojhub.practice.cloud.magnum.schema import (
    BRIEF,
    CLUSTER,
    CLUSTER_COLUMNS,
    FULL,
    RESIZE,
    UPGRADE,
    parse_body,
    parse_patch,
)
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Table, new_id, now
from zerojhub.practice.cloud.wire import TRUE, Call, Routes

routes = Routes()


ZERO_NODES = "Resizing a nodegroup to zero is not supported in the provided microversion."


def render_cluster(call: Call, cluster: Record, fields: tuple[str, ...]) -> Record:
    masters, workers = of_role(cluster, "master"), of_role(cluster, "worker")
    template = call.store.templates[cluster["cluster_template_id"]]
    body = {
        **cluster,
        **compare_labels(template["labels"], cluster["labels"]),
        "links": links(call, f"clusters/{cluster['uuid']}"),
        "node_count": sum(group["node_count"] for group in workers),
        "master_count": sum(group["node_count"] for group in masters),
        "node_addresses": [address for group in workers for address in group["node_addresses"]],
        "master_addresses": [address for group in masters for address in group["node_addresses"]],
        # Magnum does not store the request's flag and always shows false.
        "merge_labels": False,
    }
    result = {name: body[name] for name in fields if name not in call.store.profile.lacks.cluster}
    if call.state.version < (1, 13):
        result["stack_id"] = result.pop("cluster_id")
    if fields is FULL and cluster["status"].endswith("FAILED"):
        failed = [group for group in cluster["nodegroups"] if group["status"].endswith("FAILED")]
        result["faults"] = {group["name"]: group["status_reason"] for group in failed}
    return result


def find_cluster(call: Call, ident: str | None = None) -> Record:
    """The cluster with this UUID or name; default: the one in the path. Raises Refusal (404, 409)."""
    mine = Table((cluster["uuid"], cluster) for cluster in visible_clusters(call))
    return find_one(mine, ident or call.path_params["ident"], "Cluster", "clusters")


def visible_clusters(call: Call) -> list[Record]:
    """The project's clusters; for administrators, those of every project."""
    project = call.project
    return [each for each in call.store.clusters.values() if call.is_admin or each["project_id"] == project]


def cluster_auth_url(call: Call) -> str:
    """Keystone's URL as seen from a cluster."""
    return f"http://{call.store.gateway}:{call.url.port or 80}/identity/v3"


@routes("GET", "/v1/clusters")
@routes("GET", "/v1/clusters/detail")
async def list_clusters(call: Call) -> Record:
    kind = call.url.path.rstrip("/").partition("/v1/")[2]
    part, more = page(call, kind, visible_clusters(call), "Cluster", CLUSTER_COLUMNS)
    fields = FULL if kind.endswith("detail") else BRIEF
    return {"clusters": [render_cluster(call, cluster, fields) for cluster in part], **more}


@routes("GET", "/v1/clusters/{ident}")
async def show_cluster(call: Call) -> Record:
    return render_cluster(call, find_cluster(call), FULL)


@routes("POST", "/v1/clusters", status=202)
async def create_cluster(call: Call) -> Record:
    store = call.store
    body = parse_body("cluster", CLUSTER, call.data, call.store.profile.lacks.cluster)
    try:
        template = find_template(call, body["cluster_template_id"])
    except Refusal as refusal:
        if call.state.version < (1, 10) and refusal.status == 404:
            refusal.status = 400
        raise
    driver_for(store, template["cluster_distro"])
    merged = {**template, "docker_volume_size": body["docker_volume_size"] or template["docker_volume_size"]}
    check_drivers(merged)
    if body["master_count"] % 2 == 0:
        size = f"master nodegroup size of {body['master_count']} is invalid"
        raise Refusal(400, f"{size}, size cannot be an even number.")
    if body["node_count"] == 0 and call.state.version < (1, 10):
        raise Refusal(400, ZERO_NODES)
    limit = limit_of(call, call.project)
    if 0 <= limit <= len(store.clusters.where(project_id=call.project)):
        message = f"You have reached the maximum clusters per project, {limit}. You may delete a cluster to make room"
        raise Refusal(403, f"Resource limit exceeded: {message} for a new one.")
    if template["hidden"] and not call.is_admin:
        raise Refusal(403, "Not authorized.")
    labels = body["labels"] or template["labels"]
    if body["labels"] and body["merge_labels"]:
        labels = {**template["labels"], **body["labels"]}
    for name in ("floating_ip_enabled", "master_lb_enabled"):
        body[name] = template[name] if body[name] is None else body[name]
    for name in ("docker_volume_size", "master_flavor_id", "flavor_id", "fixed_network", "fixed_subnet"):
        body[name] = body[name] or template[name]
    keypair = body["keypair"] or template["keypair_id"]
    inherited = {name: template[name] for name in ("image_id", "external_network_id")}
    check_resources(store, {**inherited, **body})
    if keypair and keypair not in store.keypairs:
        raise Refusal(404, f"Unable to find keypair {keypair}.")
    if body["master_count"] > 1 and not body["master_lb_enabled"]:
        raise Refusal(400, "master_count must be 1 when master_lb_enabled is False")
    cluster = {
        **body,
        "uuid": new_id(),
        "name": body["name"] or random_name("cluster"),
        "cluster_template_id": template["uuid"],
        "keypair": keypair,
        "labels": dict(labels),
        "cluster_id": None,
        "status": "CREATE_IN_PROGRESS",
        "status_reason": None,
        "health_status": None,
        "health_status_reason": {},
        "api_address": None,
        "coe_version": None,
        "container_version": None,
        "project_id": call.project,
        "user_id": call.token.user,
        "created_at": now(OFFSET),
        "updated_at": None,
        "nodegroups": [],
    }
    store.clusters.add(cluster, "uuid")
    common = {"image_id": template["image_id"], "is_default": True}
    for role, flavor, count in (("master", "master_flavor_id", "master_count"), ("worker", "flavor_id", "node_count")):
        fields = {**common, "name": f"default-{role}", "role": role, "node_count": cluster[count]}
        new_nodegroup(store, cluster, flavor_id=cluster[flavor] or store.usual_flavor, **fields)
    if least := cluster["labels"].get("min_node_count"):
        cluster["nodegroups"][1]["min_node_count"] = int(least)
    call.conductor.create(cluster, cluster_auth_url(call))
    return {"uuid": cluster["uuid"]}


@routes("PATCH", "/v1/clusters/{ident}", status=202)
async def update_cluster(call: Call) -> Record:
    internal = ("api_address", "node_addresses", "master_addresses", "stack_id", "cluster_id", "ca_cert_ref")
    if "rollback" in call.query_params and call.state.version < (1, 3):
        raise Refusal(400, 'Unknown argument: "rollback"')
    rollback = call.query_params.get("rollback", "false").lower() in TRUE
    patch = parse_patch(call.data, internal, fixed=("cluster_template_id",))
    cluster = find_cluster(call)
    before = {name: value for name, value in render_cluster(call, cluster, FULL).items() if name not in internal}
    after = apply_patch(before, patch, {"node_count": 1, "labels": {}})
    changed = {name for name in before if before[name] != after[name]}
    for name in ("node_count", "create_timeout"):
        if name in changed:
            after[name] = parse_body("cluster", CLUSTER, {"cluster_template_id": "", name: after[name]})[name]
    forbidden = changed - {"node_count", "health_status", "health_status_reason"}
    if forbidden:
        raise Refusal(400, f"cannot change cluster property(ies) {', '.join(sorted(forbidden))}.")
    if "node_count" in {item["name"] for item in patch}:
        if after["node_count"] == 0 and call.state.version < (1, 10):
            raise Refusal(400, ZERO_NODES)
        workers = default_worker(cluster)
        if cluster["status"].endswith("_COMPLETE") and workers["node_count"] != after["node_count"]:
            call.conductor.resize(cluster, workers, after["node_count"], [], rollback=rollback)
    else:
        cluster.update({name: after[name] for name in ("health_status", "health_status_reason")})
    return {"uuid": cluster["uuid"]}


@routes("DELETE", "/v1/clusters/{ident}")
async def delete_cluster(call: Call) -> None:
    call.conductor.delete(find_cluster(call))


@routes("POST", "/v1/clusters/{ident}/actions/resize", status=202)
async def resize_cluster(call: Call) -> Record:
    since(call, 7, "resize")
    wanted = parse_body("cluster_resize_req", RESIZE, call.data)
    count = wanted["node_count"]
    if count == 0 and call.state.version < (1, 10):
        raise Refusal(400, ZERO_NODES)
    cluster = find_cluster(call)
    group = find_nodegroup(cluster, wanted["nodegroup"]) if wanted["nodegroup"] else default_worker(cluster)
    if group["role"] == "master":
        raise Refusal(400, "Resizing the master nodegroup is not supported by this driver.")
    least, most = group["min_node_count"], group["max_node_count"]
    if count < least or (most and count > most):
        bounds = f"min_node_count = {least}, max_node_count = {most}"
        raise Refusal(400, f"Resizing {group['name']} outside the allowed range: {bounds}")
    # Magnum accepts the request in any status, and its conductor drops it if it does not apply.
    if cluster["status"].endswith("_COMPLETE") or cluster["status"].startswith("UPDATE"):
        call.conductor.resize(cluster, group, count, list(wanted["nodes_to_remove"] or ()))
    return {"uuid": cluster["uuid"]}


def version_numbers(version: str | None) -> list[int]:
    """v1.34.4 as [1, 34, 4]; a version without numbers counts as the oldest."""
    return [int(number) for number in re.findall(r"\d+", version or "")]


@routes("POST", "/v1/clusters/{ident}/actions/upgrade", status=202)
async def upgrade_cluster(call: Call) -> Record:
    since(call, 7, "upgrade")
    if call.state.version < (1, 8):
        raise Refusal(400, "Cluster upgrade is not supported in the provided microversion.")
    wanted = parse_body("cluster_upgrade_req", UPGRADE, call.data)
    cluster = find_cluster(call)
    template = find_template(call, wanted["cluster_template"] or "")
    group = find_nodegroup(cluster, wanted["nodegroup"]) if wanted["nodegroup"] else default_worker(cluster)
    if template["uuid"] != cluster["cluster_template_id"] and not group["is_default"]:
        current = call.store.templates[cluster["cluster_template_id"]]["name"]
        reason = f"Nodegroup {group['name']} can be upgraded only to match cluster's template ({current})."
        raise Refusal(409, f"Cluster Template is not valid for upgrade: {reason}")
    if version_numbers(template["labels"].get("kube_tag")) < version_numbers(group["labels"].get("kube_tag")):
        raise Refusal(400, "Received invalid tag for kube_tag.")
    if not cluster["status"].endswith("_COMPLETE"):
        raise Refusal(400, f'Upgrading a cluster when status is "{cluster["status"]}" is not supported.')
    call.conductor.upgrade(cluster, template, group, wanted["max_batch_size"] or 1)
    return {"uuid": cluster["uuid"]}
