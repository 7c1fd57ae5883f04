"""Node groups of a cluster: since microversion 1.9, empty ones since 1.10, labels and taints of their nodes since 1.14."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from zerojhub.cluster import lifecycle
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.openstack import clusters, magnum, names, node_marks
from zerojhub.openstack.magnum import (
    Cluster,
    NodeGroup,
    NodeGroupChange,
    NodeGroupName,
    NodeGroupRequest,
    PatchOperation,
    Taint,
    TemplateFields,
)
from zerojhub.openstack.session import Cloud
from zerojhub.text import Say, plural

MINUTES = 60
"""How long a change may take, as for a cluster."""


async def listed(
    cloud: Cloud, cluster: str, role: str | None = None, order: magnum.Order = magnum.ANY
) -> list[NodeGroup]:
    """The node groups of the cluster of this name or UUID, with their addresses. `role`: only those with it."""
    uuid = (await magnum.get_cluster(cloud, cluster))["uuid"]
    return await of(cloud, uuid, role, order)


async def of(cloud: Cloud, uuid: str, role: str | None = None, order: magnum.Order = magnum.ANY) -> list[NodeGroup]:
    """The node groups, with their addresses, of the cluster of this UUID, which was looked up before.

    UserError when Magnum is too old to have any.
    """
    magnum.require(cloud, 9, "node groups")
    found = await magnum.nodegroups(cloud, uuid, role=role, order=order)
    return [await magnum.show_nodegroup(cloud, uuid, group["uuid"]) for group in found]


async def workers_of(cloud: Cloud, cluster: Cluster) -> list[NodeGroup]:
    """The cluster's node groups; from a Magnum without any, its workers as the group that they would be (with no UUID)."""
    if (cloud.container_infra.max_microversion or (1, 9)) >= (1, 9):
        return await of(cloud, cluster["uuid"])
    return [
        {
            "uuid": "",
            "name": "default-worker",
            "role": "worker",
            "is_default": True,
            "flavor_id": cluster["flavor_id"],
            "node_count": cluster["node_count"],
            "node_addresses": cluster.get("node_addresses") or [],
            "min_node_count": 1,  # none can be empty before microversion 1.10
            "max_node_count": None,
        }
    ]


def choose(groups: Sequence[NodeGroup], wanted: str) -> NodeGroup:
    """The group of this name or UUID. UserError that suggests the nearest name when there is none."""
    found = [group for group in groups if wanted in (group["uuid"], group["name"])]
    if len(found) == 1:
        return found[0]
    raise names.unknown("node group", wanted, (group["name"] for group in groups))


async def get_one(cloud: Cloud, cluster: str, wanted: str) -> NodeGroup:
    return choose(await listed(cloud, cluster), wanted)


def fields_of(labels: dict[str, str] | None, docker_volume_size: int | None) -> TemplateFields:
    """What decides which volumes the nodes of a group have."""
    return {"labels": labels or {}, "docker_volume_size": docker_volume_size}


def request(
    name: str,
    *,
    nodes: int,
    least: int,
    most: int | None = None,
    flavor: str | None = None,
    image: str | None = None,
    role: str = "worker",
    labels: dict[str, str] | None = None,
    docker_volume_size: int | None = None,
    node_labels: dict[str, str] | None = None,
    node_taints: list[Taint] | None = None,
) -> NodeGroupRequest:
    """The body that creates a node group; the cluster's flavor, image and labels apply when they are None."""
    optional = {
        "max_node_count": most,
        "flavor_id": flavor,
        "image_id": image,
        "labels": labels,
        "docker_volume_size": docker_volume_size,
        "node_labels": node_labels,
        "node_taints": node_taints,
    }
    given = {key: value for key, value in optional.items() if value is not None}
    required = {"name": name, "node_count": nodes, "min_node_count": least, "role": role}
    return cast(NodeGroupRequest, required | given)  # keys and types are those of the parameters


def change(
    least: int | None,
    most: int | None,
    node_labels: dict[str, str] | None = None,
    node_taints: list[Taint] | None = None,
) -> NodeGroupChange:
    """What to change in a group; None leaves it unchanged."""
    values = {
        "min_node_count": least,
        "max_node_count": most,
        "node_labels": node_labels,
        "node_taints": node_taints,
    }
    return cast(NodeGroupChange, {key: value for key, value in values.items() if value is not None})  # as in `request`


async def create(
    cloud: Cloud, cluster: str, body: NodeGroupRequest, say: Say, *, merge_labels: bool = True, wait: bool
) -> NodeGroupName:
    """Add a group. Problems with its names, bounds, labels and quota, before Magnum is asked.

    `merge_labels`: add its labels to the cluster's. That is done here: a Magnum before OpenStack Victoria cannot.
    A Magnum that does not know labels and taints of nodes does not get any.
    """
    before = await clusters.get_idle(cloud, cluster)
    groups = await of(cloud, before["uuid"])
    found: list[ZeroJHubError] = [*node_marks.problems(body.get("node_labels") or {}, body.get("node_taints") or [])]
    if merge_labels and "labels" in body:
        body["labels"] = before["labels"] | body["labels"]
    if body["name"] in [group["name"] for group in groups]:
        found.append(UserError(f"cluster {before['name']} has a node group named {body['name']!r}"))
    least, most, count = body["min_node_count"], body.get("max_node_count"), body["node_count"]
    if outside := _outside(count, least, most):
        found.append(UserError(outside, hint="--nodes, --min, --max"))
    for find, wanted in ((names.flavor, body.get("flavor_id")), (names.image, body.get("image_id"))):
        try:
            if wanted:
                await find(cloud, wanted)
        except UserError as error:
            found.append(error)
    if not found:
        flavor = body.get("flavor_id") or before["flavor_id"]
        like = fields_of(body.get("labels", before["labels"]), body.get("docker_volume_size"))
        found += await clusters.lacking_for_nodes(cloud, like, flavor, count)
    if found:
        raise Problems(found)
    if not magnum.marks_nodes(cloud):
        body = {**body}
        body.pop("node_labels", None)
        body.pop("node_taints", None)
    created = await magnum.create_nodegroup(cloud, before["uuid"], body)
    if wait:
        await lifecycle.wait_until_idle(cloud, before["uuid"], say, minutes=MINUTES, before=before)
    return created


def _outside(count: int, least: int, most: int | None) -> str | None:
    """Why a group with these bounds cannot have so many nodes; None if it can."""
    if most is not None and most < least:
        return f"a maximum of {most} nodes is less than the minimum of {least}"
    if count < least:
        return f"{plural(count, 'node')}, fewer than its minimum of {least}"
    return f"{plural(count, 'node')}, more than its maximum of {most}" if most is not None and count > most else None


async def update(cloud: Cloud, cluster: str, wanted: str, change: NodeGroupChange, say: Say) -> NodeGroup:
    """Change the group. UserError when it has fewer or more nodes than its new bounds allow."""
    if not change:
        raise UserError("nothing to change was given", hint="--min, --max, --node-labels or --node-taints")
    current = await clusters.get_idle(cloud, cluster)
    group = choose(await of(cloud, current["uuid"]), wanted)
    if found := node_marks.problems(change.get("node_labels") or {}, change.get("node_taints") or []):
        raise Problems(found)
    least = change.get("min_node_count", group["min_node_count"] or 0)
    most = change.get("max_node_count", group["max_node_count"])
    if outside := _outside(group["node_count"], least, most):
        possible = most is None or least <= most
        hint = (
            f"zerojhub cluster resize {current['name']} N --nodegroup {group['name']}" if possible else "--min, --max"
        )
        raise UserError(f"the group has {outside}" if possible else outside, hint=hint)
    patch: list[PatchOperation] = []
    if "min_node_count" in change:
        patch.append({"op": "replace", "path": "/min_node_count", "value": least})
    if "max_node_count" in change:
        removed: PatchOperation = {"op": "remove", "path": "/max_node_count"}
        patch.append({"op": "replace", "path": "/max_node_count", "value": most} if most is not None else removed)
    # Magnum reads them in texts.
    marks = {"node_labels": change.get("node_labels"), "node_taints": change.get("node_taints")}
    if magnum.marks_nodes(cloud):
        for key, value in marks.items():
            if value is not None:
                patch.append({"op": "replace", "path": f"/{key}", "value": repr(value)})
    elif group["role"] == "master" and marks.keys() & change.keys():
        raise UserError("masters have no labels and taints of their own")
    if patch:
        await magnum.update_nodegroup(cloud, current["uuid"], group["uuid"], patch)
        await lifecycle.wait_until_idle(cloud, current["uuid"], say, minutes=MINUTES)
    return await magnum.show_nodegroup(cloud, current["uuid"], group["uuid"])


async def removable(cloud: Cloud, cluster: str, wanted: str) -> NodeGroup:
    """The group of this name or UUID. UserError for the groups that the cluster was created with."""
    group = await get_one(cloud, cluster, wanted)
    if group["is_default"]:
        raise UserError(
            f"node group {group['name']} was created with the cluster and cannot be deleted",
            hint="resize it to fewer nodes",
        )
    return group


async def delete(cloud: Cloud, before: Cluster, group: NodeGroup, say: Say, *, wait: bool) -> None:
    """Delete a group of the cluster, with its nodes and whatever runs on them."""
    await magnum.delete_nodegroup(cloud, before["uuid"], group["uuid"])
    if wait:
        await lifecycle.wait_until_idle(cloud, before["uuid"], say, minutes=MINUTES, before=before)
