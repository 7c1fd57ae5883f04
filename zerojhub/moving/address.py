"""The address of a hub that keeps it when it moves: the floating IP that both deployments' values name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.errors import ZeroJHubError
from zerojhub.hub.charts import at
from zerojhub.kube.kinds import SERVICE
from zerojhub.moving import plan as planning
from zerojhub.openstack import neutron
from zerojhub.stages import Values
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.hub.charts import ChartValues
    from zerojhub.moving.sides import Side
    from zerojhub.text import Say

KEEP = "loadbalancer.openstack.org/keep-floatingip"
"""The annotation that keeps the cloud controller from releasing a floating IP with its load balancer."""
RELEASE_TIMEOUT = 300
"""Seconds for a load balancer to be deleted."""


def of(values: ChartValues) -> str | None:
    """The address that the values want for the hub's load balancer."""
    wanted = at(values, "proxy", "service", "loadBalancerIP")
    return str(wanted) if wanted else None


def shared(source: Side, target: Side) -> str | None:
    """The address that both want; None if the target has another."""
    if source.installed is None or Values not in target.found:
        return None
    wanted = of(planning.merged_values(target))
    return wanted if wanted == of(source.installed.values) else None


async def free(source: Side, target: Side, say: Say) -> None:
    """Have the source's load balancer leave the address that the target's wants. Repeatable. ZeroJHubError if it stays.

    The floating IP is not released: somebody else could get it.
    """
    wanted = shared(source, target)
    if wanted is None:
        return
    labels = f"release={source.release},component=proxy-public"
    for service in await source.kube.list(SERVICE, source.namespace, labels=labels):
        if service["spec"]["type"] == "LoadBalancer":
            change = {"metadata": {"annotations": {KEEP: "true"}}, "spec": {"type": "ClusterIP"}}
            await source.kube.merge(SERVICE, service["metadata"]["name"], source.namespace, change)

    async def is_free() -> bool | NotYet:
        listed = await neutron.floating_ips(source.run.cloud, floating_ip_address=wanted)
        used = [each for each in listed if each["port_id"]]
        return NotYet(f"waiting until {wanted} is free") if used else True

    try:
        await wait_until(is_free, timeout=RELEASE_TIMEOUT, pause=(0.5, 3), say=say)
    except TimedOut:
        raise ZeroJHubError(
            f"the old load balancer does not leave {wanted}", hint="see: openstack loadbalancer list"
        ) from None
