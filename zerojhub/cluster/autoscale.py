"""Autoscaling of an existing cluster: an autoscaler in it, or the node group's bounds for one outside.

With Magnum's Heat drivers the cluster-autoscaler runs in the cluster, with the cluster's own credential. Cluster API
drivers run one outside, for clusters that were created with the label auto_scaling_enabled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from zerojhub.cluster import Connect, credentials, nodegroups, resize
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import autoscaler, explain, kinds, nodes
from zerojhub.kube.client import KubeError
from zerojhub.kube.reach import Reach
from zerojhub.openstack import clusters, magnum
from zerojhub.openstack.magnum import Cluster, NodeGroup
from zerojhub.openstack.session import Cloud
from zerojhub.run import Run
from zerojhub.text import Say, plural
from zerojhub.waiting import NotYet, TimedOut, wait_until

Bounds = tuple[int, int]
"""The fewest and the most nodes of a group."""
START_TIMEOUT = 180
"""Seconds for the autoscaler to start."""


async def enable(
    run: Run, connect: Connect, bounds: Bounds, wanted: str | None, times: Mapping[str, str], say: Say
) -> NodeGroup:
    """Scale the node group (None: the default workers) between the bounds, or change its bounds. Returns the node group.

    `times`: durations to change, by their names in autoscaler.Settings. UserError for bounds that exclude its current size.
    """
    cluster = await clusters.get_idle(run.cloud, run.deployment.cluster_name)
    return await scale(run.cloud, cluster, await connect(), bounds, wanted, times, say=say)


async def scale(
    cloud: Cloud,
    cluster: Cluster,
    reach: Reach,
    bounds: Bounds,
    wanted: str | None = None,
    times: Mapping[str, str] | None = None,
    *,
    say: Say,
) -> NodeGroup:
    """As `enable`, for a cluster that is connected."""
    group = resize.workers(await nodegroups.of(cloud, cluster["uuid"]), wanted)
    if runs_outside(reach):
        require_outside_autoscaler(cluster, times or {})
        return await set_bounds(cloud, cluster, group, bounds, say)
    if not bounds[0] <= group["node_count"] <= bounds[1]:
        raise outside_of(cluster, group, bounds)
    settings = await settings_in(reach)
    image = settings.image
    if not autoscaler.suits(image, reach.version):
        image = autoscaler.image_for(reach.version)
    settings = replace(settings, groups=settings.groups | {group["name"]: bounds}, image=image, **(times or {}))
    say("reading the cluster's credential from the master")
    files = autoscaler.cloud_config(*await own_credential(reach))
    # Magnum refuses sizes outside its own bounds, whoever requests them.
    group = await set_bounds(cloud, cluster, group, bounds, say)
    for manifest in autoscaler.manifests(cluster["uuid"], settings, files):
        await reach.kube.apply(manifest)
    await wait_until_ready(reach, say)
    return group


def runs_outside(reach: Reach) -> bool:
    """Whether the cluster's autoscaler runs outside it, as with Cluster API drivers."""
    return reach.road == "api"


async def current(cloud: Cloud, cluster: Cluster, reach: Reach) -> Bounds | None:
    """The bounds of the default workers; None when they are not autoscaled."""
    group = resize.workers(await nodegroups.of(cloud, cluster["uuid"]), None)
    return bounds_of(group, cluster, None if runs_outside(reach) else await settings_in(reach))


async def settings_in(reach: Reach) -> autoscaler.Settings:
    """The settings of the autoscaler in the cluster; without one, settings that scale no node group."""
    deployment = await reach.kube.get(kinds.DEPLOYMENT, autoscaler.NAME, autoscaler.NAMESPACE)
    return autoscaler.Settings.of(deployment) if deployment else autoscaler.Settings()


def bounds_of(group: NodeGroup, cluster: Cluster, settings: autoscaler.Settings | None) -> Bounds | None:
    """The node group's bounds by the autoscaler's settings (None: one outside). None when it is not autoscaled."""
    if settings is not None:
        return settings.groups.get(group["name"]) or settings.groups.get(group["uuid"])
    if not clusters.autoscaled(cluster):
        return None
    least = group["min_node_count"] or 0
    # Without an upper bound, magnum-cluster-api uses the label, or one more node.
    label = cluster["labels"].get("max_node_count", "")
    return least, group["max_node_count"] or (int(label) if label.isdecimal() else least + 1)


def require_outside_autoscaler(cluster: Cluster, times: Mapping[str, str]) -> None:
    """UserError for what cannot be done where the autoscaler runs outside the cluster."""
    if not clusters.autoscaled(cluster):
        raise UserError(
            f"cluster {cluster['name']} was created without the label auto_scaling_enabled, which cannot be added later",
            hint="create one with it (cluster create --labels auto_scaling_enabled=true, or autoscale: in hub.yaml)",
        )
    if times:
        raise UserError("the autoscaler runs outside this cluster: its operators choose the times")


async def set_bounds(cloud: Cloud, cluster: Cluster, group: NodeGroup, bounds: Bounds, say: Say) -> NodeGroup:
    """The node group with these bounds. UserError when they exclude its current size."""
    if (group["min_node_count"], group["max_node_count"]) == bounds:
        return group
    if not bounds[0] <= group["node_count"] <= bounds[1]:
        raise outside_of(cluster, group, bounds)
    say(f"setting the bounds of {group['name']}")
    wanted: magnum.NodeGroupChange = {"min_node_count": bounds[0], "max_node_count": bounds[1]}
    return await nodegroups.update(cloud, cluster["uuid"], group["uuid"], wanted, say)


def outside_of(cluster: Cluster, group: NodeGroup, bounds: Bounds) -> UserError:
    name, size = group["name"], group["node_count"]
    closest = min(max(size, bounds[0]), bounds[1])
    return UserError(
        f"node group {name} has {plural(size, 'node')}, which is not between {bounds[0]} and {bounds[1]}",
        hint=f"first: zerojhub cluster resize {cluster['name']} {closest} --nodegroup {name}",
    )


async def own_credential(reach: Reach) -> tuple[dict[str, str], str | None]:
    """The settings of the master's cloud-config, and the CA certificates that it names, if it names any."""
    settings = (await credentials.held(reach)).settings
    ca = None
    if settings.get("ca-file"):
        answer = await reach.machine.run(["cat", settings["ca-file"]], sudo=True, check=False, repeatable=True)
        ca = answer.stdout.decode() if answer.code == 0 else None
    return settings, ca


async def wait_until_ready(reach: Reach, say: Say) -> None:
    """Wait until the autoscaler runs. ZeroJHubError with Kubernetes' reason when it does not."""

    async def ready() -> NotYet | None:
        deployment = await reach.kube.get(kinds.DEPLOYMENT, autoscaler.NAME, autoscaler.NAMESPACE)
        if deployment and explain.is_available(deployment):
            return None
        troubles = await explain.why_not_ready(reach.kube, autoscaler.NAMESPACE, f"app={autoscaler.NAME}")
        return NotYet(str(troubles[0]) if troubles else "starting the autoscaler")

    try:
        await wait_until(ready, timeout=START_TIMEOUT, pause=(1, 1), say=lambda why: say(why.partition("\n")[0]))
    except TimedOut as late:
        raise ZeroJHubError(f"the autoscaler does not run: {late.reason}") from None


async def disable(run: Run, connect: Connect, wanted: str | None, say: Say) -> list[str]:
    """Leave the node group (None: every autoscaled one) at its current size. Returns the names of the groups."""
    cluster = await clusters.get_idle(run.cloud, run.deployment.cluster_name)
    reach = await connect()
    groups = await nodegroups.of(run.cloud, cluster["uuid"])
    if runs_outside(reach):
        require_outside_autoscaler(cluster, {})
        chosen = [resize.workers(groups, wanted)] if wanted else [each for each in groups if each["role"] != "master"]
        for group in chosen:
            await set_bounds(run.cloud, cluster, group, (group["node_count"], group["node_count"]), say)
        return [group["name"] for group in chosen]
    settings = await settings_in(reach)
    if wanted and wanted not in settings.groups:
        names = ", ".join(settings.groups) or "none"
        raise UserError(f"node group {wanted!r} is not autoscaled", hint=f"autoscaled node groups: {names}")
    disabled = [wanted] if wanted else list(settings.groups)
    left = {name: bounds for name, bounds in settings.groups.items() if name not in disabled}
    if left:
        files = autoscaler.cloud_config(*await own_credential(reach))
        for manifest in autoscaler.manifests(cluster["uuid"], replace(settings, groups=left), files):
            await reach.kube.apply(manifest)
    else:
        for kind, name, namespace in autoscaler.OBJECTS:
            await reach.kube.delete(kind, name, namespace)
    for group in groups:
        if group["name"] in disabled and group["max_node_count"] is not None:
            # Or else nobody could resize it beyond the autoscaler's bounds.
            unbounded: magnum.NodeGroupChange = {"min_node_count": 0, "max_node_count": None}
            await nodegroups.update(run.cloud, cluster["uuid"], group["uuid"], unbounded, say)
    return disabled


async def logs(reach: Reach, lines: int) -> str:
    """The last lines of the autoscaler's log. UserError where it runs outside the cluster."""
    if runs_outside(reach):
        raise UserError(
            "the autoscaler runs outside this cluster: only the cloud's operators can read its log",
            hint="zerojhub autoscale status",
        )
    pods = await reach.kube.list(kinds.POD, autoscaler.NAMESPACE, labels=f"app={autoscaler.NAME}")
    if not pods:
        raise ZeroJHubError("no autoscaler runs in this cluster", hint="zerojhub autoscale enable")
    newest = max(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])["metadata"]["name"]
    try:
        return await reach.kube.logs(autoscaler.NAMESPACE, newest, lines=lines)
    except KubeError as error:
        raise ZeroJHubError(f"pod {newest} has no log yet: {error.message}") from None


async def protect(reach: Reach, name: str, *, on: bool) -> None:
    """Stop the autoscaler from removing the node, or allow it again. UserError for an unknown node."""
    await nodes.protect(reach.kube, name, on=on)
