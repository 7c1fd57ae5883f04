"""Node groups of a cluster: since microversion 1.9, empty ones since 1.10."""

from __future__ import annotations

from collections.abc import Sequence

from zerojhub.cluster import lifecycle
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.openstack import clusters, magnum, names
from zerojhub.openstack.magnum import Bounds, Cluster, NodeGroup, NodeGroupName, NodeGroupRequest, PatchOperation
from zerojhub.openstack.session import Cloud
from zerojhub.text import Say

MINUTES = 60
"""How long a change may take, as for a cluster."""


async def listed(cloud: Cloud, cluster: str) -> list[NodeGroup]:
    """The node groups of the cluster of this name or UUID, with their addresses."""
    uuid = (await magnum.get_cluster(cloud, cluster))["uuid"]
    return await of(cloud, uuid)


async def of(cloud: Cloud, uuid: str) -> list[NodeGroup]:
    """The node groups, with their addresses, of the cluster of this UUID, which was looked up before.

    UserError when Magnum is too old to have any.
    """
    magnum.require(cloud, 9, "node groups")
    return [await magnum.show_nodegroup(cloud, uuid, group["uuid"]) for group in await magnum.nodegroups(cloud, uuid)]


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


def request(
    name: str, *, nodes: int, least: int, most: int | None, flavor: str | None, image: str | None, role: str
) -> NodeGroupRequest:
    """The body that creates a node group; the cluster's flavor and image apply when they are None."""
    body: NodeGroupRequest = {"name": name, "node_count": nodes, "min_node_count": least, "role": role}
    if most is not None:
        body["max_node_count"] = most
    if flavor:
        body["flavor_id"] = flavor
    if image:
        body["image_id"] = image
    return body


def bounds(least: int | None, most: int | None) -> Bounds:
    """New bounds; None leaves one unchanged."""
    changed: Bounds = {}
    if least is not None:
        changed["min_node_count"] = least
    if most is not None:
        changed["max_node_count"] = most
    return changed


async def create(cloud: Cloud, cluster: str, body: NodeGroupRequest, say: Say, *, wait: bool) -> NodeGroupName:
    """Add a group. Problems with its names, bounds and quota, before Magnum is asked."""
    before = await clusters.get_idle(cloud, cluster)
    groups = await of(cloud, before["uuid"])
    found: list[ZeroJHubError] = []
    if body["name"] in [group["name"] for group in groups]:
        found.append(UserError(f"cluster {before['name']} has a node group named {body['name']!r}"))
    least, most, count = body["min_node_count"], body.get("max_node_count"), body["node_count"]
    if most is not None and not least <= count <= most:
        found.append(UserError(f"{count} nodes are not between {least} and {most}", hint="--nodes, --min, --max"))
    for find, wanted in ((names.flavor, body.get("flavor_id")), (names.image, body.get("image_id"))):
        try:
            if wanted:
                await find(cloud, wanted)
        except UserError as error:
            found.append(error)
    if not found:
        found += await clusters.capacity_problems(
            cloud, {"flavor_id": body.get("flavor_id") or before["flavor_id"]}, 1, count
        )
    if found:
        raise Problems(found)
    created = await magnum.create_nodegroup(cloud, before["uuid"], body)
    if wait:
        await lifecycle.wait_until_idle(cloud, before["uuid"], say, minutes=MINUTES, before=before)
    return created


async def update(cloud: Cloud, cluster: str, wanted: str, bounds: Bounds, say: Say) -> NodeGroup:
    """Set the group's bounds. UserError when it has fewer or more nodes than they allow."""
    if not bounds:
        raise UserError("nothing to change was given", hint="--min and --max")
    current = await clusters.get_idle(cloud, cluster)
    group = choose(await of(cloud, current["uuid"]), wanted)
    least = bounds.get("min_node_count", group["min_node_count"] or 0)
    most = bounds.get("max_node_count", group["max_node_count"])
    if most is not None and not least <= group["node_count"] <= most:
        raise UserError(
            f"the group has {group['node_count']} nodes, which is not between {least} and {most}",
            hint=f"zerojhub cluster resize {current['name']} N --nodegroup {group['name']}",
        )
    patch: list[PatchOperation] = []
    if "min_node_count" in bounds:
        patch.append({"op": "replace", "path": "/min_node_count", "value": least})
    if "max_node_count" in bounds:
        removed: PatchOperation = {"op": "remove", "path": "/max_node_count"}
        patch.append({"op": "replace", "path": "/max_node_count", "value": most} if most is not None else removed)
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
