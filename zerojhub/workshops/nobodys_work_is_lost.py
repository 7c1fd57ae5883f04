"""Workshop 8."""

from __future__ import annotations

from zerojhub.data.owner import recorded
from zerojhub.hub.names import HUB_CLAIM
from zerojhub.kube.labels import SERVERNAME, USERNAME
from zerojhub.kube.types import PersistentVolumeClaim
from zerojhub.openstack import cinder
from zerojhub.workshops.base import NotDone, Workshop, exercise
from zerojhub.workshops.world import World

RESULTS = "thesis/results.txt"
MEASUREMENTS = "measurements.csv"
TWICE = 2
"""GB of a volume that has been doubled."""


@exercise
async def snapshot(world: World) -> None:
    """Take a snapshot of ada's volume."""
    volume = await world.volume_of(await _claim(world, "ada"))
    if all(each["volume_id"] != volume["id"] for each in await cinder.snapshots(world.cloud)):
        raise NotDone("ada's volume has no snapshot")


@exercise
async def rescued(world: World) -> None:
    """Bring back the folder that ada deletes."""
    await world.require_file(await _claim(world, "ada"), RESULTS)


@exercise
async def given_back(world: World) -> None:
    """Bring the hub back on another cluster, with all files."""
    hub = next((each for each in await world.claims() if each["metadata"]["name"] == HUB_CLAIM), None)
    if hub is None:
        raise NotDone("the hub has no volume")
    owner = recorded((await world.volume_of(hub))["metadata"])
    if owner is None or owner.cluster != (await world.cluster())["uuid"]:
        raise NotDone("the hub's volume is still on its first cluster")


@exercise
async def inherited(world: World) -> None:
    """Give the files of ben, who leaves, to cleo."""
    claim = await _claim(world, "cleo")
    if "ben" in await world.users():
        raise NotDone("ben is still a user of the hub")
    await world.require_file(claim, MEASUREMENTS)


@exercise
async def grown(world: World) -> None:
    """Double the size of ada's volume."""
    volume = await world.volume_of(await _claim(world, "ada"))
    if volume["size"] < TWICE:
        raise NotDone(f"ada's volume has {volume['size']} GB")


class NobodysWorkIsLost(Workshop):
    """Nobody's work is lost."""

    number, slug, minutes = 8, "8-nobodys-work-is-lost", 60
    exercises = (snapshot, rescued, given_back, inherited, grown)


async def _claim(world: World, user: str) -> PersistentVolumeClaim:
    """The claim of the user's default server."""
    for each in await world.claims():
        annotations = each["metadata"].get("annotations", {})
        if annotations.get(USERNAME) == user and SERVERNAME not in annotations:
            return each
    raise NotDone(f"{user} has no volume")
