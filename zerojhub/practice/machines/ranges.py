"""Addresses for the practice networks that do not conflict with the host's own networks."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network

from zerojhub.practice.ground import GroundError
from zerojhub.practice.machines.command import run

MACHINES = ("10.253.0.0/16", "10.241.0.0/16", "172.30.0.0/16", "192.168.224.0/20")
"""Candidates for the machines' network; Kubernetes uses 10.100.0.0/16 and 10.254.0.0/16."""
FLOATING = ("198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24")
"""Candidates for floating IPs: the documentation ranges of RFC 5737, which the Internet never routes."""


def choose(candidates: Sequence[str], used: Iterable[IPv4Network]) -> str:
    """The first candidate that does not overlap a network in use. Raises GroundError if they all do."""
    used = list(used)
    for candidate in candidates:
        if not any(IPv4Network(candidate).overlaps(network) for network in used):
            return candidate
    raise GroundError(f"none of {', '.join(candidates)} is free: this machine has routes or addresses in each of them")


async def in_use(ours: str) -> list[IPv4Network]:
    """The networks that this machine has routes or addresses in, except those of the device `ours` and of lo."""
    routes = json.loads(await run("ip", "-j", "-4", "route", "show", "table", "all"))
    links = json.loads(await run("ip", "-j", "-4", "address", "show"))
    found = []
    for route in routes:
        if route["dst"] != "default" and route.get("dev") not in (ours, "lo") and route.get("type") != "unreachable":
            found.append(ipaddress.ip_network(route["dst"], strict=False))
    for link in links:
        for address in link.get("addr_info", ()):
            if link["ifname"] not in (ours, "lo"):
                found.append(ipaddress.ip_network(f"{address['local']}/{address['prefixlen']}", strict=False))
    return [network for network in found if isinstance(network, IPv4Network)]
