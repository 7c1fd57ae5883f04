"""Load balancers' traffic: the ground forwards what the records say."""

from __future__ import annotations

from zerojhub.practice.cloud.store import Store
from zerojhub.practice.ground import Ground, Listener

VIP_OWNER = "Octavia"
"""device_owner of a port that is a load balancer's address."""


def transport(protocol: str) -> str:
    """What a listener's protocol goes over: tcp, udp or sctp. One port may be taken once on each."""
    return protocol.lower() if protocol in ("UDP", "SCTP") else "tcp"


async def update_traffic(store: Store, ground: Ground, loadbalancer: str) -> None:
    """Tell the ground all listeners and members of the load balancer, at its VIP and at a floating IP that leads there.

    A load balancer that is gone, or has no listener, gets no traffic.
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
