"""What the project's quotas have room for, by service."""

from __future__ import annotations

from collections.abc import Mapping

from zerojhub.errors import CloudError, UserError
from zerojhub.openstack import names, neutron, nova
from zerojhub.openstack.session import Cloud

UNLIMITED = -1


async def compute_shortages(cloud: Cloud, servers: Mapping[str, int]) -> list[UserError]:
    """Where the compute quota is too small for this many servers of each flavor (name or ID -> count)."""
    limits = await nova.limits(cloud)
    flavors = {wanted: await names.flavor(cloud, wanted) for wanted in servers}
    cores = sum(flavors[wanted]["vcpus"] * count for wanted, count in servers.items())
    memory = sum(flavors[wanted]["ram"] * count for wanted, count in servers.items())
    return [
        *shortage(
            "instances",
            sum(servers.values()),
            limits.get("maxTotalInstances", UNLIMITED),
            limits.get("totalInstancesUsed", 0),
        ),
        *shortage("cores", cores, limits.get("maxTotalCores", UNLIMITED), limits.get("totalCoresUsed", 0)),
        *shortage("MB of memory", memory, limits.get("maxTotalRAMSize", UNLIMITED), limits.get("totalRAMUsed", 0)),
    ]


async def floating_ip_shortages(cloud: Cloud, count: int) -> list[UserError]:
    """Where Neutron's quota is too small for this many floating IPs; nothing where the project may not see it."""
    try:
        quota = await neutron.floating_ip_quota(cloud)
    except CloudError:
        return []
    return shortage("floating IPs", count, quota["limit"], quota["used"])


def shortage(what: str, wanted: int, limit: int, used: int) -> list[UserError]:
    """One problem, or none."""
    if limit == UNLIMITED or used + wanted <= limit:
        return []
    return [UserError(f"quota: {wanted} {what} are needed, {max(limit - used, 0)} of {limit} are free")]
