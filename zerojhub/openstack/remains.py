"""Whether everything is gone that was created for a deployment: what to look for is noted before its cluster is deleted.

Found are resources that belonged to the cluster's stacks or carry its unique name, and those that are marked as the
deployment's. Nothing is deleted here, and nothing else is even mentioned.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from zerojhub.openstack import cinder, keystone, leftovers, magnum, neutron, nova, octavia, servers, stacks
from zerojhub.openstack.names import Named
from zerojhub.openstack.session import Cloud, if_allowed
from zerojhub.waiting import NotYet, TimedOut, wait_until

GOING_TIMEOUT = 30
"""Seconds for what is being deleted to disappear."""
TAKES_TIME = ("server", "load balancer", "volume", "port")
"""What is still listed while it is being deleted."""


@dataclass(frozen=True)
class Remains:
    """A resource that is left; `command` deletes it."""

    kind: str
    name: str
    id: str
    command: str


@dataclass(frozen=True)
class Traces:
    """How a cluster's resources are recognized after it is gone."""

    ids: frozenset[str] = frozenset()
    """The servers and whatever else its stacks had."""
    prefixes: tuple[str, ...] = ()
    """How the names begin that its driver gives to its resources; they are unique."""
    owners: tuple[str, ...] = ()
    """What the names of its Services' load balancers and security groups call it."""
    trust: str | None = None
    application_credential: str | None = None
    """The credential that it held, if that could be read."""
    descriptions: tuple[str, ...] = ()
    """What zerojhub has written on what it created itself."""

    def has(self, item: Named) -> bool:
        """Is it the cluster's, by its ID or its name?"""
        name = item["name"] or ""
        within = (f"-{prefix}" for prefix in self.prefixes)
        return item["id"] in self.ids or name.startswith(self.prefixes) or any(part in name for part in within)

    def balances(self, item: Named) -> bool:
        """Is it a load balancer of one of its Services?"""
        return (item["name"] or "").startswith(tuple(f"kube_service_{owner}_" for owner in self.owners))

    def describes(self, text: str | None) -> bool:
        """Is it described as the cluster's, or as the deployment's?"""
        ends = tuple(f" cluster {owner}" for owner in self.owners)
        return text is not None and (text in self.descriptions or text.endswith(ends))


async def note(cloud: Cloud, cluster: magnum.Cluster, known: Traces) -> Traces:
    """What to look for after the cluster has been deleted, beside what is known already."""
    ids = {each["id"] for each in await servers.of(cloud, cluster)}
    ids |= {each["physical_resource_id"] for each in await stacks.resources(cloud, cluster)}
    owners = await leftovers.owner_names(cloud, cluster)
    prefixes = await leftovers.prefixes_of(cloud, cluster)
    return replace(known, ids=known.ids | set(filter(None, ids)), prefixes=prefixes, owners=tuple(owners))


async def left(cloud: Cloud, traces: Traces) -> list[Remains]:
    """What is left, after what is being deleted has had time to go."""
    found: list[Remains] = []

    async def look() -> bool | NotYet:
        nonlocal found
        found = await _look(cloud, traces)
        return NotYet() if any(each.kind in TAKES_TIME for each in found) else True

    with contextlib.suppress(TimedOut):
        await wait_until(look, timeout=GOING_TIMEOUT, pause=(1, 5))
    return found


async def _look(cloud: Cloud, traces: Traces) -> list[Remains]:
    found: list[Remains] = []

    def add(kind: str, item: Named, command: str | None = None) -> None:
        found.append(Remains(kind, item["name"] or "", item["id"], f"openstack {command or kind} delete {item['id']}"))

    with if_allowed():
        for server in await nova.servers(cloud):
            if traces.has(server):
                add("server", server)
    with if_allowed():
        for balancer in await octavia.load_balancers(cloud):
            if traces.has(balancer) or traces.balances(balancer):
                add("load balancer", balancer, "loadbalancer")
    with if_allowed():
        for volume in await cinder.volumes(cloud):
            if volume["id"] in traces.ids:  # users' volumes are none of a stack's
                add("volume", volume)
    found += await _in_neutron(cloud, traces)
    with if_allowed():
        if traces.trust and await keystone.find_trust(cloud, traces.trust):
            found.append(Remains("trust", "", traces.trust, f"openstack trust delete {traces.trust}"))
    with if_allowed():
        ident = traces.application_credential
        if ident and (credential := await keystone.application_credential(cloud, ident)):
            add("application credential", {"id": ident, "name": credential["name"]})
    return found


async def _in_neutron(cloud: Cloud, traces: Traces) -> list[Remains]:
    """In the order in which Neutron lets them be deleted."""
    found: list[Remains] = []
    for floating_ip in await neutron.floating_ips(cloud):
        if floating_ip["id"] in traces.ids or traces.describes(floating_ip.get("description")):
            command = f"openstack floating ip delete {floating_ip['id']}"
            found.append(Remains("floating IP", floating_ip["floating_ip_address"], floating_ip["id"], command))
    listed: list[tuple[str, list[Named]]] = [("port", [*await neutron.ports(cloud)])]
    with if_allowed():
        listed.append(("router", [*await neutron.routers(cloud)]))
    listed.append(("network", [*await neutron.networks(cloud)]))
    groups = await neutron.security_groups(cloud)
    named = {each["id"] for each in groups if traces.describes(each["description"])}
    listed.append(("security group", [*groups]))
    for kind, items in listed:
        found += [
            Remains(kind, item["name"] or "", item["id"], f"openstack {kind} delete {item['id']}")
            for item in items
            if traces.has(item) or item["id"] in named
        ]
    for description in traces.descriptions:
        for rule in await neutron.security_group_rules(cloud, description=description):
            command = f"openstack security group rule delete {rule['id']}"
            found.append(Remains("security group rule", description, rule["id"], command))
    return found
