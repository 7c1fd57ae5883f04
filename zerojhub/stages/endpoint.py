"""Where people find the hub."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.stages.access import Access
from zerojhub.stages.base import Found, Missing, Stage, Url, Wrong
from zerojhub.stages.chart import Chart
from zerojhub.stages.values import Values

if TYPE_CHECKING:
    from zerojhub.journey import Hub

PATIENCE = 600
"""Seconds for a load balancer to get its address."""
ANSWER = 180
"""Seconds for the hub to answer at an address that is there: a load balancer needs a while to pass traffic."""

MADE = tuple(f"loadbalancer.openstack.org/load-balancer-{what}" for what in ("id", "address"))
"""Annotations that the cloud controllers give a Service with its load balancer, and leave it without."""

STEADY = 8
"""Good answers in a row, each on a connection of its own, that are taken for an address that works: a load balancer goes to
one node and then another, and some of them pass traffic on later than others."""


class Endpoint(Stage):
    """The hub's URL, where it answers: a load balancer's address, or a port behind the master's floating IP.

    Waits for the load balancer's address and says why there is none; opens a node port in the master's security group,
    which `down` closes again.
    """

    name = "endpoint"
    needs = (Chart,)

    async def look(self, hub: Hub) -> Found | Missing:
        from zerojhub.kube.explain import why_service

        service = await _service(hub)
        url = await _url(hub, service)
        if not url:
            return Missing(str(why_service(service, await _events(hub))))
        if problem := await _problem(url):
            return Missing(f"{url} does not work yet: {problem}")
        return Found(url, Url(url))

    async def do(self, hub: Hub, state: Missing | Wrong) -> None:
        url = await _wait_for_address(hub)
        service = await _service(hub)
        if service["spec"]["type"] == "NodePort":
            await _open_port(hub, _port(hub, service)["nodePort"])
        deadline, pause = time.monotonic() + ANSWER, 0.3
        while problem := await _problem(url):
            if time.monotonic() > deadline:
                raise ZeroJHubError(f"the hub does not answer at {url}: {problem}", hint=_advice(hub, service))
            hub.say(f"{url} does not work yet: {problem}")
            await anyio.sleep(pause)
            pause = min(pause * 1.5, 2)

    async def undo(self, hub: Hub) -> None:
        for rule in await _own_rules(hub):
            await hub.cloud.network.delete(f"/security-group-rules/{rule['id']}")


async def _service(hub: Hub) -> dict:
    release = hub[Chart]
    labels = f"release={release.name},component=proxy-public"
    services = await hub[Access].kube.list("v1/Service", release.namespace, labels=labels)
    if not services:
        raise ZeroJHubError(f"release {release.name} has no service proxy-public")
    return services[0]


async def _url(hub: Hub, service: dict) -> str | None:
    """The URL that the service leads to, None as long as it has no address."""
    wanted = hub.deployment.hub
    match service["spec"]["type"]:
        case "LoadBalancer":
            ingress = service["status"].get("loadBalancer", {}).get("ingress") or [{}]
            host, port = ingress[0].get("ip") or ingress[0].get("hostname"), _port(hub, service)["port"]
        case "NodePort":
            host, port = await _node_address(hub), _port(hub, service)["nodePort"]
        case kind:
            if not wanted.host:
                raise ZeroJHubError(
                    f"the hub's service is {kind}, which leads nowhere outside the cluster",
                    hint="give the name that your ingress serves it under as hub.host",
                )
            host, port = wanted.host, None
    if not host:
        return None
    scheme = "https" if _is_https(hub) else "http"
    suffix = "" if port in (None, {"http": 80, "https": 443}[scheme]) else f":{port}"
    base = ((hub[Values].merged.get("hub") or {}).get("baseUrl") or "/").strip("/")
    return f"{scheme}://{wanted.host or host}{suffix}/{base}{'/' if base else ''}"


def _is_https(hub: Hub) -> bool:
    proxy = hub[Values].user.values.get("proxy") or {}
    return hub.deployment.hub.https or bool((proxy.get("https") or {}).get("enabled"))


def _port(hub: Hub, service: dict) -> dict:
    """The port of the service that the URL's scheme goes to."""
    ports = {port.get("name"): port for port in service["spec"]["ports"]}
    return (_is_https(hub) and ports.get("https")) or ports.get("http") or service["spec"]["ports"][0]


async def _node_address(hub: Hub) -> str:
    """The master's floating IP, or else the first public address that a node has."""
    if address := hub[Access].address:
        return address
    for node in await hub[Access].kube.list("v1/Node"):
        for address in node["status"].get("addresses", []):
            if address["type"] == "ExternalIP":
                return address["address"]
    raise ZeroJHubError(
        "no node has a public address that a NodePort could be reached at",
        hint="use hub: {expose: LoadBalancer}, or give a node a floating IP",
    )


async def _wait_for_address(hub: Hub) -> str:
    from zerojhub.kube.explain import Patience, why_service

    deadline, patience, pause, tried = time.monotonic() + PATIENCE, Patience(), 0.5, False
    while True:
        service = await _service(hub)
        if url := await _url(hub, service):
            return url
        events = await _events(hub)
        trouble = why_service(service, events)
        if patience.is_over([trouble]) or time.monotonic() > deadline:
            raise ZeroJHubError(str(trouble), hint=_advice(hub, service))
        hub.say(str(trouble))
        tried = tried or await _have_it_tried(hub, service, events)
        await anyio.sleep(pause)
        pause = min(pause * 1.3, 2)


async def _have_it_tried(hub: Hub, service: dict, events: list[dict]) -> bool:
    """Change the Service, so that what failed is tried at once. False when nothing has failed.

    OpenStack's cloud controllers try by themselves ever more rarely, at last every five minutes. And they look in vain for a
    load balancer that they deleted while the Service was of another type (cloud-provider-openstack issue 2751).
    """
    from zerojhub.kube.explain import last_warning

    meta = service["metadata"]
    failed = last_warning(events, meta["name"])
    if not failed:
        return False
    annotations: dict[str, str | None] = {"zerojhub.io/tried-again": str(int(time.time()))}
    if "failed to get load balancer" in failed["message"] and meta.get("annotations", {}).keys() >= set(MADE):
        annotations |= dict.fromkeys(MADE)
    change = {"metadata": {"annotations": annotations}}
    await hub[Access].kube.merge("v1/Service", meta["name"], meta["namespace"], change)
    return True


async def _events(hub: Hub) -> list[dict]:
    return await hub[Access].kube.list("v1/Event", hub[Chart].namespace)


async def _problem(url: str) -> str | None:
    """Why the hub does not answer at its URL; None when it does."""
    from zerojhub.hub.client import HubClient, HubError

    for _ in range(STEADY):
        async with HubClient(url) as client:
            try:
                if not await client.is_healthy():
                    return "the proxy is there, and the hub is not yet"
            except HubError as error:
                return error.message
    return None


def _advice(hub: Hub, service: dict) -> str:
    wanted, addresses = hub.deployment.hub, service["status"].get("loadBalancer", {}).get("ingress") or [{}]
    if wanted.host:
        return f"{wanted.host} must lead to {addresses[0].get('ip') or hub[Access].address} in the DNS"
    if service["spec"]["type"] == "LoadBalancer":
        return "without a load balancer: set hub: {expose: NodePort}, and the hub is behind the master's floating IP"
    return "is the port open in the security group of the master, and on the way to it?"


def _mark(hub: Hub) -> str:
    return f"zerojhub {hub.deployment.name}: the hub's port"


async def _own_rules(hub: Hub) -> list[dict]:
    rules = await hub.cloud.network.all("/security-group-rules", "security_group_rules", description=_mark(hub))
    # A Neutron that knows no such filter answers with every rule of the project.
    return [rule for rule in rules if rule["description"] == _mark(hub)]


async def _open_port(hub: Hub, port: int) -> None:
    """Let the port through to the master: an ingress rule in the first security group of its network port."""
    address = hub[Access].address
    if not address or any(rule["port_range_min"] == port for rule in await _own_rules(hub)):
        return
    floating_ips = await hub.cloud.network.all("/floatingips", "floatingips", floating_ip_address=address)
    if not floating_ips:
        return
    network_port = (await hub.cloud.network.get(f"/ports/{floating_ips[0]['port_id']}"))["port"]
    if not network_port["security_groups"]:
        return
    hub.say(f"opening port {port} to the master")
    rule = {
        "security_group_id": network_port["security_groups"][0],
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": "tcp",
        "port_range_min": port,
        "port_range_max": port,
        "description": _mark(hub),
    }
    await hub.cloud.network.post("/security-group-rules", {"security_group_rule": rule})
