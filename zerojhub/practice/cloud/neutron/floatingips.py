"""Floating IPs: public addresses of a server's or a load balancer's port."""

from __future__ import annotations

from zerojhub.practice.cloud.neutron.records import check_quota, common
from zerojhub.practice.cloud.octavia.traffic import VIP_OWNER, update_traffic
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, now
from zerojhub.practice.faults import Break
from zerojhub.practice.ground import Ground


def new_floatingip(store: Store, project: str, network: Record, description: str = "", address: str = "") -> Record:
    """A new floating IP that is not associated with a port."""
    check_quota(store, project, "floatingip")
    taken = [item["floating_ip_address"] for item in store.floatingips.values()]
    exhausted = store.faults.breaks("network", Break.no_addresses)
    found = None if exhausted else address or store.free_address(store.public_network)
    if not found:
        message = f"No more IP addresses available on network {network['id']}."
        raise Refusal(409, message, "IpAddressGenerationFailure")
    if found in taken:
        message = f"IP address {found} already allocated in subnet {network['subnets'][0]}"
        raise Refusal(409, message, "IpAddressAlreadyAllocated")
    floating = {
        **common(project, found, description),
        "floating_ip_address": found,
        "floating_network_id": network["id"],
        "fixed_ip_address": None,
        "port_id": None,
        "router_id": None,
        "port_details": None,
        "status": "DOWN",
    }
    # Floating IPs have no name in Neutron.
    del floating["name"]
    return store.floatingips.add(floating)


async def associate(store: Store, ground: Ground, floating: Record, port: Record) -> None:
    """Associate the floating IP with the port, and route its traffic to the port's machine or load balancer."""
    fixed = port["fixed_ips"][0]["ip_address"]
    rivals = store.floatingips.where(port_id=port["id"])
    if rivals and rivals != [floating]:
        own, network = floating["floating_ip_address"], floating["floating_network_id"]
        message = (
            f"Cannot associate floating IP {own} ({floating['id']}) with port {port['id']} using fixed IP {fixed}, "
            f"as that fixed IP already has a floating IP on external network {network}."
        )
        raise Refusal(409, message, "FloatingIPPortAlreadyAssociated")
    await disassociate(store, ground, floating)
    interfaces = [item for item in store.ports.values() if item["device_owner"] == "network:router_interface"]
    routers = [item["device_id"] for item in interfaces if item["network_id"] == port["network_id"]]
    names = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
    floating |= {
        "port_id": port["id"],
        "fixed_ip_address": fixed,
        "router_id": routers[0] if routers else None,
        "port_details": {name: port[name] for name in names},
        "status": "ACTIVE",
        "updated_at": now(),
    }
    if port["device_owner"] == VIP_OWNER:
        await update_traffic(store, ground, port["device_id"].removeprefix("lb-"))
    else:
        await ground.route(floating["floating_ip_address"], fixed)


async def disassociate(store: Store, ground: Ground, floating: Record) -> None:
    if not floating["port_id"]:
        return
    owner = floating["port_details"]["device_owner"]
    nowhere = {"port_id": None, "fixed_ip_address": None, "router_id": None, "port_details": None}
    floating |= {**nowhere, "status": "DOWN", "updated_at": now()}
    if owner == VIP_OWNER:
        await ground.unbalance(floating["floating_ip_address"])
    else:
        await ground.unroute(floating["floating_ip_address"])


async def delete_floatingip(store: Store, ground: Ground, floating: Record) -> None:
    await disassociate(store, ground, floating)
    store.floatingips.pop(floating["id"], None)


async def delete_port(store: Store, ground: Ground, port: Record) -> None:
    """Delete the port; its floating IP is disassociated."""
    for floating in store.floatingips.where(port_id=port["id"]):
        await disassociate(store, ground, floating)
    store.ports.pop(port["id"], None)
