"""Octavia (load balancer API v2): the project's load balancers and their quota.

Types have the keys that the product reads, as the Load Balancer API reference names them.
"""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from zerojhub import retry
from zerojhub.answers import Time
from zerojhub.openstack.session import Cloud


class LoadBalancer(TypedDict):
    """A load balancer. `vip_address` is on its own network, a floating IP is on `vip_port_id`."""

    id: str
    name: str | None
    vip_address: str | None
    vip_port_id: str | None
    operating_status: str
    provisioning_status: str
    created_at: Time
    updated_at: NotRequired[Time | None]


class Reference(TypedDict):
    """What another record refers to."""

    id: str


class Listener(TypedDict):
    """A port of load balancers. Timeouts are in milliseconds."""

    id: str
    loadbalancers: list[Reference]
    timeout_client_data: int
    timeout_member_data: int


class Quota(TypedDict):
    """Limits of the project; -1 is unlimited."""

    load_balancer: int


async def quota(cloud: Cloud) -> int:
    """How many load balancers the project may have. CloudError where the cloud has no Octavia."""
    return (await cloud.load_balancer.get(f"/lbaas/quotas/{cloud.project_id}", Quota, within="quota"))["load_balancer"]


async def load_balancers(cloud: Cloud) -> list[LoadBalancer]:
    """The project's load balancers. CloudError where the cloud has no Octavia."""
    return await cloud.load_balancer.all("/lbaas/loadbalancers", "loadbalancers", LoadBalancer)


async def listeners(cloud: Cloud) -> list[Listener]:
    """The listeners of all the project's load balancers. CloudError where the cloud has no Octavia."""
    return await cloud.load_balancer.all("/lbaas/listeners", "listeners", Listener)


async def delete_load_balancer(cloud: Cloud, balancer_id: str) -> None:
    """Delete it with its listeners, pools and monitors."""

    async def delete() -> bool:
        # Octavia refuses it (409) for one that is being deleted.
        await cloud.load_balancer.delete(f"/lbaas/loadbalancers/{balancer_id}", cascade="true", repeatable=False)
        return True

    async def look() -> bool | None:
        left = [each for each in await load_balancers(cloud) if each["id"] == balancer_id]
        return True if all(each["provisioning_status"] in ("PENDING_DELETE", "DELETED") for each in left) else None

    await retry.settle(delete, look)
