"""Workshop 3."""

from __future__ import annotations

import contextlib

from zerojhub.errors import ZeroJHubError
from zerojhub.workshops.base import NotYet, Workshop, exercise
from zerojhub.workshops.world import World

NEW = "v1.34.4"


@exercise
async def upgraded(world: World) -> None:
    """Bring every node to Kubernetes v1.34.4."""
    nodes = await world.list("v1/Node", None)
    versions = {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}
    late = [f"{name} has {version}" for name, version in sorted(versions.items()) if version != NEW]
    if late:
        raise NotYet(", ".join(late))


@exercise
async def two_workers(world: World) -> None:
    """Bring the cluster to two workers."""
    found = (await world.cluster())["node_count"]
    if found != 2:
        raise NotYet(f"it has {found}")


@exercise
async def replaced(world: World) -> None:
    """Have the worker that the cluster began with replaced by a new one."""
    names = [node["metadata"]["name"] for node in await world.list("v1/Node", None)]
    first = [name for name in names if name.endswith("-node-0")]
    if first:
        raise NotYet(f"{first[0]} is still there")


class ResizeAndUpgrade(Workshop):
    """Resize and upgrade."""

    number, slug, minutes = 3, "3-resize-and-upgrade", 60
    older = True
    exercises = (upgraded, two_workers, replaced)

    async def begin(self, world: World) -> None:
        """Nothing more; but a cluster that is there must be of the older Kubernetes, or there is nothing to upgrade."""
        with contextlib.suppress(NotYet):
            await upgraded.look(world)
            raise ZeroJHubError(
                f"the cluster has Kubernetes {NEW} already", hint=f"zerojhub workshop reset {self.number}"
            )
