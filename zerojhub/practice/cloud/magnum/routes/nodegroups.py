"""Node groups: machines of one cluster that share a flavor, an image, labels and bounds."""

from __future__ import annotations

from zerojhub.practice.cloud.magnum.checks import apply_patch, check_bounds, check_marks
from zerojhub.practice.cloud.magnum.drivers import is_cluster_api
from zerojhub.practice.cloud.magnum.microversions import since
from zerojhub.practice.cloud.magnum.pages import links, page
from zerojhub.practice.cloud.magnum.records import OFFSET, compare_labels, find_nodegroup, new_nodegroup
from zerojhub.practice.cloud.magnum.routes.clusters import find_cluster
from zerojhub.practice.cloud.magnum.schema import NODEGROUP, NODEGROUP_COLUMNS, parse_body, parse_patch
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, now, words
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


BRIEF = words("uuid name flavor_id image_id node_count role is_default stack_id status")
LIST_DEFAULTS = {"min_node_count": 0, "max_node_count": None, "merge_labels": False}
"""Constant values in Magnum's list of node groups; only a single node group is shown with its real bounds."""
# The fields in the response to a creation, which has nothing from the conductor yet.
CREATED = words(
    "uuid name cluster_id project_id labels links flavor_id image_id node_count role min_node_count max_node_count "
    "merge_labels labels_overridden labels_added labels_skipped"
)
CREATED_IF_GIVEN = words("docker_volume_size node_labels node_taints")
UNCHANGEABLE = words(
    "name cluster_id docker_volume_size labels flavor_id image_id node_addresses node_count role is_default stack_id "
    "status status_reason version"
)


def render_nodegroup(call: Call, cluster: Record, group: Record, fields: tuple[str, ...] | None = None) -> Record:
    body = {name: value for name, value in group.items() if name != "servers"}
    body |= compare_labels(cluster["labels"], group["labels"])
    body["links"] = links(call, f"clusters/{cluster['uuid']}/nodegroups/{group['uuid']}")
    body["merge_labels"] = False
    if is_cluster_api(call.store, cluster):
        body["stack_id"] = None
    lacks = lacking(call)
    return {name: value for name, value in body.items() if name in (fields or body) and name not in lacks}


def lacking(call: Call) -> tuple[str, ...]:
    """The attributes that came with later microversions than this Magnum's newest."""
    return ("node_labels", "node_taints") if call.store.profile.microversions("container-infra")[1] < (1, 14) else ()


@routes("GET", "/v1/clusters/{ident}/nodegroups")
async def list_nodegroups(call: Call) -> Record:
    since(call, 9, "get_one")
    cluster = find_cluster(call)
    groups = cluster["nodegroups"]
    if role := call.query_params.get("role"):
        groups = [group for group in groups if group["role"] == role]
    part, more = page(call, f"clusters/{cluster['uuid']}/nodegroups", groups, "Nodegroup", NODEGROUP_COLUMNS)
    return {"nodegroups": [render_nodegroup(call, cluster, group, BRIEF) | LIST_DEFAULTS for group in part], **more}


@routes("GET", "/v1/clusters/{ident}/nodegroups/{group}")
async def show_nodegroup(call: Call) -> Record:
    since(call, 9, "get_one")
    cluster = find_cluster(call)
    return render_nodegroup(call, cluster, find_nodegroup(cluster, call.path_params["group"]))


@routes("POST", "/v1/clusters/{ident}/nodegroups", status=202)
async def create_nodegroup(call: Call) -> Record:
    since(call, 9, "post")
    body = parse_body("nodegroup", NODEGROUP, call.data, lacking(call))
    if not body["name"]:
        raise Refusal(500, "Field `name' cannot be None")
    cluster = find_cluster(call)
    if not cluster["api_address"]:
        raise Refusal(409, "Cluster API address is not available yet")
    if body["name"] in [group["name"] for group in cluster["nodegroups"]]:
        name = f"A node group with name {body['name']} already exists in the cluster {cluster['name']}."
        raise Refusal(409, name)
    check_bounds(body)
    check_marks(body)
    if body["role"] == "master":
        raise Refusal(400, "Creating master nodegroups is currently not supported.")
    flavor = body["flavor_id"] or cluster["flavor_id"] or call.store.usual_flavor
    if not call.store.flavor(flavor):
        raise Refusal(400, f"Unable to find flavor {flavor}.")
    labels = body["labels"] or cluster["labels"]
    if body["labels"] and body["merge_labels"]:
        labels = {**cluster["labels"], **body["labels"]}
    fields = {name: body[name] for name in ("name", "node_count", "role", "min_node_count", "max_node_count")}
    group = new_nodegroup(
        call.store,
        cluster,
        **fields,
        flavor_id=flavor,
        image_id=body["image_id"] or call.store.templates[cluster["cluster_template_id"]]["image_id"],
        labels=dict(labels),
        docker_volume_size=body["docker_volume_size"],
        node_labels=body["node_labels"] or {},
        node_taints=body["node_taints"] or [],
    )
    call.conductor.create_nodegroup(cluster, group)
    return render_nodegroup(call, cluster, group, (*CREATED, *(name for name in CREATED_IF_GIVEN if name in call.data)))


@routes("PATCH", "/v1/clusters/{ident}/nodegroups/{group}", status=202)
async def update_nodegroup(call: Call) -> Record:
    since(call, 9, "patch")
    patch = parse_patch(call.data, UNCHANGEABLE)
    cluster = find_cluster(call)
    group = find_nodegroup(cluster, call.path_params["group"])
    there = {name: value for name, value in group.items() if name not in lacking(call)}
    changed = apply_patch(there, patch, {"min_node_count": 0, "node_labels": {}, "node_taints": []})
    names = ("min_node_count", "max_node_count", "node_labels", "node_taints")
    given = {name: changed[name] for name in names if changed.get(name) is not None}
    checked = parse_body("nodegroup", NODEGROUP, given)
    values = {name: checked[name] for name in names}
    check_bounds({**group, **values})
    check_marks({**group, **values})
    group.update(values, updated_at=now(OFFSET))
    # What was removed is null until it is saved, and empty from then on.
    removed = {item["name"]: None for item in patch if item["op"] == "remove" and item["name"] in CREATED_IF_GIVEN}
    answer = render_nodegroup(call, cluster, group) | removed
    call.conductor.update_nodegroup(cluster, group)
    return answer


@routes("DELETE", "/v1/clusters/{ident}/nodegroups/{group}")
async def delete_nodegroup(call: Call) -> None:
    since(call, 9, "delete")
    cluster = find_cluster(call)
    group = find_nodegroup(cluster, call.path_params["group"])
    if group["is_default"]:
        raise Refusal(400, "Deleting a default nodegroup is not supported.")
    call.conductor.delete_nodegroup(cluster, group)
