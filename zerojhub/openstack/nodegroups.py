"""Node groups (Magnum API reference, nodegroups): microversion 1.9, zero nodes 1.10. Found by listing, acted on by UUID."""

from __future__ import annotations

from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.openstack import clusters, magnum, names
from zerojhub.openstack.session import Cloud
from zerojhub.text import Say, nearest

MINUTES = 60
"""How long a change may take, as for a cluster."""


async def listed(cloud: Cloud, cluster: str) -> list[dict]:
    """The node groups of the cluster of this name or UUID, whole."""
    uuid = (await magnum.get_one(cloud, "clusters", cluster))["uuid"]
    return await of(cloud, uuid)


async def of(cloud: Cloud, uuid: str) -> list[dict]:
    """The node groups of the cluster of this UUID, which was looked up before. UserError for a Magnum without any."""
    magnum.require(cloud, 9, "node groups")
    groups = await cloud.container_infra.all(f"/clusters/{uuid}/nodegroups", "nodegroups")
    return [await cloud.container_infra.get(f"/clusters/{uuid}/nodegroups/{group['uuid']}") for group in groups]


async def workers_of(cloud: Cloud, cluster: dict) -> list[dict]:
    """The cluster's node groups; from a Magnum without any, its workers as the group that they would be."""
    if (cloud.container_infra.newest or (1, 9)) >= (1, 9):
        return await of(cloud, cluster["uuid"])
    workers = {key: cluster[key] for key in ("flavor_id", "node_count", "node_addresses")}
    bounds = {"min_node_count": 1, "max_node_count": None}  # none can be zero before microversion 1.10
    return [{"uuid": None, "name": "default-worker", "role": "worker", "is_default": True, **workers, **bounds}]


def choose(groups: list[dict], wanted: str) -> dict:
    """The group of this name or UUID. UserError naming the nearest."""
    found = [group for group in groups if wanted in (group["uuid"], group["name"])]
    if len(found) == 1:
        return found[0]
    known = [group["name"] for group in groups]
    meant = nearest(wanted, known)
    raise UserError(
        f"no node group named {wanted!r}",
        hint=f"did you mean {meant!r}?" if meant else f"there are: {', '.join(known)}",
    )


async def get_one(cloud: Cloud, cluster: str, wanted: str) -> dict:
    return choose(await listed(cloud, cluster), wanted)


async def create(cloud: Cloud, cluster: str, body: dict, say: Say, *, wait: bool) -> dict:
    """Add a group. Problems with its names, bounds and quota, before Magnum is asked."""
    there = await clusters.settled(cloud, cluster)
    groups = await of(cloud, there["uuid"])
    found: list[ZeroJHubError] = []
    if body["name"] in [group["name"] for group in groups]:
        found.append(UserError(f"cluster {there['name']} has a node group named {body['name']!r}"))
    least, most, count = body["min_node_count"], body.get("max_node_count"), body["node_count"]
    if most is not None and not least <= count <= most:
        found.append(UserError(f"{count} nodes are not between {least} and {most}", hint="--nodes, --min, --max"))
    for find, key in ((names.flavor, "flavor_id"), (names.image, "image_id")):
        try:
            if body.get(key):
                await find(cloud, body[key])
        except UserError as error:
            found.append(error)
    if not found:
        found += await clusters.room(cloud, {"flavor_id": body.get("flavor_id") or there["flavor_id"]}, 1, count)
    if found:
        raise Problems(found)
    made = await cloud.container_infra.post(f"/clusters/{there['uuid']}/nodegroups", body)
    if wait:
        await clusters.wait(cloud, there["uuid"], say, minutes=MINUTES, before=there)
    return made


async def update(cloud: Cloud, cluster: str, wanted: str, bounds: dict[str, int | None], say: Say) -> dict:
    """Set min_node_count and max_node_count; None takes one away."""
    if not bounds:
        raise UserError("nothing to change was given", hint="--min and --max")
    there = await clusters.settled(cloud, cluster)
    group = choose(await of(cloud, there["uuid"]), wanted)
    new = group | bounds
    if new["max_node_count"] is not None and not new["min_node_count"] <= group["node_count"] <= new["max_node_count"]:
        raise UserError(
            f"the group has {group['node_count']} nodes, which is not between {new['min_node_count']} and {new['max_node_count']}",
            hint=f"zerojhub cluster resize {there['name']} N --nodegroup {group['name']}",
        )
    patch = [
        {"op": "remove", "path": f"/{key}"} if value is None else {"op": "replace", "path": f"/{key}", "value": value}
        for key, value in bounds.items()
    ]
    path = f"/clusters/{there['uuid']}/nodegroups/{group['uuid']}"
    await cloud.container_infra.patch(path, patch)
    await clusters.wait(cloud, there["uuid"], say, minutes=MINUTES)
    return await cloud.container_infra.get(path)


async def removable(cloud: Cloud, cluster: str, wanted: str) -> dict:
    """The group of that name. UserError for the groups that the cluster began with."""
    group = await get_one(cloud, cluster, wanted)
    if group["is_default"]:
        raise UserError(
            f"node group {group['name']} is one that the cluster began with, and stays", hint="resize it to fewer nodes"
        )
    return group


async def delete(cloud: Cloud, there: dict, group: dict, say: Say, *, wait: bool) -> None:
    """Take a group of the cluster away, with its nodes as they are."""
    await cloud.container_infra.delete(f"/clusters/{there['uuid']}/nodegroups/{group['uuid']}")
    if wait:
        await clusters.wait(cloud, there["uuid"], say, minutes=MINUTES, before=there)
