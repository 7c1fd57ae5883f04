"""Neutron (networking API v2.0): networks, ports, floating IPs, security group rules, subnet pools and quotas.

Types have the keys that the product reads, as the Networking API reference names them.
"""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from zerojhub import retry
from zerojhub.answers import Number, Time
from zerojhub.errors import CloudError
from zerojhub.openstack.session import Cloud


class Network(TypedDict):
    """A network, of the project or shared with it."""

    id: str
    name: str


class Subnet(TypedDict):
    """A subnet of such a network."""

    id: str
    name: str


class Port(TypedDict):
    """A port. `device_id` is the server it belongs to, empty when it is unused; `security_groups` are IDs."""

    id: str
    name: str
    network_id: str
    device_id: str
    security_groups: list[str]


class Gateway(TypedDict):
    """Where a router leads to."""

    network_id: str


class Router(TypedDict):
    """A router; None for one that leads nowhere."""

    id: str
    name: str
    external_gateway_info: Gateway | None


class SecurityGroup(TypedDict):
    """A security group."""

    id: str
    name: str
    description: str | None


class Availability(TypedDict):
    """How many addresses a network has, and how many of them are in use."""

    total_ips: int
    used_ips: int


class FloatingIP(TypedDict):
    """A floating IP of the project. `port_id` and `fixed_ip_address` are None while it is not attached."""

    id: str
    floating_ip_address: str
    fixed_ip_address: str | None
    port_id: str | None
    project_id: str
    description: NotRequired[str | None]


class SecurityGroupRule(TypedDict):
    """A security group rule; no port range means every port."""

    id: str
    security_group_id: str
    description: NotRequired[str | None]
    port_range_min: int | None
    port_range_max: int | None


class SubnetPool(TypedDict):
    """A subnet pool, of the project or shared with it. Its times are those of Neutron's clock, in whole seconds."""

    id: str
    name: str
    project_id: str
    description: NotRequired[str | None]
    created_at: NotRequired[Time]
    updated_at: NotRequired[Time]


class QuotaUsage(TypedDict):
    """A limit (-1 is unlimited) and what is used of it."""

    limit: Number
    used: Number


async def networks(cloud: Cloud, *, external: bool = False) -> list[Network]:
    """The networks that the project sees; with `external` only those that floating IPs come from."""
    query = {"router:external": True} if external else {}
    return await cloud.network.all("/networks", "networks", Network, **query)


async def subnets(cloud: Cloud) -> list[Subnet]:
    return await cloud.network.all("/subnets", "subnets", Subnet)


async def routers(cloud: Cloud) -> list[Router]:
    return await cloud.network.all("/routers", "routers", Router)


async def availability(cloud: Cloud, network_id: str) -> Availability:
    """How many addresses of a network are in use. CloudError for everyone but administrators, on most clouds."""
    path = f"/network-ip-availabilities/{network_id}"
    return await cloud.network.get(path, Availability, within="network_ip_availability")


async def security_groups(cloud: Cloud) -> list[SecurityGroup]:
    return await cloud.network.all("/security-groups", "security_groups", SecurityGroup)


async def ports(cloud: Cloud, **query: str) -> list[Port]:
    """The project's ports; `query` filters by their keys, such as `network_id` and `device_owner`."""
    return await cloud.network.all("/ports", "ports", Port, **query)


async def get_port(cloud: Cloud, port_id: str) -> Port:
    return await cloud.network.get(f"/ports/{port_id}", Port, within="port")


async def delete_port(cloud: Cloud, port_id: str) -> None:
    await cloud.network.delete(f"/ports/{port_id}")


async def floating_ips(cloud: Cloud, **query: str) -> list[FloatingIP]:
    """The project's floating IPs; `query` filters by their keys, such as `floating_ip_address` or `port_id`."""
    return await cloud.network.all("/floatingips", "floatingips", FloatingIP, **query)


async def get_floating_ip(cloud: Cloud, floating_ip_id: str) -> FloatingIP:
    return await cloud.network.get(f"/floatingips/{floating_ip_id}", FloatingIP, within="floatingip")


async def create_floating_ip(cloud: Cloud, network: Network, description: str) -> FloatingIP:
    """Allocate a floating IP from the external network. No other may be allocated with this description meanwhile.

    Raises CloudError, with the network's name if it has no free address.
    """
    body = {"floatingip": {"floating_network_id": network["id"], "description": description}}

    async def create() -> FloatingIP:
        return await cloud.network.post("/floatingips", body, FloatingIP, within="floatingip")

    async def look() -> FloatingIP | None:
        free = [each for each in await floating_ips(cloud) if each["port_id"] is None]
        return next((each for each in free if each.get("description") == description), None)

    try:
        return await retry.settle(create, look)
    except CloudError as error:
        if error.hint:  # Neutron itself names only IDs
            error.message = f"no floating IP from {network['name']}: {error.message}"
        raise


async def attach_floating_ip(cloud: Cloud, floating_ip_id: str, port_id: str) -> None:
    """Attach the floating IP to the port; it leaves the port it was on."""
    await cloud.network.put(f"/floatingips/{floating_ip_id}", {"floatingip": {"port_id": port_id}})


async def detach_floating_ip(cloud: Cloud, floating_ip_id: str) -> None:
    """Detach the floating IP from its port; the project keeps it."""
    await cloud.network.put(f"/floatingips/{floating_ip_id}", {"floatingip": {"port_id": None}})


async def describe_floating_ip(cloud: Cloud, floating_ip_id: str, description: str) -> None:
    """Give the floating IP another description, by which those who release floating IPs know theirs."""
    await cloud.network.put(f"/floatingips/{floating_ip_id}", {"floatingip": {"description": description}})


async def delete_floating_ip(cloud: Cloud, floating_ip_id: str) -> None:
    await cloud.network.delete(f"/floatingips/{floating_ip_id}")


async def security_group_rules(cloud: Cloud, *, description: str) -> list[SecurityGroupRule]:
    """The project's security group rules with exactly this description."""
    rules = await cloud.network.all(
        "/security-group-rules", "security_group_rules", SecurityGroupRule, description=description
    )
    # A Neutron that does not know this filter answers with every rule of the project.
    return [rule for rule in rules if rule.get("description") == description]


async def allow_tcp(cloud: Cloud, security_group_id: str, port: int, description: str) -> SecurityGroupRule:
    """Add a rule to the security group that lets IPv4 connections to the TCP port in."""
    rule = {
        "security_group_id": security_group_id,
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": "tcp",
        "port_range_min": port,
        "port_range_max": port,
        "description": description,
    }
    body = {"security_group_rule": rule}

    async def create() -> SecurityGroupRule:
        return await cloud.network.post("/security-group-rules", body, SecurityGroupRule, within="security_group_rule")

    async def look() -> SecurityGroupRule | None:
        ours = await security_group_rules(cloud, description=description)
        same = (security_group_id, port)
        return next((each for each in ours if (each["security_group_id"], each["port_range_min"]) == same), None)

    return await retry.settle(create, look)


async def delete_security_group_rule(cloud: Cloud, rule_id: str) -> None:
    await cloud.network.delete(f"/security-group-rules/{rule_id}")


async def subnet_pools(cloud: Cloud, name: str) -> list[SubnetPool]:
    """The project's own subnet pools of this name."""
    pools = await cloud.network.all("/subnetpools", "subnetpools", SubnetPool, name=name)
    return [pool for pool in pools if pool["project_id"] == cloud.project_id]


async def create_subnet_pool(cloud: Cloud, name: str, prefix: str, description: str) -> SubnetPool:
    """Create a subnet pool of the addresses. No other may have this name and description."""
    body = {"subnetpool": {"name": name, "prefixes": [prefix], "description": description}}

    async def create() -> SubnetPool:
        return await cloud.network.post("/subnetpools", body, SubnetPool, within="subnetpool")

    async def look() -> SubnetPool | None:
        return next((each for each in await subnet_pools(cloud, name) if each.get("description") == description), None)

    return await retry.settle(create, look)


async def describe_subnet_pool(cloud: Cloud, pool_id: str, description: str) -> None:
    """Change the description; with a new one, Neutron also changes the time of the last update."""
    await cloud.network.put(f"/subnetpools/{pool_id}", {"subnetpool": {"description": description}})


async def delete_subnet_pool(cloud: Cloud, pool_id: str) -> None:
    await cloud.network.delete(f"/subnetpools/{pool_id}")


async def quotas(cloud: Cloud) -> dict[str, QuotaUsage]:
    """The project's quotas by resource, such as `port`. CloudError where the project may not see them."""
    path = f"/quotas/{cloud.project_id}/details.json"
    return await cloud.network.get(path, dict[str, QuotaUsage], within="quota")
