"""A hub found in a cluster, without its deployment file: its URL and the token of zerojhub's service in it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from zerojhub.hub.values import SERVICE
from zerojhub.kube import kinds

if TYPE_CHECKING:
    from zerojhub.kube.reach import Reach
    from zerojhub.kube.types import Service


async def services(reach: Reach, namespace: str | None = None) -> list[Service]:
    """The Services that hubs' proxies are exposed by, in the namespace (None: in all of them)."""
    return await reach.kube.list(kinds.SERVICE, namespace, labels="component=proxy-public")


def url_of(reach: Reach, service: Service) -> str | None:
    """The URL at the Service's load balancer, or at its node port on the master; None if it has neither."""
    if not (ports := service["spec"].get("ports")):
        return None
    port = ports[0]
    for ingress in service["status"].get("loadBalancer", {}).get("ingress") or []:
        if host := ingress.get("ip") or ingress.get("hostname"):
            return f"http://{host}:{port['port']}"
    if reach.address and port.get("nodePort"):
        return f"http://{reach.address}:{port['nodePort']}"
    return None


async def token_of(reach: Reach, namespace: str) -> str | None:
    """The token of zerojhub's service, from the chart's Secret; None for a hub that zerojhub did not install."""
    for secret in await reach.kube.list(kinds.SECRET, namespace, labels="component=hub"):
        if token := secret.get("data", {}).get(f"hub.services.{SERVICE}.apiToken"):
            return base64.b64decode(token).decode(errors="replace")
    return None
