"""More nodes, or fewer: workers are drained before they are removed, and nobody's server is stopped without asking.

Masters are left to the drivers of Cluster API, which know the order in which etcd's members come and go.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from zerojhub.cluster import Ask, Connect, lifecycle, marks, nodegroups
from zerojhub.errors import CloudError, Problems, UserError, ZeroJHubError
from zerojhub.hub.watch import Watch
from zerojhub.kube import drain, kinds
from zerojhub.kube.nodes import is_ready, server_id
from zerojhub.kube.reach import Reach
from zerojhub.kube.types import Node
from zerojhub.openstack import clusters, magnum, updates
from zerojhub.openstack.magnum import Cluster, NodeGroup, PatchOperation
from zerojhub.openstack.roads import is_cluster_api
from zerojhub.openstack.session import Cloud
from zerojhub.run import Run
from zerojhub.tasks import gather
from zerojhub.text import Say, plural

MINUTES = 60


async def resize(
    run: Run, connect: Connect, count: int, group_name: str | None, leaving: list[str], say: Say, ask: Ask
) -> Cluster:
    """Resize the node group (None: the default workers) to `count` nodes. Returns the cluster.

    Asked for its current size, Magnum finishes a resize that failed. `leaving`: the nodes to remove, by name or server UUID;
    when empty, those with the fewest users' servers.
    """
    cluster = await clusters.get_idle(run.cloud, run.deployment.cluster_name)
    magnum.require(run.cloud, 7, "resizing")
    if group_name:
        groups = await nodegroups.of(run.cloud, cluster["uuid"])
    else:
        groups = await nodegroups.workers_of(run.cloud, cluster)
    group = nodegroups.choose(groups, group_name) if group_name else workers(groups, None)
    if group["role"] == "master":
        return await _resize_masters(run.cloud, cluster, group, count, leaving, say, ask)
    check_bounds(run.cloud, group, count)
    fewer = group["node_count"] - count
    if fewer <= 0 and leaving:
        raise UserError(f"--nodes-to-remove names nodes, but {count} nodes are not fewer than {group['node_count']}")
    if fewer == 0 and not cluster["status"].endswith("FAILED"):
        return cluster
    if fewer < 0:
        await check_room(run.cloud, group, count)
    async with _drained(run.cloud, connect, cluster, group, fewer, leaving, say, ask) as servers:
        await magnum.resize_cluster(run.cloud, cluster["uuid"], count, nodegroup=group["uuid"], remove=servers)
        return await lifecycle.wait_until_idle(run.cloud, cluster["uuid"], say, minutes=MINUTES, before=cluster)


async def _resize_masters(
    cloud: Cloud, cluster: Cluster, group: NodeGroup, count: int, leaving: list[str], say: Say, ask: Ask
) -> Cluster:
    """Resize the group of masters. UserError with the reason where that is impossible."""
    before = group["node_count"]
    template = await magnum.get_template(cloud, cluster["cluster_template_id"])
    if template.get("driver") and not is_cluster_api(template):
        hint = f"create another cluster with --masters {count}, and bring the hub there: zerojhub move"
        raise UserError("Magnum's Heat drivers fix the number of masters when the cluster is created", hint=hint)
    if count % 2 == 0:
        hint = f"{max(count - 1, 1)} or {count + 1}: etcd's members decide by majority"
        raise UserError(f"the number of masters must be odd, not {count}", hint=hint)
    if leaving:
        raise UserError("--nodes-to-remove is for workers: the driver chooses the masters that leave")
    if count == before and not cluster["status"].endswith("FAILED"):
        return cluster
    if count > before:
        await check_room(cloud, group, count)
    else:
        ask(f"Remove {plural(before - count, 'master')} of cluster {cluster['name']}? Its API may fail meanwhile.")
    try:
        await magnum.resize_cluster(cloud, cluster["uuid"], count, nodegroup=group["uuid"], remove=[])
    except CloudError as error:
        if error.status == 400:
            raise UserError(f"Magnum does not resize these masters: {error.message}") from error
        raise
    after = await lifecycle.wait_until_idle(cloud, cluster["uuid"], say, minutes=MINUTES, before=cluster)
    if after["master_count"] != count:
        message = f"Magnum has finished, but cluster {cluster['name']} has {plural(after['master_count'], 'master')}"
        raise ZeroJHubError(message, hint=f"zerojhub cluster show {cluster['name']}")
    return after


async def update(
    run: Run, connect: Connect, patch: list[PatchOperation], say: Say, ask: Ask, *, rollback: bool = False
) -> Cluster:
    """Apply a patch of node_count or labels (`updates.patch`). Nodes are removed as `resize` removes them.

    `rollback`: if the change fails, have Magnum take it back. ZeroJHubError when it did, and UserError for what it refuses.
    """
    cluster = await clusters.get_idle(run.cloud, run.deployment.cluster_name)
    if updates.of_labels(patch):
        return await _change(run.cloud, cluster, patch, say, rollback=rollback)
    group = workers(await nodegroups.workers_of(run.cloud, cluster), None)
    count = int(patch[-1].get("value", 1))  # removing node_count resets it to 1
    if count <= group["node_count"]:
        if rollback and count < group["node_count"]:
            raise UserError("--rollback cannot bring back nodes that were removed", hint="leave it out")
        return await resize(run, connect, count, None, [], say, ask)
    check_bounds(run.cloud, group, count)
    await check_room(run.cloud, group, count)
    return await _change(run.cloud, cluster, patch, say, rollback=rollback)


async def _change(cloud: Cloud, before: Cluster, patch: list[PatchOperation], say: Say, *, rollback: bool) -> Cluster:
    """Have Magnum apply the patch, and return the cluster as it is then."""
    try:
        await magnum.update_cluster(cloud, before["uuid"], patch, rollback=rollback)
    except CloudError as error:
        if error.status == 400 and updates.of_labels(patch):
            raise UserError(
                f"this Magnum does not change labels: {error.message}", hint=updates.FIXED["labels"]
            ) from error
        raise
    cluster = await lifecycle.wait_until_idle(cloud, before["uuid"], say, minutes=MINUTES, before=before)
    if cluster["status"].startswith("ROLLBACK"):
        reason = cluster.get("status_reason") or "Magnum gives no reason"
        raise ZeroJHubError(
            f"the change of cluster {cluster['name']} failed and was taken back: {reason}",
            hint=f"it has {plural(cluster['node_count'], 'worker')} as before",
        )
    return cluster


async def remove_group(run: Run, connect: Connect, wanted: str, say: Say, ask: Ask, *, wait: bool) -> None:
    """Delete a node group after draining its nodes. UserError for the groups that the cluster was created with."""
    cluster = await clusters.get_idle(run.cloud, run.deployment.cluster_name)
    group = await nodegroups.removable(run.cloud, cluster["uuid"], wanted)
    async with _drained(run.cloud, connect, cluster, group, group["node_count"], [], say, ask):
        await nodegroups.delete(run.cloud, cluster, group, say, wait=wait)
    if not magnum.marks_nodes(run.cloud) or group.get("node_labels") or group.get("node_taints"):
        with suppress(ZeroJHubError):  # of a cluster that does not respond: its next group of the name is marked alike
            await marks.forget(await connect(), group["name"], say)


async def check_room(cloud: Cloud, group: NodeGroup, count: int) -> None:
    """Problems when the quotas do not allow `count` nodes in the group."""
    more = count - group["node_count"]
    like = nodegroups.fields_of(group.get("labels"), group.get("docker_volume_size"))
    if found := await clusters.lacking_for_nodes(cloud, like, group["flavor_id"], more):
        raise Problems(found)


def workers(groups: list[NodeGroup], wanted: str | None) -> NodeGroup:
    """The node group of that name, or the default workers. UserError for masters."""
    if wanted is None:
        return next(group for group in groups if group["is_default"] and group["role"] != "master")
    group = nodegroups.choose(groups, wanted)
    if group["role"] == "master":
        raise UserError(f"node group {group['name']} has the masters", hint="name a group of workers")
    return group


def check_bounds(cloud: Cloud, group: NodeGroup, count: int) -> None:
    """UserError when the group's own bounds do not allow `count` nodes."""
    least, most = group["min_node_count"] or 0, group["max_node_count"]
    if count < least or (most is not None and count > most):
        bounds = f"between {least} and {most}" if most is not None else f"{least} or more"
        changeable = (cloud.container_infra.max_microversion or (1, 9)) >= (1, 9)
        raise UserError(
            f"node group {group['name']} must have {bounds} nodes, not {count}",
            hint="zerojhub nodegroup update changes its bounds" if changeable else None,
        )


@asynccontextmanager
async def _drained(
    cloud: Cloud,
    connect: Connect,
    cluster: Cluster,
    group: NodeGroup,
    fewer: int,
    leaving: list[str],
    say: Say,
    ask: Ask,
) -> AsyncIterator[list[str]]:
    """Within: the nodes to remove are drained; yields their servers' UUIDs. If they are not removed, uncordon them."""
    if fewer <= 0:
        yield []
        return
    reach = await connect()
    chosen = await _choose(reach, group, fewer, leaving, ask)
    try:
        await _drain(reach, chosen, say)
        yield [server_id(node) for node in chosen]
    except ZeroJHubError as error:
        if names := await _uncordon(cloud, reach, cluster, chosen):
            uncordoned = f"{', '.join(names)} {'accepts' if len(names) == 1 else 'accept'} pods again"
            error.hint = f"{error.hint}; {uncordoned}" if error.hint else uncordoned
        raise


async def _uncordon(cloud: Cloud, reach: Reach, cluster: Cluster, chosen: list[Node]) -> list[str]:
    """Uncordon those nodes that still exist, and return their names; none while Magnum is changing the cluster."""
    now = await magnum.show_cluster(cloud, cluster["uuid"])
    if now is None or now["status"].endswith("IN_PROGRESS"):
        return []
    existing = {node["metadata"]["name"] for node in await reach.kube.list(kinds.NODE)}
    names = [node["metadata"]["name"] for node in chosen if node["metadata"]["name"] in existing]
    for name in names:
        await drain.cordon(reach.kube, name, on=False)
    return names


async def _choose(reach: Reach, group: NodeGroup, fewer: int, leaving: list[str], ask: Ask) -> list[Node]:
    """The nodes to remove, once the user has agreed to stop the servers on them."""
    addresses = set(group.get("node_addresses") or [])
    nodes = [node for node in await reach.kube.list(kinds.NODE) if addresses & set(_addresses(node))]
    users = {node["metadata"]["name"]: await drain.users_on(reach.kube, node["metadata"]["name"]) for node in nodes}
    if leaving:
        by_name = {name: node for node in nodes for name in (node["metadata"]["name"], server_id(node))}
        unknown = [name for name in leaving if name not in by_name]
        if unknown:
            raise UserError(f"no node of {group['name']} is {', '.join(unknown)}", hint=f"nodes: {', '.join(users)}")
        if len(leaving) != fewer:
            raise UserError(f"{len(leaving)} nodes are named for removal, but the new size removes {fewer}")
        chosen = [by_name[name] for name in leaving]
    else:
        chosen = sorted(nodes, key=lambda node: len(users[node["metadata"]["name"]]))[:fewer]
    names = [node["metadata"]["name"] for node in chosen]
    if affected := sorted({user for name in names for user in users[name]}):
        ask(f"The servers of {', '.join(affected)} on {', '.join(names)} will be stopped (files are kept). Continue?")
    return chosen


async def _drain(reach: Reach, nodes: list[Node], say: Say) -> None:
    # Pods never leave a node that is down.
    up = [node["metadata"]["name"] for node in nodes if is_ready(node)]
    watch = await Watch.of(reach)

    async def drained() -> None:
        await gather(*(drain.drain(reach.kube, name, say) for name in up))
        await watch.back()

    await watch.during(drained())


def _addresses(node: Node) -> list[str]:
    return [each["address"] for each in node["status"]["addresses"]]
