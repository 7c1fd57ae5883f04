"""Workshop 5."""

from __future__ import annotations

from zerojhub.kube import kinds
from zerojhub.workshops.base import NotDone, Workshop, exercise
from zerojhub.workshops.world import World

BOUNDS = (1, 3)
WORKERS = "!node-role.kubernetes.io/control-plane"


@exercise
async def enabled(world: World) -> None:
    """Autoscale the cluster between one and three workers."""
    from zerojhub.cluster import nodegroups

    if not await world.objects(kinds.DEPLOYMENT, "kube-system", labels="app=cluster-autoscaler"):
        raise NotDone("no autoscaler in the cluster")
    for group in await nodegroups.of(world.cloud, (await world.cluster())["uuid"]):
        found = (group["min_node_count"], group["max_node_count"])
        if group["is_default"] and group["role"] != "master" and found != BOUNDS:
            raise NotDone(f"{group['name']} scales from {found[0]} to {found[1] or 'any number of'} nodes")


@exercise
async def grown(world: World) -> None:
    """Run a job named crowd that does not fit on one worker."""
    jobs = [job for job in await world.objects(kinds.JOB, "default") if job["metadata"]["name"] == "crowd"]
    if not jobs or not jobs[0]["status"].get("succeeded"):
        raise NotDone("no completed job named crowd")
    if (jobs[0]["spec"].get("parallelism") or 1) < 2:
        raise NotDone("its pods run one at a time")


@exercise
async def matched(world: World) -> None:
    """Make every node's machine ID match its server's UUID."""
    from zerojhub.kube import nodes

    others = [each["metadata"]["name"] for each in await world.objects(kinds.NODE, None) if not nodes.matches(each)]
    if others:
        raise NotDone(f"not on {', '.join(sorted(others))}")


@exercise
async def protected(world: World) -> None:
    """Protect a worker from removal."""
    from zerojhub.kube import nodes

    workers = await world.objects(kinds.NODE, None, labels=WORKERS)
    if not any(nodes.is_protected(each) for each in workers):
        raise NotDone("no worker is protected")


class Autoscaling(Workshop):
    """Autoscaling."""

    number, slug, minutes = 5, "5-autoscaling", 60
    exercises = (enabled, grown, matched, protected)
