"""More workers, or fewer: those that go are emptied first, and nobody's server is stopped unasked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from zerojhub import journey
from zerojhub.errors import Problems, UserError
from zerojhub.kube import drain
from zerojhub.openstack import clusters, nodegroups
from zerojhub.stages import Access

if TYPE_CHECKING:
    from zerojhub.journey import Hub
    from zerojhub.openstack.clusters import Say

MINUTES = 60
MICROVERSION = "1.7"
"""Where resizing begins; with a node group it takes 1.9, and 1.10 for none left."""

Ask = Callable[[str], None]
"""Asks a person whether to go on, and raises when not."""


async def resize(hub: Hub, count: int, group_name: str | None, leaving: list[str], say: Say, ask: Ask) -> dict:
    """Bring the node group (the first worker group when None) to `count` nodes. Returns the cluster.

    `leaving`: the nodes to remove, by name or server UUID; the ones with fewest users' servers when empty.
    """
    cluster = await clusters.settled(hub.cloud, hub.deployment.cluster.name)
    groups = await nodegroups.of(hub.cloud, cluster["uuid"])
    group = nodegroups.choose(groups, group_name or "default-worker")
    fewer = group["node_count"] - count
    if fewer <= 0 and leaving:
        raise UserError(f"--nodes-to-remove names nodes, but {count} are not fewer than {group['node_count']}")
    if fewer < 0:
        wanted = {"flavor_id": group["flavor_id"], "master_lb_enabled": True}
        if found := await clusters.room(hub.cloud, wanted, 0, -fewer):
            raise Problems(found)
    if fewer == 0:
        return cluster
    servers = await _empty(hub, group, fewer, leaving, say, ask) if fewer > 0 else []
    body = {"node_count": count, "nodegroup": group["uuid"]} | ({"nodes_to_remove": servers} if servers else {})
    await hub.cloud.container_infra.post(f"/clusters/{cluster['uuid']}/actions/resize", body)
    return await clusters.wait(hub.cloud, cluster["uuid"], say, minutes=MINUTES)


async def _empty(hub: Hub, group: dict, fewer: int, leaving: list[str], say: Say, ask: Ask) -> list[str]:
    """Choose the nodes that go, ask about the users on them, drain them; their servers' UUIDs."""
    (reach,) = await journey.reach(hub, Access)
    nodes = [node for node in await reach.kube.list("v1/Node") if set(_addresses(node)) & set(group["node_addresses"])]
    users = {node["metadata"]["name"]: await drain.users_on(reach.kube, node["metadata"]["name"]) for node in nodes}
    if leaving:
        by_name = {name: node for node in nodes for name in (node["metadata"]["name"], drain.server_id(node))}
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
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(drain.drain, reach.kube, name, say)
    return [drain.server_id(node) for node in chosen]


def _addresses(node: dict) -> list[str]:
    return [each["address"] for each in node["status"]["addresses"]]
