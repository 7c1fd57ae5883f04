"""Workshop 6. Breaking something and fixing it leaves traces in the cloud; the checks look for those."""

from __future__ import annotations

from datetime import datetime, timedelta

from zerojhub.kube import kinds
from zerojhub.kube.types import Object
from zerojhub.openstack import octavia
from zerojhub.workshops.base import NotDone, Workshop, exercise
from zerojhub.workshops.world import NAME, World

AT_ONCE = timedelta(seconds=60)
"""Things created within this time of each other were created together; a later one is a replacement."""


@exercise
async def storage(world: World) -> None:
    """Delete the default storage class, then restore it."""
    classes = await world.objects(kinds.STORAGE_CLASS, None)
    made = [_made(each) for each in classes if each["metadata"]["name"] == "cinder"]
    if not made:
        raise NotDone("no storage class named cinder")
    if made[0] < await _installed(world):
        raise NotDone("the storage class is still the original one")


@exercise
async def image(world: World) -> None:
    """Set a user image that does not exist, then undo it."""
    names = [(each.values.get("singleuser") or {}).get("image") for each in await world.revisions()]
    if not any(names):
        raise NotDone("no revision of the release sets singleuser.image")
    if names[-1]:
        raise NotDone(f"the latest revision still uses {names[-1].get('name')}")


@exercise
async def pending(world: World) -> None:
    """Interrupt a release, then recover it."""
    revisions = await world.revisions()
    if not any(each.description.startswith("Rollback to") for each in revisions[:-1]):
        raise NotDone("no revision is a rollback")
    if revisions[-1].status != "deployed":
        raise NotDone(f"the latest revision is {revisions[-1].status}")


@exercise
async def balancer(world: World) -> None:
    """Run out of load balancer quota, then give the hub its address back."""
    services = await world.objects(kinds.SERVICE, labels="component=proxy-public")
    if not services or not services[0]["status"].get("loadBalancer", {}).get("ingress"):
        raise NotDone("the hub has no address")
    listed = await octavia.load_balancers(world.cloud)
    [made] = [_time(each["created_at"]) for each in listed if (each["name"] or "").endswith(f"_{NAME}_proxy-public")]
    if made < _made(services[0]) + AT_ONCE:
        raise NotDone("the load balancer is still the original one")


@exercise
async def node(world: World) -> None:
    """Take a worker down, then bring it back."""
    recovered = []
    for each in await world.objects(kinds.NODE, None, labels="!node-role.kubernetes.io/control-plane"):
        [ready] = [condition for condition in each["status"]["conditions"] if condition["type"] == "Ready"]
        if ready["status"] != "True":
            raise NotDone(f"{each['metadata']['name']} is down")
        changed, started = ready["lastTransitionTime"], max(_made(each), await _installed(world))
        recovered.append(changed is not None and _time(changed) > started + AT_ONCE)
    if not any(recovered):
        raise NotDone("no worker has gone down since the hub came up")


class BreakAndFix(Workshop):
    """Break it and fix it."""

    number, slug, minutes = 6, "6-break-and-fix", 75
    exercises = (storage, image, pending, balancer, node)


async def _installed(world: World) -> datetime:
    """When the hub was first installed."""
    hubs = await world.objects(kinds.DEPLOYMENT, labels="component=hub")
    if not hubs:
        raise NotDone("no hub in the cluster")
    return _made(hubs[0])


def _made(thing: Object) -> datetime:
    return _time(thing["metadata"]["creationTimestamp"])


def _time(text: str) -> datetime:
    """A Kubernetes or OpenStack time. Both are UTC, though OpenStack may omit the zone."""
    return datetime.fromisoformat(text.removesuffix("Z"))
