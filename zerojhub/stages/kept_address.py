"""The hub's own floating IP, which outlives its load balancer: allocated for it, or one of the project's."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack import leftovers, magnum, names, neutron, quota
from zerojhub.openstack.neutron import FloatingIP
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.floating_ip import floating_ips, mark, with_address
from zerojhub.stages.template import Template

if TYPE_CHECKING:
    from zerojhub.deployment import Deployment
    from zerojhub.openstack.octavia import LoadBalancer
    from zerojhub.run import Run

KEEP = "keep"
"""The value of `hub.address` for an address that zerojhub allocates once."""


class KeptAddress(Stage[FloatingIP]):
    """The hub's floating IP, which is kept when its load balancer is deleted.

    Only with `hub.address`. With `keep`, a floating IP is described as `zerojhub:NAME: the hub's address`: the one that the hub
    has already, or else a new one. The load balancer gets it by the chart's value `proxy.service.loadBalancerIP`. `down` leaves
    it; without `hub.address` it releases what it kept before.
    """

    name = "kept-address"
    needs = (Template,)
    undo_needs = ()

    @classmethod
    def applies(cls, deployment: Deployment) -> bool:
        return deployment.hub.address is not None

    async def check(self, run: Run) -> list[ZeroJHubError]:
        wanted = run.deployment.hub.address
        if wanted == KEEP:
            there = await own(run) or await in_use(run)
            return [] if there else [*await quota.lacking(run.cloud, Counter(floating_ips=1))]
        if wanted and not await with_address(run, wanted):
            where, hint = run.deployment.where("hub", "address"), "see: openstack floating ip list"
            return [UserError(f"the project has no floating IP {wanted}", where=where, hint=hint)]
        return []

    async def look(self, run: Run) -> Found[FloatingIP] | Missing[FloatingIP] | Wrong[FloatingIP]:
        wanted = run.deployment.hub.address or ""
        kept = await own(run) if wanted == KEEP else await with_address(run, wanted)
        if kept:
            address, port = kept[0]["floating_ip_address"], kept[0]["port_id"]
            if port and port not in await _ports(run):
                hint = f"detach it: openstack floating ip unset --port {address}"
                return Wrong(f"{address} is attached to another port than the hub's", kept[0], hint)
            return Found(address, kept[0])
        current = await in_use(run) if wanted == KEEP else None
        if current is None:
            return Missing("the hub needs an address that is not released with its load balancer")
        address = current["floating_ip_address"]
        if not leftovers.is_of_service(current):
            return Wrong(f"{address} was not allocated for the hub", current, f"to keep it: hub.address: {address}")
        return Missing(f"{address} would be released with the load balancer", current)

    async def do(self, run: Run, state: Missing[FloatingIP] | Wrong[FloatingIP]) -> None:
        if isinstance(state, Wrong):
            raise ZeroJHubError(state.detail, hint=state.hint)
        if state.value:
            await neutron.describe_floating_ip(run.cloud, state.value["id"], hub_mark(run))
        else:
            external = await names.network(run.cloud, run[Template]["external_network_id"] or "", external=True)
            await neutron.create_floating_ip(run.cloud, external, hub_mark(run))

    async def undo(self, run: Run, teardown: Teardown) -> None:
        wanted = run.deployment.hub.address
        for floating_ip in await own(run):
            address = floating_ip["floating_ip_address"]
            if wanted in (KEEP, address):
                run.note(f"the address {address} is kept; to release it: openstack floating ip delete {address}")
            else:
                await neutron.delete_floating_ip(run.cloud, floating_ip["id"])


def hub_mark(run: Run) -> str:
    """The description of a floating IP that is kept for the hub. No cloud controller releases it, and neither does Magnum."""
    return f"{mark(run)}: the hub's address"


async def own(run: Run) -> list[FloatingIP]:
    """The floating IPs that are kept for this hub."""
    return [each for each in await floating_ips(run) if each.get("description") == hub_mark(run)]


async def in_use(run: Run) -> FloatingIP | None:
    """The floating IP of the hub's load balancer, whoever allocated it."""
    ports = await _ports(run)
    return next((each for each in await floating_ips(run) if each["port_id"] in ports), None)


async def load_balancers(run: Run) -> list[LoadBalancer]:
    """The load balancers of the hub's own Service on the deployment's cluster: one, or none."""
    cluster = await run.once(magnum.find_cluster, run.cloud, run.deployment.cluster_name)
    if cluster is None:
        return []
    owners = await leftovers.owner_names(run.cloud, cluster)
    part = f"_{run.deployment.namespace}_"
    listed = await leftovers.load_balancers(run.cloud, owners)
    return [each for each in listed if part in (each["name"] or "") and (each["name"] or "").endswith("proxy-public")]


async def _ports(run: Run) -> set[str]:
    """The ports of the hub's load balancers."""
    return {port for each in await run.once(load_balancers, run) if (port := each["vip_port_id"])}
