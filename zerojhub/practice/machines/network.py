"""The practice network: a bridge for the machines, and the host's addresses that lead to them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from zerojhub.practice.ground import GroundError, Listener
from zerojhub.practice.machines import kernel, nat, ranges
from zerojhub.practice.machines.command import run

BRIDGE = "zjh0"


@dataclass(frozen=True)
class KeptNetwork:
    """A network that outlives its process."""

    cidr: str
    public: str
    addresses: nat.Addresses


class Network:
    """Bridge, cables, floating IPs and load balancers. All methods raise GroundError."""

    def __init__(self, state: Path, port: int):
        self.port = port
        self.cidr = self.gateway = self.public = ""
        self._addresses = nat.Addresses()
        self._held: set[str] = set()
        self._changing = asyncio.Lock()
        self._settings_before = state / "kernel.json"

    async def up(self, kept: KeptNetwork | None = None) -> None:
        """Create the network, after removing what an earlier run left. `kept`: as that one had it."""
        await self.down()
        used = await ranges.in_use(BRIDGE)
        machines, floating = ([kept.cidr], [kept.public]) if kept else (ranges.MACHINES, ranges.FLOATING)
        self.cidr, self.public = ranges.choose(machines, used), ranges.choose(floating, used)
        self._addresses = kept.addresses if kept else self._addresses
        self.gateway = str(IPv4Network(self.cidr)[1])
        kernel.change(self._settings_before)
        await run("ip", "link", "add", BRIDGE, "type", "bridge")
        await run("ip", "address", "add", f"{self.gateway}/{IPv4Network(self.cidr).prefixlen}", "dev", BRIDGE)
        await run("ip", "link", "set", BRIDGE, "up")
        # Packets for an unused floating IP must not leave for the host's network.
        await run("ip", "route", "add", "unreachable", self.public, "metric", "9999")
        await self._apply()
        for entry in nat.JUMPS:
            await run("iptables", "-w", *nat.jump(entry, "-I", BRIDGE))

    async def down(self) -> None:
        """Remove every trace of it, including an earlier run's."""
        for entry in nat.JUMPS:
            with contextlib.suppress(GroundError):
                await run("iptables", "-w", *nat.jump(entry, "-C", BRIDGE))
                await run("iptables", "-w", *nat.jump(entry, "-D", BRIDGE))
        for table, chains in nat.chains().items():
            for action in ("-F", "-X"):
                for chain in chains:
                    await run("iptables", "-w", "-t", table, action, chain, check=False)
        for candidate in ranges.FLOATING:
            await run("ip", "route", "del", "unreachable", candidate, "metric", "9999", check=False)
        await self._release_all()
        await run("ip", "link", "del", BRIDGE, check=False)
        kernel.put_back(self._settings_before)
        self._addresses = nat.Addresses()

    def kept(self) -> KeptNetwork:
        """What another process creates the same network from."""
        return KeptNetwork(self.cidr, self.public, replace(self._addresses, resting=set(), front=0))

    async def plug(self, pid: int, name: str, address: str) -> None:
        """Connect the network namespace of a process to the bridge, with this address."""
        mac = "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in IPv4Address(address).packed[1:])
        cable = _cable(name)
        await run(
            *("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "address", mac, "netns", str(pid))
        )
        await run("ip", "link", "set", cable, "master", BRIDGE, "up")
        prefix = IPv4Network(self.cidr).prefixlen
        await run(
            *("nsenter", f"--target={pid}", "--net", "ip", "-batch", "-"),
            input=f"link set lo up\naddress add {address}/{prefix} dev eth0\nlink set eth0 up\n"
            f"route add default via {self.gateway}\n",
        )

    async def unplug(self, name: str) -> None:
        """Remove the cable. The kernel would do so too, but only some time after the namespace has ended."""
        await run("ip", "link", "del", _cable(name), check=False)

    async def add_address(self, pid: int, address: str) -> None:
        """Add an address to the network namespace of a plugged-in process."""
        await run("nsenter", f"--target={pid}", "--net", "ip", "address", "replace", f"{address}/32", "dev", "eth0")

    async def remove_address(self, pid: int, address: str) -> None:
        for prefix in (32, IPv4Network(self.cidr).prefixlen):
            own = f"{address}/{prefix}"
            await run("nsenter", f"--target={pid}", "--net", "ip", "address", "del", own, "dev", "eth0", check=False)

    async def route(self, floating: str, fixed: str) -> None:
        if IPv4Address(floating) not in IPv4Network(self.public):
            raise GroundError(f"{floating} is not an address in {self.public}")
        async with self._changing:
            self._addresses.floating[floating] = fixed
            await self._apply()

    async def unroute(self, floating: str) -> None:
        async with self._changing:
            if self._addresses.floating.pop(floating, None):
                await self._apply()

    async def balance(self, address: str, listeners: tuple[Listener, ...]) -> None:
        async with self._changing:
            self._addresses.balanced[address] = listeners
            await self._apply()

    async def unbalance(self, address: str) -> None:
        async with self._changing:
            if self._addresses.balanced.pop(address, None) is not None:
                await self._apply()

    async def divert(self, port: int) -> None:
        """Lead connections from this machine to published services to that port of its own; 0: no longer."""
        async with self._changing:
            self._addresses.front = port
            await self._apply()

    async def admit(self, port: int) -> None:
        """Let the practice machines connect to that port of this machine, and nobody outside it."""
        async with self._changing:
            self._addresses.admitted.add(port)
            await self._apply()

    def target(self, address: str, port: int) -> tuple[str, int]:
        """Where a connection to a published service leads."""
        fixed = self._addresses.floating.get(address, address)
        for listener in self._addresses.awake(fixed) if fixed in self._addresses.balanced else ():
            if (listener.port, listener.transport) == (port, "tcp"):
                return random.choice(listener.members)
        return fixed, port

    @contextlib.asynccontextmanager
    async def resting(self, address: str, port: int) -> AsyncIterator[None]:
        """Take a member out of all load balancers for a while, as their health monitors eventually would."""
        async with self._changing:
            self._addresses.resting.add((address, port))
            await self._apply()
        try:
            yield
        finally:
            async with self._changing:
                self._addresses.resting.discard((address, port))
                await self._apply()

    async def _apply(self) -> None:
        text = nat.rules(self._addresses, bridge=BRIDGE, network=self.cidr, public=self.public, port=self.port)
        await run("iptables-restore", "-w", "--noflush", input=text)
        wanted = self._addresses.local()
        for address in wanted - self._held:
            await run("ip", "address", "replace", f"{address}/32", "dev", "lo", "label", "lo:zjh")
        for address in self._held - wanted:
            await run("ip", "address", "del", f"{address}/32", "dev", "lo", check=False)
        self._held = wanted

    async def _release_all(self) -> None:
        for line in (await run("ip", "-o", "-4", "address", "show", "label", "lo:zjh")).splitlines():
            await run("ip", "address", "del", line.split()[3], "dev", "lo", check=False)
        self._held = set()


def _cable(name: str) -> str:
    return f"zjh-{name[:8]}"
