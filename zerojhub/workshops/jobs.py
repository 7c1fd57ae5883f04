"""Workshop 4."""

from __future__ import annotations

from zerojhub.workshops.base import NotYet, Workshop, exercise
from zerojhub.workshops.world import World

NAMESPACE = "default"
NIGHTLY = "30 2 * * *"


@exercise
async def pi(world: World) -> None:
    """Compute pi in a job named pi."""
    await _complete(world, "pi", 1)


@exercise
async def dice(world: World) -> None:
    """Throw dice six times, two at once, in a job named dice."""
    job = await _complete(world, "dice", 6)
    if job["spec"].get("parallelism") != 2:
        raise NotYet(f"{job['spec'].get('parallelism')} of its pods run at once")


@exercise
async def nightly(world: World) -> None:
    """Have a cron job named nightly run every night at half past two."""
    found = (await _cron(world))["spec"]["schedule"]
    if found != NIGHTLY:
        raise NotYet(f"its schedule is {found}")


@exercise
async def rehearsed(world: World) -> None:
    """Run nightly once now, without waiting for the night."""
    uid = (await _cron(world))["metadata"]["uid"]
    for job in await world.list("batch/v1/Job", NAMESPACE):
        owners = [owner["uid"] for owner in job["metadata"].get("ownerReferences", [])]
        if uid in owners and job["status"].get("succeeded"):
            return
    raise NotYet("no job of it is complete")


class Jobs(Workshop):
    """Jobs and cron jobs."""

    number, slug, minutes = 4, "4-jobs", 45
    exercises = (pi, dice, nightly, rehearsed)


async def _complete(world: World, name: str, completions: int) -> dict:
    """The job of that name, complete with so many pods."""
    found = [job for job in await world.list("batch/v1/Job", NAMESPACE) if job["metadata"]["name"] == name]
    if not found:
        raise NotYet(f"there is no job {name}")
    if found[0]["status"].get("succeeded", 0) != completions:
        raise NotYet(f"{found[0]['status'].get('succeeded', 0)} of its pods have succeeded")
    return found[0]


async def _cron(world: World) -> dict:
    found = [cron for cron in await world.list("batch/v1/CronJob", NAMESPACE) if cron["metadata"]["name"] == "nightly"]
    if not found:
        raise NotYet("there is no cron job nightly")
    return found[0]
