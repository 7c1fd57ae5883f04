"""The iptables rules behind floating IPs and load balancers, as one text that replaces the previous rules atomically.

All rules are in our own chains, so they can be removed without touching anyone else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network

from zerojhub.practice.ground import Listener
from zerojhub.practice.machines.components import API_PORT

JUMPS = (
    ("nat", "PREROUTING", "ZJH-ADDRESSES", ("-i", "{bridge}")),
    ("nat", "OUTPUT", "ZJH-ADDRESSES", ()),
    ("nat", "POSTROUTING", "ZJH-SOURCES", ()),
    ("filter", "FORWARD", "ZJH-FORWARD", ()),
    ("filter", "INPUT", "ZJH-INPUT", ()),
)
"""Jumps from the kernel's chains to ours: table, chain, our chain, match."""

NODE_PORTS = "30000:32767"
"""The ports of Services of type NodePort."""
METADATA = "169.254.169.254"
"""The address of Nova's metadata service."""


@dataclass
class Addresses:
    """`floating` maps each floating IP to a fixed address, `balanced` each load balancer's address to its listeners.

    `resting` holds members (address and port) that load balancers skip while they have others. `front` is the port on this
    machine where connections from it to published services are led; 0: nowhere. `admitted` are the ports of this machine's
    own address that only it and the practice machines reach.
    """

    floating: dict[str, str] = field(default_factory=dict)
    balanced: dict[str, tuple[Listener, ...]] = field(default_factory=dict)
    resting: set[tuple[str, int]] = field(default_factory=set)
    front: int = 0
    admitted: set[int] = field(default_factory=set)

    def awake(self, address: str) -> Iterator[Listener]:
        """The listeners of a balanced address, each with the members in use."""
        for listener in self.balanced[address]:
            members = tuple(member for member in listener.members if member not in self.resting)
            yield replace(listener, members=members or listener.members)

    def published(self) -> Iterator[tuple[str, str]]:
        """Where services other than SSH and the Kubernetes API are reached: address and ports."""
        for address in self.local():
            listeners = self.balanced.get(self.floating.get(address, address))
            if listeners is None:
                yield address, NODE_PORTS
            for listener in listeners or ():
                if listener.transport == "tcp" and listener.port != API_PORT:
                    yield address, str(listener.port)

    def local(self) -> set[str]:
        """Addresses that this machine must accept."""
        return {*self.floating, *self.balanced}


def rules(addresses: Addresses, *, bridge: str, network: str, public: str, port: int) -> str:
    """Input for `iptables-restore --noflush`."""
    nat = [":ZJH-ADDRESSES - [0:0]", ":ZJH-SOURCES - [0:0]"]
    if addresses.front:
        nat += [
            f"-A ZJH-ADDRESSES ! -i {bridge} -d {address}/32 -p tcp --dport {ports} -j REDIRECT --to-ports {addresses.front}"
            for address, ports in sorted(addresses.published())
        ]
    for address in addresses.balanced:
        nat += _balance(address, addresses.awake(address))
    for floating, fixed in addresses.floating.items():
        if fixed in addresses.balanced:
            nat += _balance(floating, addresses.awake(fixed))
        else:
            nat.append(f"-A ZJH-ADDRESSES -d {floating}/32 -j DNAT --to-destination {fixed}")
    nat += [
        # The metadata service, for the practice machines only: the host may be a server with its own metadata service.
        f"-A ZJH-ADDRESSES -i {bridge} -d {METADATA}/32 -p tcp --dport 80 -j REDIRECT --to-ports {port}",
        # Replies must come back through here to be translated, even if client and server are on the same machine.
        f"-A ZJH-SOURCES -o {bridge} -m conntrack --ctstate DNAT -j MASQUERADE",
        f"-A ZJH-SOURCES -s {network} ! -o {bridge} -j MASQUERADE",
    ]
    filtered = [
        ":ZJH-FORWARD - [0:0]",
        ":ZJH-INPUT - [0:0]",
        f"-A ZJH-FORWARD -i {bridge} -j ACCEPT",
        f"-A ZJH-FORWARD -o {bridge} -m conntrack --ctstate ESTABLISHED,RELATED,DNAT -j ACCEPT",
        f"-A ZJH-FORWARD -o {bridge} -j DROP",
        "-A ZJH-INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
        # The practice machines can reach only the practice cloud and a name server (if any) on this machine.
        f"-A ZJH-INPUT -i {bridge} -p tcp --dport {port} -j ACCEPT",
        *(rule for each in sorted(addresses.admitted) for rule in _admit(each, bridge, str(IPv4Network(network)[1]))),
        *(f"-A ZJH-INPUT -i {bridge} -p {protocol} --dport 53 -j RETURN" for protocol in ("udp", "tcp")),
        f"-A ZJH-INPUT -i {bridge} -p icmp -j RETURN",
        f"-A ZJH-INPUT -i {bridge} -p tcp -j REJECT --reject-with tcp-reset",
        f"-A ZJH-INPUT -i {bridge} -j REJECT",
    ]
    # Traffic without a listener must not reach services of this machine that listen on all addresses.
    for address in (public, *(f"{balanced}/32" for balanced in addresses.balanced)):
        filtered += [
            f"-A ZJH-INPUT -d {address} -p tcp -j REJECT --reject-with tcp-reset",
            f"-A ZJH-INPUT -d {address} -j REJECT",
        ]
    return "\n".join(["*nat", *nat, "COMMIT", "*filter", *filtered, "COMMIT", ""])


def _admit(port: int, bridge: str, gateway: str) -> Iterator[str]:
    own = f"-d {gateway}/32 -p tcp --dport {port}"
    yield f"-A ZJH-INPUT -i {bridge} {own} -j ACCEPT"
    yield f"-A ZJH-INPUT -i lo {own} -j RETURN"
    yield f"-A ZJH-INPUT {own} -j REJECT --reject-with tcp-reset"


def _balance(address: str, listeners: Iterable[Listener]) -> Iterator[str]:
    for listener in listeners:
        for index, (member, port) in enumerate(listener.members):
            left = len(listener.members) - index
            share = f" -m statistic --mode random --probability {1 / left:.8f}" if left > 1 else ""
            yield (
                f"-A ZJH-ADDRESSES -d {address}/32 -p {listener.transport} --dport {listener.port}{share}"
                f" -j DNAT --to-destination {member}:{port}"
            )


def jump(entry: tuple[str, str, str, tuple[str, ...]], action: str, bridge: str) -> list[str]:
    """The iptables arguments that insert (-I), check (-C) or delete (-D) one of JUMPS."""
    table, chain, target, match = entry
    return ["-t", table, action, chain, *(part.format(bridge=bridge) for part in match), "-j", target]


def chains() -> Mapping[str, list[str]]:
    """Our chains, by table."""
    found: dict[str, list[str]] = {}
    for table, _, target, _ in JUMPS:
        if target not in found.setdefault(table, []):
            found[table].append(target)
    return found
