"""Workshop 1."""

from __future__ import annotations

from zerojhub.kube import kinds
from zerojhub.workshops.base import NotDone, Workshop, exercise
from zerojhub.workshops.world import World

USER = "ada"
IDLE = 1800


@exercise
async def up(world: World) -> None:
    """Bring up the hub."""
    async with await world.hub() as hub:
        if not await hub.is_healthy():
            raise NotDone("the hub is not responding")


@exercise
async def logged_in(world: World) -> None:
    """Log in as ada and start a server."""
    claims = await world.objects(kinds.PERSISTENT_VOLUME_CLAIM)
    if not any(f"claim-{USER}" in claim["metadata"]["name"] for claim in claims):
        raise NotDone(f"{USER} has no volume, so her server has never started")


@exercise
async def admin(world: World) -> None:
    """Make ada a hub admin."""
    user = (await world.users()).get(USER)
    if not (user and user.admin):
        raise NotDone(f"{USER} is not an admin")


@exercise
async def culled(world: World) -> None:
    """Stop idle servers after 30 minutes."""
    found = (await world.values()).get("cull", {}).get("timeout")
    if found != IDLE:
        raise NotDone(f"cull.timeout is {found} seconds")


class FirstHub(Workshop):
    """Your first hub."""

    number, slug, minutes = 1, "1-first-hub", 45
    hub = False
    exercises = (up, logged_in, admin, culled)
