"""Workshop 6. What was broken and mended leaves traces in the cloud: they are what is looked for."""

from __future__ import annotations

from datetime import datetime, timedelta

from zerojhub.workshops.base import NotYet, Workshop, exercise
from zerojhub.workshops.world import NAME, World

AT_ONCE = timedelta(seconds=60)
"""What comes within this time of something was made with it, and not made anew later."""


@exercise
async def storage(world: World) -> None:
    """Delete the default storage class, and have it back."""
    classes = await world.list("storage.k8s.io/v1/StorageClass", None)
    made = [_made(each) for each in classes if each["metadata"]["name"] == "cinder"]
    if not made:
        raise NotYet("there is no storage class cinder")
    if made[0] < await _installed(world):
        raise NotYet("the storage class is the one that was there before the hub")


@exercise
async def image(world: World) -> None:
    """Give people an image that does not exist, and take it back."""
    releases = await world.releases()
    names = [(each["config"].get("singleuser") or {}).get("image") for each in releases]
    if not any(names):
        raise NotYet("no revision of the release names an image of its own")
    if names[-1]:
        raise NotYet(f"the newest revision still has {names[-1].get('name')}")


@exercise
async def pending(world: World) -> None:
    """Leave a release half-way, and bring it to an end."""
    releases = await world.releases()
    if not any(each["info"]["description"].startswith("Rollback to") for each in releases[:-1]):
        raise NotYet("no revision is a rollback")
    if releases[-1]["info"]["status"] != "deployed":
        raise NotYet(f"the newest revision is {releases[-1]['info']['status']}")


@exercise
async def balancer(world: World) -> None:
    """Take the load balancer's quota away, see the hub without an address, and have it back."""
    services = await world.list("v1/Service", labels="component=proxy-public")
    if not services or not services[0]["status"].get("loadBalancer", {}).get("ingress"):
        raise NotYet("the hub has no address")
    listed = await world.cloud.load_balancer.all("/lbaas/loadbalancers", "loadbalancers")
    [made] = [_time(each["created_at"]) for each in listed if each["name"].endswith(f"_{NAME}_proxy-public")]
    if made < _made(services[0]) + AT_ONCE:
        raise NotYet("the load balancer is the one that came with the hub")


@exercise
async def node(world: World) -> None:
    """Have a worker go down, and bring it back."""
    again = []
    for each in await world.list("v1/Node", None, labels="!node-role.kubernetes.io/control-plane"):
        [ready] = [condition for condition in each["status"]["conditions"] if condition["type"] == "Ready"]
        if ready["status"] != "True":
            raise NotYet(f"{each['metadata']['name']} is down")
        again.append(_time(ready["lastTransitionTime"]) > max(_made(each), await _installed(world)) + AT_ONCE)
    if not any(again):
        raise NotYet("no worker has been down since the hub came up")


class BreakAndMend(Workshop):
    """Break it and mend it."""

    number, slug, minutes = 6, "6-break-and-mend", 75
    exercises = (storage, image, pending, balancer, node)


async def _installed(world: World) -> datetime:
    """When the hub was first installed."""
    hubs = await world.list("apps/v1/Deployment", labels="component=hub")
    if not hubs:
        raise NotYet("there is no hub in the cluster")
    return _made(hubs[0])


def _made(thing: dict) -> datetime:
    return _time(thing["metadata"]["creationTimestamp"])


def _time(text: str) -> datetime:
    """A time of Kubernetes' or OpenStack's, both UTC; the latter's may not say so."""
    return datetime.fromisoformat(text.removesuffix("Z"))
