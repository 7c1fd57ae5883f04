"""Workshop 6. Breaking something and fixing it leaves traces in the cloud; the checks look for those."""

from __future__ import annotations

from datetime import datetime, timedelta

from zerojhub.workshops.base import NotYet, Workshop, exercise
from zerojhub.workshops.world import NAME, World

AT_ONCE = timedelta(seconds=60)
"""Things created within this time of each other were created together; a later one is a replacement."""


@exercise
async def storage(world: World) -> None:
    """Delete the default storage class, then restore it."""
    classes = await world.list("storage.k8s.io/v1/StorageClass", None)
    made = [_made(each) for each in classes if each["metadata"]["name"] == "cinder"]
    if not made:
        raise NotYet("no storage class named cinder")
    if made[0] < await _installed(world):
        raise NotYet("the storage class is still the original one")


@exercise
async def image(world: World) -> None:
    """Set a user image that does not exist, then undo it."""
    releases = await world.releases()
    names = [(each["config"].get("singleuser") or {}).get("image") for each in releases]
    if not any(names):
        raise NotYet("no revision of the release sets singleuser.image")
    if names[-1]:
        raise NotYet(f"the latest revision still uses {names[-1].get('name')}")


@exercise
async def pending(world: World) -> None:
    """Interrupt a release, then recover it."""
    releases = await world.releases()
    if not any(each["info"]["description"].startswith("Rollback to") for each in releases[:-1]):
        raise NotYet("no revision is a rollback")
    if releases[-1]["info"]["status"] != "deployed":
        raise NotYet(f"the latest revision is {releases[-1]['info']['status']}")


@exercise
async def balancer(world: World) -> None:
    """Run out of load balancer quota, then give the hub its address back."""
    services = await world.list("v1/Service", labels="component=proxy-public")
    if not services or not services[0]["status"].get("loadBalancer", {}).get("ingress"):
        raise NotYet("the hub has no address")
    listed = await world.cloud.load_balancer.all("/lbaas/loadbalancers", "loadbalancers")
    [made] = [_time(each["created_at"]) for each in listed if each["name"].endswith(f"_{NAME}_proxy-public")]
    if made < _made(services[0]) + AT_ONCE:
        raise NotYet("the load balancer is still the original one")


@exercise
async def node(world: World) -> None:
    """Take a worker down, then bring it back."""
    recovered = []
    for each in await world.list("v1/Node", None, labels="!node-role.kubernetes.io/control-plane"):
        [ready] = [condition for condition in each["status"]["conditions"] if condition["type"] == "Ready"]
        if ready["status"] != "True":
            raise NotYet(f"{each['metadata']['name']} is down")
        recovered.append(_time(ready["lastTransitionTime"]) > max(_made(each), await _installed(world)) + AT_ONCE)
    if not any(recovered):
        raise NotYet("no worker has gone down since the hub came up")


class BreakAndFix(Workshop):
    """Break it and fix it."""

    number, slug, minutes = 6, "6-break-and-fix", 75
    exercises = (storage, image, pending, balancer, node)


async def _installed(world: World) -> datetime:
    """When the hub was first installed."""
    hubs = await world.list("apps/v1/Deployment", labels="component=hub")
    if not hubs:
        raise NotYet("no hub in the cluster")
    return _made(hubs[0])


def _made(thing: dict) -> datetime:
    return _time(thing["metadata"]["creationTimestamp"])


def _time(text: str) -> datetime:
    """A Kubernetes or OpenStack time. Both are UTC, though OpenStack may omit the zone."""
    return datetime.fromisoformat(text.removesuffix("Z"))
