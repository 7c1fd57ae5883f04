"""Workshop 2."""

from __future__ import annotations

from zerojhub.openstack import heat, magnum
from zerojhub.text import plural
from zerojhub.workshops.base import NotDone, Workshop, exercise
from zerojhub.workshops.world import World

TEMPLATE, FLAVOR, GROUP, STACK = "lesson", "m1.medium", "big", "heated"


@exercise
async def template(world: World) -> None:
    """Create a template named lesson with m1.medium workers."""
    templates = await magnum.templates(world.cloud)
    found = [each for each in templates if each["name"] == TEMPLATE]
    if not found:
        raise NotDone(f"no template named {TEMPLATE}")
    if all(each["flavor_id"] != FLAVOR for each in found):
        raise NotDone(f"its worker flavor is {found[0]['flavor_id']}")


@exercise
async def cluster(world: World) -> None:
    """Create a cluster from it."""
    templates = await magnum.templates(world.cloud)
    ours = {each["uuid"] for each in templates if each["name"] == TEMPLATE}
    if not any(each["cluster_template_id"] in ours for each in await world.clusters()):
        raise NotDone(f"no complete cluster uses a template named {TEMPLATE}")


@exercise
async def group(world: World) -> None:
    """Add a node group named big with one node to a cluster."""
    for each in await world.clusters():
        for found in await magnum.nodegroups(world.cloud, each["uuid"]):
            if (found["name"], found["node_count"]) == (GROUP, 1) and (found.get("status") or "").endswith("COMPLETE"):
                return
    raise NotDone(f"no cluster has a node group named {GROUP} with one node")


@exercise
async def stack(world: World) -> None:
    """Create a two-worker cluster with a Heat stack named heated."""
    stacks = await heat.stacks(world.cloud)
    if not any(each["stack_name"] == STACK and each["stack_status"].endswith("COMPLETE") for each in stacks):
        raise NotDone(f"no complete stack named {STACK}")
    made = await world.cluster(STACK)
    if made["node_count"] != 2:
        raise NotDone(f"its cluster has {plural(made['node_count'], 'worker')}")


class Clusters(Workshop):
    """Clusters, templates and Heat."""

    number, slug, minutes = 2, "2-clusters", 60
    hub = False
    exercises = (template, cluster, group, stack)
