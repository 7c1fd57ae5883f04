"""The packet rules behind floating IPs and load balancers, as one text that replaces the last in one go.

All of it lies in chains of our own, so that it can be taken away without touching a rule of anyone else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from zerojhub.practice.ground import Listener

JUMPS = (
    ("nat", "PREROUTING", "ZJH-ADDRESSES", ("-i", "{bridge}")),
    ("nat", "OUTPUT", "ZJH-ADDRESSES", ()),
    ("nat", "POSTROUTING", "ZJH-SOURCES", ()),
    ("filter", "FORWARD", "ZJH-FORWARD", ()),
    ("filter", "INPUT", "ZJH-INPUT", ()),
)
"""Where the kernel's chains go to ours: table, its chain, our chain, and the match."""

METADATA = "169.254.169.254"
"""Where every server finds out about itself."""


@dataclass
class Addresses:
    """What reaches what. `floating` maps a floating IP to a fixed address, `balanced` an address to its listeners.

    `resting` are members (address and port) that load balancers leave out, while they have others.
    """

    floating: dict[str, str] = field(default_factory=dict)
    balanced: dict[str, tuple[Listener, ...]] = field(default_factory=dict)
    resting: set[tuple[str, int]] = field(default_factory=set)

    def awake(self, address: str) -> Iterator[Listener]:
        """The listeners of a balanced address, with the members that are to be used now."""
        for listener in self.balanced[address]:
            members = tuple(member for member in listener.members if member not in self.resting)
            yield replace(listener, members=members or listener.members)

    def local(self) -> set[str]:
        """Addresses that this machine must answer for."""
        return {*self.floating, *self.balanced}


def rules(addresses: Addresses, *, bridge: str, network: str, public: str, port: int) -> str:
    """Input for `iptables-restore --noflush`."""
    nat = [":ZJH-ADDRESSES - [0:0]", ":ZJH-SOURCES - [0:0]"]
    for address in addresses.balanced:
        nat += _balance(address, addresses.awake(address))
    for floating, fixed in addresses.floating.items():
        if fixed in addresses.balanced:
            nat += _balance(floating, addresses.awake(fixed))
        else:
            nat.append(f"-A ZJH-ADDRESSES -d {floating}/32 -j DNAT --to-destination {fixed}")
    nat += [
        # Nova's metadata service; not for this machine, whose own cloud may have one.
        f"-A ZJH-ADDRESSES -i {bridge} -d {METADATA}/32 -p tcp --dport 80 -j REDIRECT --to-ports {port}",
        # The answer must come back this way to be translated back, also when client and server share a machine.
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
        # Of this machine, the others reach the practice cloud and (where it has one) its name server, and nothing else.
        f"-A ZJH-INPUT -i {bridge} -p tcp --dport {port} -j ACCEPT",
        *(f"-A ZJH-INPUT -i {bridge} -p {protocol} --dport 53 -j RETURN" for protocol in ("udp", "tcp")),
        f"-A ZJH-INPUT -i {bridge} -p icmp -j RETURN",
        f"-A ZJH-INPUT -i {bridge} -p tcp -j REJECT --reject-with tcp-reset",
        f"-A ZJH-INPUT -i {bridge} -j REJECT",
    ]
    # What nothing listens for must not end at a service of this machine that listens on every address.
    for address in (public, *(f"{balanced}/32" for balanced in addresses.balanced)):
        filtered += [
            f"-A ZJH-INPUT -d {address} -p tcp -j REJECT --reject-with tcp-reset",
            f"-A ZJH-INPUT -d {address} -j REJECT",
        ]
    return "\n".join(["*nat", *nat, "COMMIT", "*filter", *filtered, "COMMIT", ""])


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
    """The iptables arguments that insert (-I), look for (-C) or delete (-D) one of JUMPS."""
    table, chain, target, match = entry
    return ["-t", table, action, chain, *(part.format(bridge=bridge) for part in match), "-j", target]


def chains() -> Mapping[str, list[str]]:
    """Our chains by table."""
    found: dict[str, list[str]] = {}
    for table, _, target, _ in JUMPS:
        if target not in found.setdefault(table, []):
            found[table].append(target)
    return found
