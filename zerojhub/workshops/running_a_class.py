"""Workshop 7."""

from __future__ import annotations

from zerojhub.kube import kinds
from zerojhub.text import plural
from zerojhub.workshops.base import NotDone, Workshop, exercise
from zerojhub.workshops.world import World

STUDENTS = {"ada", "ben", "cleo"}
IDLE = 1200


@exercise
async def listed(world: World) -> None:
    """Allow only ada, ben and cleo."""
    config = (await world.values())["hub"]["config"].get("Authenticator", {})
    if config.get("allow_all"):
        raise NotDone("hub.config.Authenticator.allow_all admits anyone with the password")
    if set(config.get("allowed_users", [])) != STUDENTS:
        raise NotDone(f"hub.config.Authenticator.allowed_users is {config.get('allowed_users', 'not set')}")


@exercise
async def sizes(world: World) -> None:
    """Offer two server sizes."""
    found = (await world.values())["singleuser"].get("profileList") or []
    if len(found) != 2:
        raise NotDone(f"singleuser.profileList offers {plural(len(found), 'choice')}")


@exercise
async def room(world: World) -> None:
    """Make room: add a second worker."""
    found = (await world.cluster())["node_count"]
    if found != 2:
        raise NotDone(f"the cluster has {plural(found, 'worker')}")


@exercise
async def pulled(world: World) -> None:
    """Pull the image to every node ahead of time."""
    pullers = await world.objects(kinds.DAEMON_SET, labels="component=continuous-image-puller")
    if not pullers:
        raise NotDone("no continuous image puller")
    status = pullers[0]["status"]
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    if not 0 < wanted == ready:
        raise NotDone(f"ready on {ready} of {wanted} nodes")


@exercise
async def culled(world: World) -> None:
    """Stop idle servers after 20 minutes."""
    found = (await world.values())["cull"]["timeout"]
    if found != IDLE:
        raise NotDone(f"cull.timeout is {found} seconds")


class RunningAClass(Workshop):
    """Running a class."""

    number, slug, minutes = 7, "7-running-a-class", 60
    exercises = (listed, sizes, room, pulled, culled)
