"""What the project still has room for, by service; None where a service keeps its limits to itself."""

from __future__ import annotations

from zerojhub.errors import CloudError, UserError, ZeroJHubError
from zerojhub.openstack import names
from zerojhub.openstack.session import Cloud

UNLIMITED = -1


async def compute_lack(cloud: Cloud, servers: dict[str, int]) -> list[ZeroJHubError]:
    """Where the compute quota is too small for this many servers of each flavor (name or ID -> count)."""
    limits = (await cloud.compute.get("/limits"))["limits"]["absolute"]
    flavors = {wanted: await names.flavor(cloud, wanted) for wanted in servers}
    needed = {
        "instances": (sum(servers.values()), "Instances", "Instances"),
        "cores": (sum(flavors[name]["vcpus"] * count for name, count in servers.items()), "Cores", "Cores"),
        "MB of memory": (sum(flavors[name]["ram"] * count for name, count in servers.items()), "RAMSize", "RAM"),
    }
    lack = []
    for what, (wanted, limit, used) in needed.items():
        total, taken = limits.get(f"maxTotal{limit}", UNLIMITED), limits.get(f"total{used}Used", 0)
        lack += short(what, wanted, total, taken)
    return lack


async def network_lack(cloud: Cloud, floating_ips: int) -> list[ZeroJHubError]:
    """Where Neutron's quota is too small; nothing where the project may not see it."""
    try:
        quota = (await cloud.network.get(f"/quotas/{cloud.project_id}/details.json"))["quota"]["floatingip"]
    except CloudError:
        return []
    return short("floating IPs", floating_ips, int(quota["limit"]), int(quota["used"]))


def short(what: str, wanted: int, limit: int, used: int) -> list[ZeroJHubError]:
    if limit == UNLIMITED or used + wanted <= limit:
        return []
    return [UserError(f"quota: {wanted} {what} are needed, {max(limit - used, 0)} of {limit} are free")]
