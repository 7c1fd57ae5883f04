"""The hub's parts in Kubernetes: its Deployment, its Service, and the logs of its pod and of users' servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub.names import HUB_CLAIM
from zerojhub.kube import kinds
from zerojhub.kube.labels import USER_SERVER
from zerojhub.kube.pods import claims_of, user_of

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Deployment, Service


async def deployment(kube: Kube, namespace: str, release: str) -> Deployment:
    """The release's Deployment of the hub. Raises ZeroJHubError if there is none."""
    found = await kube.list(kinds.DEPLOYMENT, namespace, labels=f"release={release},component=hub")
    if not found:
        raise ZeroJHubError(f"release {release} has no hub")
    return found[0]


def is_stopped(deployment: Deployment) -> bool:
    """Is it the hub's, and to have no pods?"""
    labels = deployment["metadata"].get("labels", {})
    return labels.get("component") == "hub" and deployment["spec"].get("replicas") == 0


def image_of(deployment: Deployment) -> str:
    """The image of the Deployment's first container."""
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


def claim_of(deployment: Deployment) -> str | None:
    """The claim of the hub's own volume; None if its database is elsewhere."""
    return next((each for each in claims_of(deployment["spec"]["template"]) if each.endswith(HUB_CLAIM)), None)


async def public_services(kube: Kube, namespace: str, release: str) -> list[Service]:
    """The release's Service through which people reach the hub; none if it has been deleted."""
    return await kube.list(kinds.SERVICE, namespace, labels=f"release={release},component=proxy-public")


async def logs(kube: Kube, namespace: str, *, user: str | None, lines: int) -> str:
    """The last lines of the hub's log, or of the user's server. Raises UserError if it is not running."""
    component = USER_SERVER if user else "hub"
    pods = await kube.list(kinds.POD, namespace, labels=f"component={component}")
    if user:
        pods = [pod for pod in pods if user_of(pod) == user]
    if not pods:
        raise UserError(f"{user} has no running server" if user else f"there is no hub in namespace {namespace}")
    newest = max(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])
    container = newest["spec"]["containers"][0]["name"]
    return await kube.logs(namespace, newest["metadata"]["name"], container, lines=lines)
