"""Workshop 7."""

from __future__ import annotations

from zerojhub.workshops.base import NotYet, Workshop, exercise
from zerojhub.workshops.world import World

STUDENTS = {"ada", "ben", "cleo"}
IDLE = 1200


@exercise
async def listed(world: World) -> None:
    """Let in ada, ben and cleo, and nobody else."""
    config = (await world.values())["hub"]["config"].get("Authenticator", {})
    if config.get("allow_all"):
        raise NotYet("hub.config.Authenticator.allow_all lets in whoever knows the password")
    if set(config.get("allowed_users", [])) != STUDENTS:
        raise NotYet(f"hub.config.Authenticator.allowed_users is {config.get('allowed_users', 'not set')}")


@exercise
async def sizes(world: World) -> None:
    """Offer two sizes of server."""
    found = (await world.values())["singleuser"].get("profileList") or []
    if len(found) != 2:
        raise NotYet(f"singleuser.profileList has {len(found)} entries")


@exercise
async def room(world: World) -> None:
    """Make room: a second worker."""
    found = (await world.cluster())["node_count"]
    if found != 2:
        raise NotYet(f"the cluster has {found}")


@exercise
async def pulled(world: World) -> None:
    """Have the image on every node before anybody comes."""
    pullers = await world.list("apps/v1/DaemonSet", labels="component=continuous-image-puller")
    if not pullers:
        raise NotYet("there is no continuous image puller")
    status = pullers[0]["status"]
    if not 0 < status["desiredNumberScheduled"] == status.get("numberReady"):
        raise NotYet(f"it is ready on {status.get('numberReady', 0)} of {status['desiredNumberScheduled']} nodes")


@exercise
async def culled(world: World) -> None:
    """Have servers stopped after twenty minutes of no use."""
    found = (await world.values())["cull"]["timeout"]
    if found != IDLE:
        raise NotYet(f"cull.timeout is {found} seconds")


class RunningAClass(Workshop):
    """Running a class."""

    number, slug, minutes = 7, "7-running-a-class", 60
    exercises = (listed, sizes, room, pulled, culled)
