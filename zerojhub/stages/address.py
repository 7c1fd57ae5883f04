"""The address at which the hub's service is reachable."""

from __future__ import annotations

import time
from dataclasses import dataclass

from zerojhub.errors import ZeroJHubError
from zerojhub.hub.pods import public_services
from zerojhub.kube import nodes
from zerojhub.kube.client import Kube
from zerojhub.kube.kinds import EVENT, NODE, SERVICE
from zerojhub.kube.types import Event, Service, ServicePort
from zerojhub.openstack import leftovers, neutron
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.access import Access
from zerojhub.stages.chart import Chart, Release
from zerojhub.stages.host_name import host_of
from zerojhub.stages.kept_address import KeptAddress, load_balancers
from zerojhub.waiting import NotYet, TimedOut, wait_until

ADDRESS_TIMEOUT = 600
"""Seconds for a load balancer to get its address."""
EXCHANGE_TIMEOUT = 120
"""Seconds for the cloud controllers to note the address that a load balancer was given."""

STEADY = 8
"""Good answers in a row, each on a connection of its own, before an address counts as working: a load balancer uses one
node and then another, and some of them start to forward traffic later than others."""

NOTED = "loadbalancer.openstack.org/load-balancer-address"
"""The annotation with the load balancer's address."""
ANNOTATIONS = ("loadbalancer.openstack.org/load-balancer-id", NOTED)
"""What the cloud controllers annotate a Service with along with its load balancer, and leave behind without one."""


@dataclass(frozen=True)
class HubAddress:
    """Where the hub's service listens. `host`: an IP address or a name; `port`: None for what an ingress serves."""

    kind: str
    """LoadBalancer, NodePort or ClusterIP."""
    host: str
    port: int | None
    https: bool
    addresses: tuple[str, ...] = ()
    """The IP addresses, as far as they are known."""


class Address(Stage[HubAddress]):
    """The hub's address: a load balancer's, or a port behind the master's floating IP.

    Waits for the load balancer's address and explains why there is none yet. A load balancer with another address than the
    one that is kept for the hub gets that in its place. A node port is opened in the master's security group; `down` closes
    it again.
    """

    name = "address"
    needs = (Chart,)
    after = (KeptAddress,)

    async def look(self, run: Run) -> Found[HubAddress] | Missing[HubAddress] | Wrong[HubAddress]:
        from zerojhub.kube.explain import why_service

        release = run[Chart]
        services = await public_services(run[Access].kube, release.namespace, release.name)
        if not services:
            return Missing(f"release {release.name} has no service proxy-public")
        service = services[0]
        address = await address_of(run, service)
        if address is None:
            return Missing(str(why_service(service, await _events(run))))
        named = f"[{address.host}]" if ":" in address.host else address.host
        where = named if address.port is None else f"{named}:{address.port}"
        if address.kind == "NodePort" and not await _is_open(run, address.port):
            return Missing(f"port {address.port} is not open to the master")
        kept = run.get(KeptAddress)
        if address.kind == "LoadBalancer" and kept and kept["floating_ip_address"] not in addresses_of(service):
            return Wrong(f"the load balancer has {where}, not {kept['floating_ip_address']}", address)
        return Found(f"{where} ({address.kind})", address)

    async def do(self, run: Run, state: Missing[HubAddress] | Wrong[HubAddress]) -> None:
        address = await _wait_for_address(run)
        if address.kind == "NodePort" and address.port:
            await _open_port(run, address.port)
        if address.kind == "LoadBalancer" and (kept := run.get(KeptAddress)):
            await _exchange(run, kept)

    async def undo(self, run: Run, teardown: Teardown) -> None:
        for rule in await neutron.security_group_rules(run.cloud, description=_mark(run)):
            await neutron.delete_security_group_rule(run.cloud, rule["id"])
        teardown.describe(_mark(run))


async def public_service(kube: Kube, release: Release) -> Service:
    """The Service through which people reach the hub."""
    if services := await public_services(kube, release.namespace, release.name):
        return services[0]
    raise ZeroJHubError(f"release {release.name} has no service proxy-public", hint="zerojhub up creates it again")


async def address_of(run: Run, service: Service) -> HubAddress | None:
    """The service's address; None while a load balancer has none."""
    https, kind = uses_https(run), service["spec"]["type"]
    port = _port(service, https=https)
    match kind:
        case "LoadBalancer":
            ingress = (service["status"].get("loadBalancer", {}).get("ingress") or [{}])[0]
            addresses = tuple(addresses_of(service))
            # With PROXY protocol, cloud controllers put a name such as 203.0.113.7.nip.io in place of the address.
            host = addresses[0] if ingress and addresses else ingress.get("hostname")
            return HubAddress(kind, host, port["port"], https, addresses) if host else None
        case "NodePort":
            address = await _node_address(run)
            return HubAddress(kind, address, port.get("nodePort"), https, (address,))
        case _:
            host = await host_of(run)
            if not host:
                raise ZeroJHubError(
                    f"the hub's service is a {kind}, which is not reachable from outside the cluster",
                    hint="set hub.host to the name under which your ingress serves it",
                )
            return HubAddress(kind, host, None, https)


def addresses_of(service: Service) -> list[str]:
    """The IP addresses of the service's load balancer; its name in the service's status does not hide them."""
    listed = [each["ip"] for each in service["status"].get("loadBalancer", {}).get("ingress") or [] if each.get("ip")]
    noted = service["metadata"].get("annotations", {}).get(NOTED)
    return listed or ([noted] if noted else [])


def uses_https(run: Run) -> bool:
    """Whether people reach the hub by https://, as the deployment or the installed values say."""
    https = (run[Chart].values.get("proxy") or {}).get("https") or {}
    return bool(run.deployment.hub.https or https.get("enabled"))


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


async def _exchange(run: Run, kept: neutron.FloatingIP) -> None:
    """Have the load balancer use this floating IP: cloud controllers leave one that it has already, whatever the Service asks for."""
    wanted = kept["floating_ip_address"]
    service = await public_service(run[Access].kube, run[Chart])
    if wanted in addresses_of(service):
        return
    ports = [each["vip_port_id"] for each in await load_balancers(run) if each["vip_port_id"]]
    if not ports:
        raise ZeroJHubError(f"the load balancer of service {service['metadata']['name']} is not one of Octavia's")
    run.say(f"exchanging the load balancer's floating IP for {wanted}")
    attached = await neutron.floating_ips(run.cloud, port_id=ports[0])
    if all(each["id"] != kept["id"] for each in attached):
        for floating_ip in attached:
            await leftovers.release(run.cloud, floating_ip)
        await neutron.attach_floating_ip(run.cloud, kept["id"], ports[0])
    await _have_synchronized(run, service)

    async def look() -> bool | NotYet:
        found = addresses_of(await public_service(run[Access].kube, run[Chart]))
        return True if wanted in found else NotYet(f"waiting until service {service['metadata']['name']} has {wanted}")

    try:
        await wait_until(look, timeout=EXCHANGE_TIMEOUT, pause=(0.5, 2), say=run.say)
    except TimedOut:
        raise ZeroJHubError(
            f"the load balancer does not use {wanted}", hint="see: openstack floating ip list"
        ) from None


async def _have_synchronized(run: Run, service: Service, change: dict[str, str | None] | None = None) -> None:
    """Change an annotation of the Service, which cloud controllers look at again then."""
    annotations: dict[str, str | None] = {"zerojhub.io/retried": str(int(time.time())), **(change or {})}
    meta = service["metadata"]
    await run[Access].kube.merge(
        SERVICE, meta["name"], meta.get("namespace"), {"metadata": {"annotations": annotations}}
    )


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
    lost = "failed to get load balancer" in failed.get("message", "")
    left = lost and meta.get("annotations", {}).keys() >= set(ANNOTATIONS)
    await _have_synchronized(run, service, dict.fromkeys(ANNOTATIONS) if left else None)
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
