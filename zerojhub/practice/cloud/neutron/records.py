"""Neutron's records: networks, subnets, subnet pools, routers, ports and security groups.

In reality every machine is on the single practice network; all networks recorded here take their addresses from it.
"""

from __future__ import annotations

import contextlib
import ipaddress
from typing import Any

from zerojhub.practice.cloud.neutron.errors import missing
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, Table, new_id, now

DNS = "8.8.8.8"
"""Default name server of subnets, as in Magnum."""

GATEWAY = "network:router_gateway"
"""device_owner of a router's gateway port on the external network."""
INTERFACE = "network:router_interface"
"""device_owner of a router's port on a project network."""

MATCH = ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")
"""The fields of a security group rule that match packets."""


def tables(store: Store) -> dict[str, Table]:
    return {
        "networks": store.networks,
        "subnets": store.subnets,
        "subnetpools": store.subnetpools,
        "routers": store.routers,
        "ports": store.ports,
        "security-groups": store.security_groups,
        "security-group-rules": store.security_group_rules,
        "floatingips": store.floatingips,
    }


def key(kind: str) -> str:
    """The key of a collection of the kind in a body."""
    return kind.replace("-", "_")


def get(store: Store, kind: str, ident: str) -> Record:
    record = tables(store)[kind].get(ident)
    if not record:
        raise missing(kind, ident)
    return record


def check_quota(store: Store, project: str, resource: str) -> None:
    """Raises Refusal (409) if the quota does not allow one more of the resource."""
    if store.over_quota("network", project, {resource: 1}):
        raise Refusal(409, f"Quota exceeded for resources: ['{resource}'].", "OverQuota")


def common(project: str, name: str, description: str = "") -> Record:
    """The fields that all Neutron records have."""
    return {
        "id": new_id(),
        "name": name,
        "description": description,
        "project_id": project,
        "tenant_id": project,
        "tags": [],
        "created_at": now(),
        "updated_at": now(),
        "revision_number": 1,
    }


def new_network(store: Store, project: str, name: str, *, external: bool = False) -> Record:
    check_quota(store, project, "network")
    network = {
        **common(project, name),
        "status": "ACTIVE",
        "admin_state_up": True,
        "subnets": [],
        "shared": False,
        "router:external": external,
        "is_default": external,
        "mtu": 1500,
        "port_security_enabled": True,
        "availability_zone_hints": [],
        "availability_zones": [store.zone],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "qinq": False,
        "vlan_transparent": False,
    }
    return store.networks.add(network)


def new_subnet(
    store: Store,
    project: str,
    network: Record,
    name: str,
    cidr: str,
    *,
    dhcp: bool = True,
    nameservers: list[str] | None = None,
    pool: Record | None = None,
) -> Record:
    check_quota(store, project, "subnet")
    try:
        hosts = ipaddress.IPv4Network(cidr, strict=False)
    except ValueError:
        raise Refusal(400, f"Invalid input for operation: {cidr} is not in a CIDR format.", "InvalidInput") from None
    if any(hosts.overlaps(ipaddress.IPv4Network(store.subnets[other]["cidr"])) for other in network["subnets"]):
        message = f"Requested subnet with cidr: {hosts} for network: {network['id']} overlaps with another subnet."
        raise Refusal(400, f"Invalid input for operation: {message}", "InvalidInput")
    subnet = {
        **common(project, name),
        "network_id": network["id"],
        "ip_version": 4,
        "cidr": str(hosts),
        "gateway_ip": store.gateway if cidr == store.network else str(hosts[1]),
        "allocation_pools": [{"start": str(hosts[2]), "end": str(hosts[-2])}],
        "enable_dhcp": dhcp,
        "dns_nameservers": nameservers or [],
        "host_routes": [],
        "subnetpool_id": pool["id"] if pool else None,
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
        "service_types": [],
        "router:external": network["router:external"],
    }
    network["subnets"].append(subnet["id"])
    return store.subnets.add(subnet)


def new_subnet_pool(store: Store, project: str, name: str, wanted: Record) -> Record:
    """A pool of the prefixes; subnets with its ID take theirs from it."""
    check_quota(store, project, "subnetpool")
    for prefix in wanted["prefixes"]:
        try:
            ipaddress.IPv4Network(prefix)
        except ValueError:
            raise Refusal(400, f"Invalid input for prefixes. Reason: '{prefix}' is not a valid IP subnet.") from None
    prefixes = [ipaddress.IPv4Network(prefix) for prefix in wanted["prefixes"]]
    least = wanted.get("min_prefixlen", 8)
    pool = {
        **common(project, name),
        "ip_version": 4,
        "prefixes": [str(prefix) for prefix in ipaddress.collapse_addresses(prefixes)],
        "min_prefixlen": str(least),
        "default_prefixlen": str(wanted.get("default_prefixlen", least)),
        "max_prefixlen": str(wanted.get("max_prefixlen", 32)),
        "default_quota": wanted.get("default_quota"),
        "address_scope_id": None,
        "is_default": False,
        "shared": False,
    }
    return store.subnetpools.add(pool)


def prefix_of(store: Store, pool: Record, length: int | None) -> str:
    """A prefix of the pool, of this length, that no subnet has yet."""
    taken = [ipaddress.IPv4Network(each["cidr"]) for each in store.subnets.where(subnetpool_id=pool["id"])]
    for prefix in map(ipaddress.IPv4Network, pool["prefixes"]):
        length = length or max(int(pool["default_prefixlen"]), prefix.prefixlen)
        for part in prefix.subnets(new_prefix=length) if length >= prefix.prefixlen else ():
            if not any(part.overlaps(each) for each in taken):
                return str(part)
    raise Refusal(
        503,
        f"Failed to allocate subnet: Insufficient prefix space to allocate subnet size /{length}.",
        "SubnetAllocationError",
    )


def mac_address(address: str) -> str:
    """The MAC address that the machine with this address has on the practice network."""
    return "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(address).packed[1:])


def new_port(store: Store, project: str, network: Record, name: str = "", address: str = "", **fields: Any) -> Record:
    """A new port with the requested address of its network's subnet, or the next free one."""
    check_quota(store, project, "port")
    subnet = store.subnets[network["subnets"][0]] if network["subnets"] else None
    fixed = []
    if subnet:
        found = address or store.free_address(subnet["cidr"])
        if not found:
            message = f"No more IP addresses available on network {network['id']}."
            raise Refusal(409, message, "IpAddressGenerationFailure")
        fixed = [{"subnet_id": subnet["id"], "ip_address": found}]
    port = {
        **common(project, name),
        "network_id": network["id"],
        "status": "ACTIVE",
        "admin_state_up": True,
        "mac_address": mac_address(fixed[0]["ip_address"]) if fixed else mac_address("0.0.0.0"),
        "fixed_ips": fixed,
        "device_id": "",
        "device_owner": "",
        "security_groups": [],
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "port_security_enabled": True,
        "binding:vnic_type": "normal",
        **fields,
    }
    return store.ports.add(port)


def new_router(store: Store, project: str, name: str, external: Record | None, subnets: list[Record]) -> Record:
    check_quota(store, project, "router")
    router = {
        **common(project, name),
        "status": "ACTIVE",
        "admin_state_up": True,
        "external_gateway_info": None,
        "routes": [],
        "flavor_id": None,
        "availability_zone_hints": [],
        "availability_zones": [store.zone],
    }
    store.routers.add(router)
    set_gateway(store, router, external)
    for subnet in subnets:
        add_interface(store, router, subnet)
    return router


def set_gateway(store: Store, router: Record, external: Record | None) -> None:
    """Set or clear the router's gateway."""
    for port in store.ports.where(device_id=router["id"], device_owner=GATEWAY):
        del store.ports[port["id"]]
    router["external_gateway_info"] = None
    if external:
        port = new_port(store, "", external, device_id=router["id"], device_owner=GATEWAY)
        info = {"network_id": external["id"], "enable_snat": True, "external_fixed_ips": port["fixed_ips"]}
        router["external_gateway_info"] = info


def interfaces(store: Store, router: Record, subnet: str) -> list[Record]:
    """The router's ports on the subnet."""
    own = store.ports.where(device_id=router["id"], device_owner=INTERFACE)
    return [port for port in own if any(fixed["subnet_id"] == subnet for fixed in port["fixed_ips"])]


def add_interface(store: Store, router: Record, subnet: Record) -> Record:
    if interfaces(store, router, subnet["id"]):
        raise Refusal(400, f"Bad router request: Router already has a port on subnet {subnet['id']}.", "BadRequest")
    owner = {"device_id": router["id"], "device_owner": INTERFACE, "port_security_enabled": False}
    return new_port(store, router["project_id"], store.networks[subnet["network_id"]], **owner)


def new_security_group(store: Store, project: str, name: str, description: str = "") -> Record:
    check_quota(store, project, "security_group")
    group = {**common(project, name, description), "stateful": True, "shared": False}
    store.security_groups.add(group)
    for version in ("IPv4", "IPv6"):
        new_rule(store, group, {"direction": "egress", "ethertype": version})
    return group


def new_rule(store: Store, group: Record, wanted: Record) -> Record:
    least, most = wanted.get("port_range_min"), wanted.get("port_range_max")
    if least is not None and not wanted.get("protocol"):
        message = "Must also specify protocol if port range is given."
        raise Refusal(400, message, "SecurityGroupProtocolRequiredWithPorts")
    if wanted.get("protocol") in ("tcp", "udp") and least is not None and most is not None and least > most:
        message = "For TCP/UDP protocols, port_range_min must be <= port_range_max"
        raise Refusal(400, message, "SecurityGroupInvalidPortRange")
    rule = {
        **common(group["project_id"], ""),
        "security_group_id": group["id"],
        "direction": wanted.get("direction", "ingress"),
        "ethertype": wanted.get("ethertype", "IPv4"),
        "description": wanted.get("description", ""),
        "remote_address_group_id": None,
        **{name: wanted.get(name) for name in MATCH},
        "normalized_cidr": wanted.get("remote_ip_prefix"),
        "belongs_to_default_sg": group["name"] == "default",
    }
    # Rules have no name and no tags.
    del rule["name"], rule["tags"]
    alike = {name: rule[name] for name in ("security_group_id", "direction", "ethertype", *MATCH)}
    if same := store.security_group_rules.where(**alike):
        message = f"Security group rule already exists. Rule id is {same[0]['id']}."
        raise Refusal(409, message, "SecurityGroupRuleExists")
    return store.security_group_rules.add(rule)


def default_security_group(store: Store, project: str) -> Record:
    group = new_security_group(store, project, "default", "Default security group")
    for version in ("IPv4", "IPv6"):
        new_rule(store, group, {"ethertype": version, "remote_group_id": group["id"]})
    return group


def render(store: Store, kind: str, record: Record) -> Record:
    if kind == "security-groups":
        return {**record, "security_group_rules": store.security_group_rules.where(security_group_id=record["id"])}
    if kind == "networks" and not record["router:external"]:
        return {name: value for name, value in record.items() if name != "is_default"}
    return record


def forget(store: Store, kind: str, ident: str) -> None:
    """Delete a record and its dependents. Raises Refusal (409) while it is in use."""
    record = get(store, kind, ident)
    if kind == "networks":
        ports = store.ports.where(network_id=ident)
        if ids := ", ".join(port["id"] for port in ports if port["device_owner"] != GATEWAY):
            message = (
                f"Unable to complete operation on network {ident}. There are one or more ports still in use on the "
                f"network, id for these ports is: {ids}."
            )
            raise Refusal(409, message, "NetworkInUse")
        for subnet in record["subnets"]:
            store.subnets.pop(subnet, None)
    if kind == "subnets":
        taken = (address["subnet_id"] for port in store.ports.values() for address in port["fixed_ips"])
        if ident in taken:
            reason = "One or more ports have an IP allocation from this subnet."
            raise Refusal(409, f"Unable to complete operation on subnet {ident}: {reason}", "SubnetInUse")
        with contextlib.suppress(KeyError, ValueError):
            store.networks[record["network_id"]]["subnets"].remove(ident)
    if kind == "subnetpools" and store.subnets.where(subnetpool_id=ident):
        message = "Unable to delete subnet pool: Subnet pool has existing allocations."
        raise Refusal(400, message, "SubnetPoolDeleteError")
    if kind == "routers":
        ports = store.ports.where(device_id=ident)
        if ids := ", ".join(port["id"] for port in ports if port["device_owner"] != GATEWAY):
            raise Refusal(409, f"Router {ident} has ports still attached: {ids}", "RouterInUse")
        for port in ports:
            del store.ports[port["id"]]
    if kind == "security-groups":
        if record["name"] == "default":
            message = "Insufficient rights for removing default security group."
            raise Refusal(409, message, "SecurityGroupCannotRemoveDefault")
        if any(ident in port["security_groups"] for port in store.ports.values()):
            raise Refusal(409, f"Security Group {ident} in use.", "SecurityGroupInUse")
        for rule in store.security_group_rules.where(security_group_id=ident):
            del store.security_group_rules[rule["id"]]
    del tables(store)[kind][ident]
