"""Magnum's node groups: machines of one cluster that share a flavor, an image, labels and bounds."""

from __future__ import annotations

from zerojhub.practice.apis.cloud import Record, now, words
from zerojhub.practice.apis.drivers import is_cluster_api
from zerojhub.practice.apis.magnum import OFFSET, links, magnum, page, since
from zerojhub.practice.apis.magnum_checks import patched
from zerojhub.practice.apis.magnum_clusters import find_cluster, find_nodegroup, labels_compared, new_nodegroup
from zerojhub.practice.apis.magnum_types import NODEGROUP, read, read_patch
from zerojhub.practice.apis.wire import Call, Refusal

BRIEF = words("uuid name flavor_id image_id node_count role is_default stack_id status")
UNSAID = {"min_node_count": 0, "max_node_count": None, "merge_labels": False}
"""What Magnum's list has of every node group, whatever its bounds are: only a node group alone is shown with them."""
# Answered to a create request: nothing of what only the conductor knows.
CREATED = words(
    "uuid name cluster_id project_id labels links flavor_id image_id node_count role min_node_count max_node_count "
    "merge_labels labels_overridden labels_added labels_skipped"
)
UNCHANGEABLE = words(
    "name cluster_id docker_volume_size labels flavor_id image_id node_addresses node_count role is_default stack_id "
    "status status_reason version"
)
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def shown(call: Call, cluster: Record, group: Record, fields: tuple[str, ...] | None = None) -> Record:
    body = {name: value for name, value in group.items() if name != "servers"}
    body |= labels_compared(cluster["labels"], group["labels"])
    body["links"] = links(call, f"clusters/{cluster['uuid']}/nodegroups/{group['uuid']}")
    body["merge_labels"] = False
    if is_cluster_api(call.cloud, cluster):
        body["stack_id"] = None
    return {name: body[name] for name in fields} if fields else body


def check(group: Record) -> None:
    """Refuse (409) bounds that can't be."""

    def bad(attribute: str, why: str) -> Refusal:
        return Refusal(409, f"{attribute} for {group['name']} is invalid ({why}).")

    least, most, count = group["min_node_count"], group["max_node_count"], group["node_count"]
    if most and most < least:
        raise bad("max_node_count", f"min_node_count ({least}) should be less or equal to max_node_count ({most})")
    if most and count > most:
        raise bad("max_node_count", f"node_count ({count}) should be less or equal to max_node_count ({most})")
    if least > count:
        raise bad("min_node_count", f"min_node_count ({least}) should be less or equal to node_count ({count})")


def check_taints(group: Record) -> None:
    """Refuse (409) what is no taint."""

    def bad(why: str) -> Refusal:
        return Refusal(409, f"node_taints for {group['name']} is invalid ({why}).")

    for index, taint in enumerate(group["node_taints"] or ()):
        if not isinstance(taint, dict):
            raise bad(f"node_taints[{index}] must be an object with key, effect and optional value")
        if not taint.get("key"):
            raise bad(f"node_taints[{index}].key is required")
        if taint.get("effect") not in EFFECTS:
            raise bad(f"node_taints[{index}].effect must be one of {', '.join(EFFECTS)}")


@magnum.route("GET", "/v1/clusters/{ident}/nodegroups")
async def list_nodegroups(call: Call) -> Record:
    since(call, 9, "get_one")
    cluster = find_cluster(call)
    groups = cluster["nodegroups"]
    if role := call.query_params.get("role"):
        groups = [group for group in groups if group["role"] == role]
    part, more = page(call, f"clusters/{cluster['uuid']}/nodegroups", groups, "Nodegroup")
    return {"nodegroups": [shown(call, cluster, group, BRIEF) | UNSAID for group in part], **more}


@magnum.route("GET", "/v1/clusters/{ident}/nodegroups/{group}")
async def show_nodegroup(call: Call) -> Record:
    since(call, 9, "get_one")
    cluster = find_cluster(call)
    return shown(call, cluster, find_nodegroup(cluster, call.path_params["group"]))


@magnum.route("POST", "/v1/clusters/{ident}/nodegroups", status=202)
async def create_nodegroup(call: Call) -> Record:
    since(call, 9, "post")
    body = read("nodegroup", NODEGROUP, call.data)
    if not body["name"]:
        raise Refusal(500, "Field `name' cannot be None")
    cluster = find_cluster(call)
    if not cluster["api_address"]:
        raise Refusal(409, "Cluster API address is not available yet")
    check_taints(body)
    if body["name"] in [group["name"] for group in cluster["nodegroups"]]:
        name = f"A node group with name {body['name']} already exists in the cluster {cluster['name']}."
        raise Refusal(409, name)
    check(body)
    if body["role"] == "master":
        raise Refusal(400, "Creating master nodegroups is currently not supported.")
    flavor = body["flavor_id"] or cluster["flavor_id"] or call.cloud.usual_flavor
    if not call.cloud.flavor(flavor):
        raise Refusal(400, f"Unable to find flavor {flavor}.")
    labels = body["labels"] or cluster["labels"]
    if body["labels"] and body["merge_labels"]:
        labels = {**cluster["labels"], **body["labels"]}
    fields = {name: body[name] for name in ("name", "node_count", "role", "min_node_count", "max_node_count")}
    group = new_nodegroup(
        call.cloud,
        cluster,
        **fields,
        flavor_id=flavor,
        image_id=body["image_id"] or call.cloud.templates[cluster["cluster_template_id"]]["image_id"],
        labels=dict(labels),
        docker_volume_size=body["docker_volume_size"],
        node_labels=body["node_labels"] or {},
        node_taints=body["node_taints"] or [],
    )
    call.conductor.create_nodegroup(cluster, group)
    return shown(call, cluster, group, CREATED)


@magnum.route("PATCH", "/v1/clusters/{ident}/nodegroups/{group}", status=202)
async def update_nodegroup(call: Call) -> Record:
    since(call, 9, "patch")
    patch = read_patch(call.data, UNCHANGEABLE)
    cluster = find_cluster(call)
    group = find_nodegroup(cluster, call.path_params["group"])
    changed = patched(group, patch, {"min_node_count": 0, "node_labels": {}, "node_taints": []})
    names = ("min_node_count", "max_node_count", "node_labels", "node_taints")
    checked = read("nodegroup", NODEGROUP, {name: changed[name] for name in names if changed[name] is not None})
    values = {name: checked[name] for name in names}
    check({**group, **values})
    check_taints({**group, **values})
    group.update(values, updated_at=now(OFFSET))
    return shown(call, cluster, group)


@magnum.route("DELETE", "/v1/clusters/{ident}/nodegroups/{group}")
async def delete_nodegroup(call: Call) -> None:
    since(call, 9, "delete")
    cluster = find_cluster(call)
    group = find_nodegroup(cluster, call.path_params["group"])
    if group["is_default"]:
        raise Refusal(400, "Deleting a default nodegroup is not supported.")
    call.conductor.delete_nodegroup(cluster, group)
