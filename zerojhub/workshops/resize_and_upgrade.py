"""Workshop 3."""

from __future__ import annotations

import contextlib

from zerojhub.errors import ZeroJHubError
from zerojhub.kube import kinds
from zerojhub.text import plural
from zerojhub.workshops.base import NotDone, Workshop, exercise
from zerojhub.workshops.world import World

NEW = "v1.34.4"


@exercise
async def upgraded(world: World) -> None:
    """Upgrade every node to Kubernetes v1.34.4."""
    nodes = await world.objects(kinds.NODE, None)
    versions = {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}
    late = [f"{name} runs {version}" for name, version in sorted(versions.items()) if version != NEW]
    if late:
        raise NotDone(", ".join(late))


@exercise
async def two_workers(world: World) -> None:
    """Scale the cluster to two workers."""
    found = (await world.cluster())["node_count"]
    if found != 2:
        raise NotDone(f"it has {plural(found, 'worker')}")


@exercise
async def replaced(world: World) -> None:
    """Replace the original worker with a new one."""
    names = [node["metadata"]["name"] for node in await world.objects(kinds.NODE, None)]
    first = [name for name in names if name.endswith("-node-0")]
    if first:
        raise NotDone(f"{first[0]} is still there")


class ResizeAndUpgrade(Workshop):
    """Resize and upgrade."""

    number, slug, minutes = 3, "3-resize-and-upgrade", 60
    older = True
    exercises = (upgraded, two_workers, replaced)

    async def begin(self, world: World) -> None:
        """Nothing else, but an existing cluster must run the older Kubernetes, or there is nothing to upgrade."""
        with contextlib.suppress(NotDone):
            await upgraded.look(world)
            raise ZeroJHubError(
                f"the cluster already runs Kubernetes {NEW}", hint=f"zerojhub workshop reset {self.number}"
            )
