"""More workers, or fewer: those that go are emptied first, and nobody's server is stopped unasked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from zerojhub import journey
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.hub.watch import Watch
from zerojhub.kube import drain
from zerojhub.kube.nodes import is_ready, server_id
from zerojhub.openstack import clusters, magnum, nodegroups
from zerojhub.stages import Access
from zerojhub.tasks import gather

if TYPE_CHECKING:
    from zerojhub.journey import Hub
    from zerojhub.kube.reach import Reach
    from zerojhub.openstack.clusters import Say

MINUTES = 60
Ask = Callable[[str], None]
"""Asks a person whether to go on, and raises when not."""


async def resize(hub: Hub, count: int, group_name: str | None, leaving: list[str], say: Say, ask: Ask) -> dict:
    """Bring the node group (the first worker group when None) to `count` nodes. Returns the cluster.

    Asked for the size that it has, Magnum finishes a change of it that failed.

    `leaving`: the nodes to remove, by name or server UUID; the ones with fewest users' servers when empty.
    """
    cluster = await clusters.settled(hub.cloud, hub.deployment.cluster.name)
    magnum.require(hub.cloud, 7, "resizing")
    there = nodegroups.of(hub.cloud, cluster["uuid"]) if group_name else nodegroups.workers_of(hub.cloud, cluster)
    group = workers(await there, group_name)
    check_bounds(group, count)
    fewer = group["node_count"] - count
    if fewer <= 0 and leaving:
        raise UserError(f"--nodes-to-remove names nodes, but {count} are not fewer than {group['node_count']}")
    if fewer == 0 and not cluster["status"].endswith("FAILED"):
        return cluster
    if fewer < 0:
        await check_room(hub, group, count)
    async with _emptied(hub, cluster, group, fewer, leaving, say, ask) as servers:
        optional = {"nodegroup": group["uuid"], "nodes_to_remove": servers}
        body = {"node_count": count} | {key: value for key, value in optional.items() if value}
        await hub.cloud.container_infra.post(f"/clusters/{cluster['uuid']}/actions/resize", body)
        return await clusters.wait(hub.cloud, cluster["uuid"], say, minutes=MINUTES, before=cluster)


async def update(hub: Hub, patch: list[dict], say: Say, ask: Ask) -> dict:
    """Apply a patch of node_count (`updates.patch`). Fewer workers go as `resize` has them go."""
    cluster = await clusters.settled(hub.cloud, hub.deployment.cluster.name)
    group = workers(await nodegroups.workers_of(hub.cloud, cluster), None)
    count = patch[-1].get("value", 1)  # what removing node_count comes to
    if count <= group["node_count"]:
        return await resize(hub, count, None, [], say, ask)
    check_bounds(group, count)
    await check_room(hub, group, count)
    await hub.cloud.container_infra.patch(f"/clusters/{cluster['uuid']}", patch)
    return await clusters.wait(hub.cloud, cluster["uuid"], say, minutes=MINUTES, before=cluster)


async def remove_group(hub: Hub, wanted: str, say: Say, ask: Ask, *, wait: bool) -> None:
    """Take a node group away, its nodes emptied first. UserError for the groups that the cluster began with."""
    cluster = await clusters.settled(hub.cloud, hub.deployment.cluster.name)
    group = await nodegroups.removable(hub.cloud, cluster["uuid"], wanted)
    async with _emptied(hub, cluster, group, group["node_count"], [], say, ask):
        await nodegroups.delete(hub.cloud, cluster, group, say, wait=wait)


async def check_room(hub: Hub, group: dict, count: int) -> None:
    """Problems when the quotas do not allow `count` nodes in the group."""
    more = count - group["node_count"]
    if found := await clusters.room(hub.cloud, {"flavor_id": group["flavor_id"]}, 0, more):
        raise Problems(found)


def workers(groups: list[dict], wanted: str | None) -> dict:
    """The node group of that name, or the workers that the cluster began with. UserError for masters."""
    if wanted is None:
        return next(group for group in groups if group["is_default"] and group["role"] != "master")
    group = nodegroups.choose(groups, wanted)
    if group["role"] == "master":
        raise UserError(f"{group['name']} are the masters: their number is fixed when the cluster is made")
    return group


def check_bounds(group: dict, count: int) -> None:
    """UserError when the group's own bounds do not allow `count` nodes."""
    least, most = group["min_node_count"] or 0, group["max_node_count"]
    if count < least or (most is not None and count > most):
        bounds = f"between {least} and {most}" if most is not None else f"{least} or more"
        raise UserError(
            f"node group {group['name']} is to have {bounds} nodes, not {count}",
            hint="zerojhub nodegroup update changes its bounds",
        )


@asynccontextmanager
async def _emptied(
    hub: Hub, cluster: dict, group: dict, fewer: int, leaving: list[str], say: Say, ask: Ask
) -> AsyncIterator[list[str]]:
    """Within: the nodes that go are empty; yields their servers' UUIDs. When they do not go after all, they take pods again."""
    if fewer <= 0:
        yield []
        return
    (reach,) = await journey.reach(hub, Access)
    chosen = await _choose(reach, group, fewer, leaving, ask)
    try:
        await _drain(reach, chosen, say)
        yield [server_id(node) for node in chosen]
    except ZeroJHubError as error:
        if there := await _take_back(hub, reach, cluster, chosen):
            again = f"{', '.join(there)} {'takes' if len(there) == 1 else 'take'} pods again"
            error.hint = f"{error.hint}; {again}" if error.hint else again
        raise


async def _take_back(hub: Hub, reach: Reach, cluster: dict, nodes: list[dict]) -> list[str]:
    """The names of the nodes that are there still, uncordoned; none while Magnum is at work on them."""
    now = await hub.cloud.container_infra.find(f"/clusters/{cluster['uuid']}")
    if now is None or now["status"].endswith("IN_PROGRESS"):
        return []
    there = {node["metadata"]["name"] for node in await reach.kube.list("v1/Node")}
    names = [node["metadata"]["name"] for node in nodes if node["metadata"]["name"] in there]
    for name in names:
        await drain.cordon(reach.kube, name, on=False)
    return names


async def _choose(reach: Reach, group: dict, fewer: int, leaving: list[str], ask: Ask) -> list[dict]:
    """The nodes that go; a person was asked about the users on them."""
    nodes = [node for node in await reach.kube.list("v1/Node") if set(_addresses(node)) & set(group["node_addresses"])]
    users = {node["metadata"]["name"]: await drain.users_on(reach.kube, node["metadata"]["name"]) for node in nodes}
    if leaving:
        by_name = {name: node for node in nodes for name in (node["metadata"]["name"], server_id(node))}
        unknown = [name for name in leaving if name not in by_name]
        if unknown:
            raise UserError(
                f"no node of {group['name']} is {', '.join(unknown)}", hint=f"there are: {', '.join(users)}"
            )
        if len(leaving) != fewer:
            raise UserError(f"{len(leaving)} nodes are named to be removed, and {fewer} fewer are asked for")
        chosen = [by_name[name] for name in leaving]
    else:
        chosen = sorted(nodes, key=lambda node: len(users[node["metadata"]["name"]]))[:fewer]
    names = [node["metadata"]["name"] for node in chosen]
    if affected := sorted({user for name in names for user in users[name]}):
        ask(
            f"The servers of {', '.join(affected)} run on {', '.join(names)} and will be stopped (files are kept). Go on?"
        )
    return chosen


async def _drain(reach: Reach, nodes: list[dict], say: Say) -> None:
    # The pods of a node that is down never leave it.
    up = [node["metadata"]["name"] for node in nodes if is_ready(node)]
    watch = await Watch.of(reach)

    async def drained() -> None:
        await gather(*(drain.drain(reach.kube, name, say) for name in up))
        await watch.back()

    await watch.during(drained())


def _addresses(node: dict) -> list[str]:
    return [each["address"] for each in node["status"]["addresses"]]
