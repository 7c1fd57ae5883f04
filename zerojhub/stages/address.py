"""The address at which the hub's service is reachable."""

from __future__ import annotations

import time
from dataclasses import dataclass

from zerojhub.errors import ZeroJHubError
from zerojhub.kube import nodes
from zerojhub.kube.client import Kube
from zerojhub.kube.kinds import EVENT, NODE, SERVICE
from zerojhub.kube.types import Event, Service, ServicePort
from zerojhub.openstack import neutron
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.access import Access
from zerojhub.stages.chart import Chart, Release
from zerojhub.waiting import NotYet, TimedOut, wait_until

ADDRESS_TIMEOUT = 600
"""Seconds for a load balancer to get its address."""

ANNOTATIONS = tuple(f"loadbalancer.openstack.org/load-balancer-{what}" for what in ("id", "address"))
"""What the cloud controllers annotate a Service with along with its load balancer, and leave behind without one."""


@dataclass(frozen=True)
class HubAddress:
    """Where the hub's service listens. `host`: an IP address or a name; `port`: None for what an ingress serves."""

    kind: str
    """LoadBalancer, NodePort or ClusterIP."""
    host: str
    port: int | None
    https: bool


class Address(Stage[HubAddress]):
    """The hub's address: a load balancer's, or a port behind the master's floating IP.

    Waits for the load balancer's address and explains why there is none yet. A node port is opened in the master's security
    group; `down` closes it again.
    """

    name = "address"
    needs = (Chart,)

    async def look(self, run: Run) -> Found[HubAddress] | Missing[HubAddress]:
        from zerojhub.kube.explain import why_service

        service = await public_service(run[Access].kube, run[Chart])
        address = await address_of(run, service)
        if address is None:
            return Missing(str(why_service(service, await _events(run))))
        where = address.host if address.port is None else f"{address.host}:{address.port}"
        if address.kind == "NodePort" and not await _is_open(run, address.port):
            return Missing(f"port {address.port} is not open to the master")
        return Found(f"{where} ({address.kind})", address)

    async def do(self, run: Run, state: Missing[HubAddress] | Wrong[HubAddress]) -> None:
        address = await _wait_for_address(run)
        if address.kind == "NodePort" and address.port:
            await _open_port(run, address.port)

    async def undo(self, run: Run, teardown: Teardown) -> None:
        for rule in await neutron.security_group_rules(run.cloud, description=_mark(run)):
            await neutron.delete_security_group_rule(run.cloud, rule["id"])
        teardown.describe(_mark(run))


async def public_service(kube: Kube, release: Release) -> Service:
    """The Service through which people reach the hub."""
    labels = f"release={release.name},component=proxy-public"
    services = await kube.list(SERVICE, release.namespace, labels=labels)
    if not services:
        raise ZeroJHubError(f"release {release.name} has no service proxy-public")
    return services[0]


async def address_of(run: Run, service: Service) -> HubAddress | None:
    """The service's address; None while a load balancer has none."""
    https, kind = uses_https(run), service["spec"]["type"]
    port = _port(service, https=https)
    match kind:
        case "LoadBalancer":
            ingress = (service["status"].get("loadBalancer", {}).get("ingress") or [{}])[0]
            host = ingress.get("ip") or ingress.get("hostname")
            return HubAddress(kind, host, port["port"], https) if host else None
        case "NodePort":
            return HubAddress(kind, await _node_address(run), port.get("nodePort"), https)
        case _:
            if not run.deployment.hub.host:
                raise ZeroJHubError(
                    f"the hub's service is a {kind}, which is not reachable from outside the cluster",
                    hint="set hub.host to the name under which your ingress serves it",
                )
            return HubAddress(kind, run.deployment.hub.host, None, https)


def uses_https(run: Run) -> bool:
    """Whether people reach the hub by https://, as the deployment or the installed values say."""
    https = (run[Chart].values.get("proxy") or {}).get("https") or {}
    return run.deployment.hub.https or bool(https.get("enabled"))


def _port(service: Service, *, https: bool) -> ServicePort:
    """The service's port for the URL's scheme."""
    listed = service["spec"].get("ports")
    if not listed:
        raise ZeroJHubError(f"service {service['metadata']['name']} has no port")
    ports = {port.get("name"): port for port in listed}
    return (https and ports.get("https")) or ports.get("http") or listed[0]


async def _node_address(run: Run) -> str:
    """The master's floating IP, or else the first public address of a node."""
    if address := run[Access].address:
        return address
    for node in await run[Access].kube.list(NODE):
        if address := nodes.address_of(node, "ExternalIP"):
            return address
    raise ZeroJHubError(
        "no node has a public address for the NodePort",
        hint="set hub.expose: LoadBalancer, or give a node a floating IP",
    )


async def _wait_for_address(run: Run) -> HubAddress:
    from zerojhub.kube.explain import Patience, why_service

    patience, retried = Patience(), False

    async def look() -> HubAddress | NotYet:
        nonlocal retried
        service = await public_service(run[Access].kube, run[Chart])
        if address := await address_of(run, service):
            return address
        events = await _events(run)
        trouble = why_service(service, events)
        if trouble and patience.is_over([trouble]):
            raise ZeroJHubError(str(trouble), hint=NO_LOAD_BALANCER)
        retried = retried or await _retry_now(run, service, events)
        return NotYet(str(trouble))

    try:
        return await wait_until(look, timeout=ADDRESS_TIMEOUT, pause=(0.5, 2), say=run.say)
    except TimedOut as late:
        raise ZeroJHubError(late.reason, hint=NO_LOAD_BALANCER) from None


NO_LOAD_BALANCER = "without a load balancer: set hub.expose: NodePort to use a port of the master's floating IP"


async def _retry_now(run: Run, service: Service, events: list[Event]) -> bool:
    """Change the Service, so that the cloud controllers retry at once what failed. False when nothing has failed.

    They back off, at last to five minutes. And they look in vain for a load balancer that they deleted while the Service
    was of another type (kubernetes/cloud-provider-openstack issue 2751).
    """
    from zerojhub.kube.explain import last_warning

    meta = service["metadata"]
    failed = last_warning(events, meta["name"])
    if not failed:
        return False
    annotations: dict[str, str | None] = {"zerojhub.io/retried": str(int(time.time()))}
    lost = "failed to get load balancer" in failed.get("message", "")
    if lost and meta.get("annotations", {}).keys() >= set(ANNOTATIONS):
        annotations |= dict.fromkeys(ANNOTATIONS)
    change = {"metadata": {"annotations": annotations}}
    await run[Access].kube.merge(SERVICE, meta["name"], meta.get("namespace"), change)
    return True


async def _events(run: Run) -> list[Event]:
    return await run[Access].kube.list(EVENT, run[Chart].namespace)


def _mark(run: Run) -> str:
    return f"zerojhub {run.deployment.name}: the hub's port"


async def _is_open(run: Run, port: int | None) -> bool:
    """Whether there is nothing to open: the rule exists, or the address is not one of the project's floating IPs."""
    rules = await neutron.security_group_rules(run.cloud, description=_mark(run))
    return any(rule["port_range_min"] == port for rule in rules) or await _security_group(run) is None


async def _security_group(run: Run) -> str | None:
    """The first security group of the master's network port, None where there is none to add a rule to."""
    address = run[Access].address
    floating_ips = await neutron.floating_ips(run.cloud, floating_ip_address=address) if address else []
    if not floating_ips or not floating_ips[0]["port_id"]:
        return None
    groups = (await neutron.get_port(run.cloud, floating_ips[0]["port_id"]))["security_groups"]
    return groups[0] if groups else None


async def _open_port(run: Run, port: int) -> None:
    """Allow the port to the master."""
    group = await _security_group(run)
    if group and not await _is_open(run, port):
        run.say(f"opening port {port} to the master")
        await neutron.allow_tcp(run.cloud, group, port, _mark(run))
