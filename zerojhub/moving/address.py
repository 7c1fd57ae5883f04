"""The address of a hub that keeps it when it moves: the floating IP that both deployments want."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.errors import ZeroJHubError
from zerojhub.kube.kinds import SERVICE
from zerojhub.moving import plan as planning
from zerojhub.openstack import neutron
from zerojhub.stages import Values, kept_address
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.moving.sides import Side
    from zerojhub.openstack.neutron import FloatingIP
    from zerojhub.text import Say

KEEP = "loadbalancer.openstack.org/keep-floatingip"
"""The annotation that keeps the cloud controller from releasing a floating IP with its load balancer."""
RELEASE_TIMEOUT = 300
"""Seconds for a load balancer to be deleted."""


def wanted_by_both(source: Side, target: Side) -> set[str]:
    """What both ask for: `keep`, a floating IP, or nothing."""
    if source.installed is None or Values not in target.found:
        return set()
    wanted = planning.wanted_addresses(target, planning.merged_values(target))
    return wanted & planning.wanted_addresses(source, source.installed.values)


async def shared(source: Side, target: Side) -> FloatingIP | None:
    """The floating IP that both want; None if the target has another, or its own already, or is in another project."""
    both = wanted_by_both(source, target)
    if planning.project(source) != planning.project(target):
        return None
    source.run.forget_answers()
    if kept_address.KEEP in both:
        if await kept_address.own(target.run):
            return None
        own = await kept_address.own(source.run)
        return own[0] if own else await kept_address.in_use(source.run)
    for address in both:
        listed = await neutron.floating_ips(source.run.cloud, floating_ip_address=address)
        return listed[0] if listed else None
    return None


async def free(source: Side, target: Side, say: Say) -> None:
    """Have the source's load balancer leave the address that the target's wants. Repeatable. ZeroJHubError if it stays.

    The floating IP is not released: somebody else could get it. One that was kept for the source is kept for the target.
    """
    floating_ip = await shared(source, target)
    if floating_ip is None:
        return
    cloud, address = source.run.cloud, floating_ip["floating_ip_address"]
    travels = target.run.deployment.hub.address == kept_address.KEEP
    if travels:  # so that an interrupted move finds it again
        await neutron.describe_floating_ip(cloud, floating_ip["id"], kept_address.hub_mark(source.run))
    labels = f"release={source.release},component=proxy-public"
    for service in await source.kube.list(SERVICE, source.namespace, labels=labels):
        if service["spec"]["type"] == "LoadBalancer":
            change = {"metadata": {"annotations": {KEEP: "true"}}, "spec": {"type": "ClusterIP"}}
            await source.kube.merge(SERVICE, service["metadata"]["name"], source.namespace, change)

    async def is_free() -> bool | NotYet:
        port = (await neutron.get_floating_ip(cloud, floating_ip["id"]))["port_id"]
        if port and port not in [each["vip_port_id"] for each in await kept_address.load_balancers(target.run)]:
            return NotYet(f"waiting until {address} is free")
        return True

    try:
        await wait_until(is_free, timeout=RELEASE_TIMEOUT, pause=(0.5, 3), say=say)
    except TimedOut:
        raise ZeroJHubError(
            f"the old load balancer does not leave {address}", hint="see: openstack loadbalancer list"
        ) from None
    if travels:
        await neutron.describe_floating_ip(cloud, floating_ip["id"], kept_address.hub_mark(target.run))
