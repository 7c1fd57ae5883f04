"""Workshop 4."""

from __future__ import annotations

from zerojhub.kube import kinds
from zerojhub.kube.types import CronJob, Job
from zerojhub.workshops.base import NotDone, Workshop, exercise
from zerojhub.workshops.world import World

NAMESPACE = "default"
NIGHTLY = "30 2 * * *"


@exercise
async def pi(world: World) -> None:
    """Compute pi in a job named pi."""
    await _complete(world, "pi", 1)


@exercise
async def dice(world: World) -> None:
    """Roll a die six times, two at a time, in a job named dice."""
    job = await _complete(world, "dice", 6)
    if job["spec"].get("parallelism") != 2:
        raise NotDone(f"its parallelism is {job['spec'].get('parallelism')}")


@exercise
async def nightly(world: World) -> None:
    """Create a cron job named nightly that runs every night at 02:30."""
    found = (await _cron(world))["spec"]["schedule"]
    if found != NIGHTLY:
        raise NotDone(f"its schedule is {found}")


@exercise
async def rehearsed(world: World) -> None:
    """Run nightly once right now."""
    uid = (await _cron(world))["metadata"]["uid"]
    for job in await world.objects(kinds.JOB, NAMESPACE):
        owners = [owner["uid"] for owner in job["metadata"].get("ownerReferences", [])]
        if uid in owners and job["status"].get("succeeded"):
            return
    raise NotDone("none of its jobs is complete")


class Jobs(Workshop):
    """Jobs and cron jobs."""

    number, slug, minutes = 4, "4-jobs", 45
    exercises = (pi, dice, nightly, rehearsed)


async def _complete(world: World, name: str, completions: int) -> Job:
    """The job with that name, once that many of its pods have succeeded. NotDone otherwise."""
    found = [job for job in await world.objects(kinds.JOB, NAMESPACE) if job["metadata"]["name"] == name]
    if not found:
        raise NotDone(f"no job named {name}")
    if found[0]["status"].get("succeeded", 0) != completions:
        raise NotDone(f"{found[0]['status'].get('succeeded', 0)} of {completions} pods succeeded")
    return found[0]


async def _cron(world: World) -> CronJob:
    found = [cron for cron in await world.objects(kinds.CRON_JOB, NAMESPACE) if cron["metadata"]["name"] == "nightly"]
    if not found:
        raise NotDone("no cron job named nightly")
    return found[0]
