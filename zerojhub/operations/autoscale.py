"""Autoscaling of a cluster that is there: by the autoscaler in it, or the node group's bounds that one outside keeps to.

On Magnum's Heat drivers the cluster-autoscaler runs in the cluster, with the cluster's own credential. Cluster API drivers
run one outside of it, for clusters that were made with the label auto_scaling_enabled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from zerojhub import journey
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import autoscaler, explain, nodes
from zerojhub.kube.client import KubeError
from zerojhub.openstack import clusters, nodegroups
from zerojhub.openstack.roads import road_of
from zerojhub.operations import credentials, resize
from zerojhub.stages import Access, Cluster, Template
from zerojhub.stages.cluster import autoscaled
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.journey import Hub
    from zerojhub.kube.reach import Reach
    from zerojhub.openstack.clusters import Say

DEPLOYMENT = ("apps/v1/Deployment", autoscaler.NAME, autoscaler.NAMESPACE)
PATIENCE = 180
"""Seconds for the autoscaler to come up."""


async def enable(hub: Hub, bounds: tuple[int, int], wanted: str | None, times: dict[str, str], say: Say) -> dict:
    """Have the node group (the first workers when None) scaled between the bounds. Returns the node group.

    `times`: Settings' names -> durations, of what is to change. Called again, it changes what is there.
    """
    cluster = await clusters.settled(hub.cloud, hub.deployment.cluster.name)
    await journey.reach(hub, Access)
    return await scale(hub, cluster, bounds, wanted, times, say)


async def scale(
    hub: Hub, cluster: dict, bounds: tuple[int, int], wanted: str | None, times: dict[str, str], say: Say
) -> dict:
    """The same on a cluster that has been reached."""
    group, reach = resize.workers(await nodegroups.of(hub.cloud, cluster["uuid"]), wanted), hub[Access]
    if runs_outside(hub):
        check_outside(cluster, times)
        return await set_bounds(hub, cluster, group, bounds, say)
    least, most = bounds
    if not least <= group["node_count"] <= most:
        raise outside_of(cluster, group, bounds)
    settings = await settings_in(reach)
    kept = autoscaler.suits(settings.image, reach.version)
    image = settings.image if kept else autoscaler.image_for(reach.version)
    settings = replace(settings, groups=settings.groups | {group["name"]: bounds}, image=image, **times)
    say("reading the cluster's credential from the master")
    files = autoscaler.cloud_config(*await own_credential(reach))
    # Magnum refuses sizes that its own bounds do not allow, whoever asks.
    group = await set_bounds(hub, cluster, group, bounds, say)
    for manifest in autoscaler.manifests(cluster["uuid"], settings, files):
        await reach.kube.apply(manifest)
    await ready(reach, say)
    return group


def runs_outside(hub: Hub) -> bool:
    """Is the autoscaler of the cluster (which has been reached) none of the cluster's own?"""
    return road_of(hub.deployment, hub[Template]) == "api"


async def current(hub: Hub) -> tuple[int, int] | None:
    """The bounds of the first workers of the cluster, which has been reached; None when they are not scaled."""
    group = resize.workers(await nodegroups.of(hub.cloud, hub[Cluster]["uuid"]), None)
    return bounds_of(group, hub[Cluster], None if runs_outside(hub) else await settings_in(hub[Access]))


async def settings_in(reach: Reach) -> autoscaler.Settings:
    """What the autoscaler in the cluster was told; that of no node group, when there is none."""
    there = await reach.kube.get(*DEPLOYMENT)
    return autoscaler.Settings.of(there) if there else autoscaler.Settings()


def bounds_of(group: dict, cluster: dict, settings: autoscaler.Settings | None) -> tuple[int, int] | None:
    """The node group's bounds as the autoscaler (with no settings: the one outside) has them; None when left alone."""
    if settings is not None:
        return settings.groups.get(group["name"]) or settings.groups.get(group["uuid"])
    if not autoscaled(cluster):
        return None
    least = group["min_node_count"] or 0
    # Without a bound of its own, what magnum-cluster-api takes.
    return least, group["max_node_count"] or int(cluster["labels"].get("max_node_count") or least + 1)


def check_outside(cluster: dict, times: dict[str, str]) -> None:
    """UserError for what an autoscaler outside of the cluster cannot be told."""
    if not autoscaled(cluster):
        raise UserError(
            f"cluster {cluster['name']} was made without the label auto_scaling_enabled, and its driver changes no label",
            hint="make a cluster with `autoscale:` in hub.yaml, or resize this one by hand",
        )
    if times:
        raise UserError("the autoscaler of this cluster runs outside of it: its times are the cloud's to choose")


async def set_bounds(hub: Hub, cluster: dict, group: dict, bounds: tuple[int, int], say: Say) -> dict:
    """The node group with these bounds."""
    if (group["min_node_count"], group["max_node_count"]) == bounds:
        return group
    if not bounds[0] <= group["node_count"] <= bounds[1]:
        raise outside_of(cluster, group, bounds)
    say(f"setting the bounds of {group['name']}")
    wanted = {"min_node_count": bounds[0], "max_node_count": bounds[1]}
    return await nodegroups.update(hub.cloud, cluster["uuid"], group["uuid"], wanted, say)


def outside_of(cluster: dict, group: dict, bounds: tuple[int, int]) -> UserError:
    name, size = group["name"], group["node_count"]
    nearest = min(max(size, bounds[0]), bounds[1])
    return UserError(
        f"node group {name} has {plural(size, 'node')}, and is to have between {bounds[0]} and {bounds[1]}",
        hint=f"first: zerojhub cluster resize {cluster['name']} {nearest} --nodegroup {name}",
    )


async def own_credential(reach: Reach) -> tuple[dict[str, str], str | None]:
    """The settings of the master's cloud-config, and the certificates that it names, where they are."""
    settings = (await credentials.held(reach)).settings
    ca = None
    if settings.get("ca-file"):
        answer = await reach.machine.run(["cat", settings["ca-file"]], sudo=True, check=False)
        ca = answer.stdout.decode() if answer.code == 0 else None
    return settings, ca


async def ready(reach: Reach, say: Say) -> None:
    """Wait until the autoscaler runs. ZeroJHubError with the reason when it does not."""
    with anyio.move_on_after(PATIENCE):
        while not explain.is_available(await reach.kube.get(*DEPLOYMENT)):
            troubles = await explain.why_not_ready(reach.kube, autoscaler.NAMESPACE, f"app={autoscaler.NAME}")
            say(str(troubles[0]).partition("\n")[0] if troubles else "starting the autoscaler")
            await anyio.sleep(1)
        return
    troubles = await explain.why_not_ready(reach.kube, autoscaler.NAMESPACE, f"app={autoscaler.NAME}")
    raise ZeroJHubError(f"the autoscaler does not run: {troubles[0] if troubles else 'Kubernetes gives no reason'}")


async def disable(hub: Hub, wanted: str | None, say: Say) -> dict:
    """Leave the node group (all of them when None) at the size that it has. Returns {"disabled": [names]}."""
    cluster = await clusters.settled(hub.cloud, hub.deployment.cluster.name)
    (reach,) = await journey.reach(hub, Access)
    groups = await nodegroups.of(hub.cloud, cluster["uuid"])
    if runs_outside(hub):
        check_outside(cluster, {})
        chosen = [resize.workers(groups, wanted)] if wanted else [each for each in groups if each["role"] != "master"]
        for group in chosen:
            await set_bounds(hub, cluster, group, (group["node_count"], group["node_count"]), say)
        return {"disabled": [group["name"] for group in chosen]}
    settings = await settings_in(reach)
    if wanted and wanted not in settings.groups:
        names = ", ".join(settings.groups) or "none"
        raise UserError(f"node group {wanted!r} is not scaled by itself", hint=f"those that are: {names}")
    gone = [wanted] if wanted else list(settings.groups)
    left = {name: bounds for name, bounds in settings.groups.items() if name not in gone}
    if left:
        files = autoscaler.cloud_config(*await own_credential(reach))
        for manifest in autoscaler.manifests(cluster["uuid"], replace(settings, groups=left), files):
            await reach.kube.apply(manifest)
    else:
        for kind, name, namespace in autoscaler.OBJECTS:
            await reach.kube.delete(kind, name, namespace)
    for group in groups:
        if group["name"] in gone and group["max_node_count"] is not None:
            # Or else a person could not give it the size that the autoscaler was not to give it.
            free = {"min_node_count": 0, "max_node_count": None}
            await nodegroups.update(hub.cloud, cluster["uuid"], group["uuid"], free, say)
    return {"disabled": gone}


async def logs(hub: Hub, lines: int) -> str:
    """The end of the autoscaler's log. UserError where it runs outside of the cluster."""
    (reach,) = await journey.reach(hub, Access)
    if runs_outside(hub):
        raise UserError(
            "the autoscaler of this cluster runs outside of it, where the cloud's operators alone see its log",
            hint="zerojhub autoscale status",
        )
    pods = await reach.kube.list("v1/Pod", autoscaler.NAMESPACE, labels=f"app={autoscaler.NAME}")
    if not pods:
        raise ZeroJHubError("no autoscaler runs in this cluster", hint="zerojhub autoscale enable")
    newest = max(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])["metadata"]["name"]
    try:
        return await reach.kube.logs(autoscaler.NAMESPACE, newest, lines=lines)
    except KubeError as error:
        raise ZeroJHubError(f"pod {newest} has no log yet: {error.message}") from None


async def protect(hub: Hub, name: str, *, on: bool) -> dict:
    """Keep the autoscaler from removing the node, or let it. UserError for a node that is not there."""
    (reach,) = await journey.reach(hub, Access)
    listed = {node["metadata"]["name"]: node for node in await reach.kube.list("v1/Node")}
    if name not in listed:
        raise UserError(f"no node named {name!r}", hint=f"there are: {', '.join(listed)}")
    await nodes.protect(reach.kube, name, on=on)
    return {"node": name, "protected": on}
