"""The traffic of load balancers: the ground forwards it according to the records."""

from __future__ import annotations

from zerojhub.practice.cloud.store import Store
from zerojhub.practice.ground import Ground, Listener

VIP_OWNER = "Octavia"
"""device_owner of a load balancer's VIP port."""


def transport(protocol: str) -> str:
    """The transport of a listener's protocol: tcp, udp or sctp."""
    return protocol.lower() if protocol in ("UDP", "SCTP") else "tcp"


async def update_traffic(store: Store, ground: Ground, loadbalancer: str) -> None:
    """Apply the load balancer's listeners and members to the ground, for its VIP and floating IP.

    A load balancer that was deleted or has no listener gets no traffic.
    """
    record = store.loadbalancers.get(loadbalancer)
    if not record:
        return
    listeners = []
    for listener in store.listeners.where(loadbalancer_id=loadbalancer):
        members = store.members.where(pool_id=listener["default_pool_id"])
        targets = tuple((member["address"], member["protocol_port"]) for member in members if member["admin_state_up"])
        listeners.append(Listener(listener["protocol_port"], targets, transport(listener["protocol"])))
    floating = store.floatingips.where(port_id=record["vip_port_id"])
    for address in (record["vip_address"], *(item["floating_ip_address"] for item in floating)):
        if listeners:
            await ground.balance(address, tuple(listeners))
        else:
            await ground.unbalance(address)
