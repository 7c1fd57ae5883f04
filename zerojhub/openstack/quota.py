"""What the project's quotas have room for, by service."""

from __future__ import annotations

from collections.abc import Mapping

from zerojhub.errors import UserError
from zerojhub.openstack import names, neutron, nova
from zerojhub.openstack.session import Cloud, if_allowed
from zerojhub.text import plural

UNLIMITED = -1


async def compute_shortages(cloud: Cloud, servers: Mapping[str, int]) -> list[UserError]:
    """Where the compute quota is too small for this many servers of each flavor (name or ID -> count)."""
    limits = await nova.limits(cloud)
    flavors = {wanted: await names.flavor(cloud, wanted) for wanted in servers}
    instances = sum(servers.values())
    cores = sum(flavors[wanted]["vcpus"] * count for wanted, count in servers.items())
    memory = sum(flavors[wanted]["ram"] * count for wanted, count in servers.items())
    return [
        *_shortage(
            plural(instances, "instance"),
            instances,
            limits.get("maxTotalInstances", UNLIMITED),
            limits.get("totalInstancesUsed", 0),
        ),
        *_shortage(
            plural(cores, "core"), cores, limits.get("maxTotalCores", UNLIMITED), limits.get("totalCoresUsed", 0)
        ),
        *_shortage(
            f"{memory} MB of memory",
            memory,
            limits.get("maxTotalRAMSize", UNLIMITED),
            limits.get("totalRAMUsed", 0),
        ),
    ]


async def floating_ip_shortages(cloud: Cloud, count: int) -> list[UserError]:
    """Where Neutron's quota is too small for this many floating IPs; nothing where the project may not see it."""
    with if_allowed():
        limit, used = await neutron.floating_ip_quota(cloud)
        return _shortage(plural(count, "floating IP"), count, limit, used)
    return []


def _shortage(what: str, wanted: int, limit: int, used: int) -> list[UserError]:
    """One problem, or none."""
    if limit == UNLIMITED or used + wanted <= limit:
        return []
    return [UserError(f"quota: {what} needed, {max(limit - used, 0)} of {limit} free")]
