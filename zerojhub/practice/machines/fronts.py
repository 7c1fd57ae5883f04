"""Where the fronts are while there are faults for clusters and hubs: on every master, and before the published services."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from functools import partial

from zerojhub.practice.faults import HUB, KUBERNETES, Faults
from zerojhub.practice.machines.cluster import Cluster
from zerojhub.practice.machines.components import API_PORT, PKI
from zerojhub.practice.machines.front import Front, Streams, in_network_of, listen, original_destination
from zerojhub.practice.machines.machine import Machine
from zerojhub.practice.machines.network import Network
from zerojhub.practice.machines.pki import trusting

FRONT_PORT, BEHIND_PORT = 16443, 26443
"""On a master: the port of the front, and the one that leads past it."""
OWN = "practice"
"""The practice cloud's own user in clusters."""


class Fronts:
    """The fronts that the faults call for. Its methods raise GroundError."""

    def __init__(self, network: Network):
        self.faults = Faults()
        self._network = network
        self._hub: Front | None = None
        self._masters: dict[Machine, Front] = {}
        self._changing = asyncio.Lock()

    async def apply(self, clusters: Iterable[Cluster]) -> None:
        """Open the fronts that are missing, and close those that no fault needs any more."""
        services = {fault.service for fault in self.faults.active}
        async with self._changing:
            if HUB in services and not self._hub:
                where = listen("127.0.0.1", 0)
                self._hub = Front(HUB, self.faults, self._to_published)
                await self._hub.listen(where)
                await self._network.divert(where.getsockname()[1])
            elif HUB not in services and self._hub:
                await self._network.divert(0)
                self._hub.close()
                self._hub = None
            masters = {
                machine: cluster
                for cluster in clusters
                for machine, _ in cluster.nodes.values()
                if KUBERNETES in services and machine.spec in cluster.spec.masters and machine.alive
            }
            for machine in self._masters.keys() - masters.keys():
                await self._close(machine)
            for machine in masters.keys() - self._masters.keys():
                await self._open(machine, masters[machine])

    async def remove(self, cluster: Cluster) -> None:
        """Close the fronts on the masters of the cluster, until they are applied again."""
        async with self._changing:
            for machine in [machine for machine, _ in cluster.nodes.values() if machine in self._masters]:
                await self._close(machine)

    async def _to_published(self, writer: asyncio.StreamWriter) -> Streams:
        return await asyncio.open_connection(*self._network.target(*original_destination(writer)))

    async def _open(self, machine: Machine, cluster: Cluster) -> None:
        front = Front(KUBERNETES, self.faults, _past(machine, cluster), identify)
        where = in_network_of(machine.pid, partial(listen, "0.0.0.0", FRONT_PORT))
        tls = trusting(cluster.ca, ssl.Purpose.CLIENT_AUTH)
        tls.verify_mode = ssl.CERT_OPTIONAL
        tls.load_cert_chain(machine.at(f"{PKI}/apiserver.crt"), machine.at(f"{PKI}/apiserver.key"))
        await front.listen(where, tls)
        self._masters[machine] = front
        await _redirect(machine, "-I")

    async def _close(self, machine: Machine) -> None:
        self._masters.pop(machine).close()
        if machine.alive:
            await _redirect(machine, "-D")


def _past(machine: Machine, cluster: Cluster):
    """Opens connections to the API server behind the front: as a proxy that vouches for users, or for those with a token."""
    plain = trusting(cluster.ca)
    vouching = trusting(cluster.ca)
    vouching.load_cert_chain(machine.at(f"{PKI}/front-proxy.crt"), machine.at(f"{PKI}/front-proxy.key"))

    async def connect(writer: asyncio.StreamWriter) -> Streams:
        tls = vouching if writer.get_extra_info("peercert") else plain
        return await asyncio.open_connection(machine.spec.address, BEHIND_PORT, ssl=tls)

    return connect


def identify(writer: asyncio.StreamWriter) -> tuple[list[bytes], bool]:
    """The headers that name the user of a client certificate. Faults touch only people's requests."""
    subject = [pair for part in (writer.get_extra_info("peercert") or {}).get("subject", ()) for pair in part]
    names = {"commonName": "X-Remote-User", "organizationName": "X-Remote-Group"}
    headers = [f"{names[kind]}: {name}".encode() for kind, name in subject if kind in names]
    user = dict(subject).get("commonName", "system:anonymous")
    return headers, not user.startswith("system:") and user != OWN


async def _redirect(machine: Machine, action: str) -> None:
    """Insert (-I) or delete (-D) the rules that lead connections to the API server to the front."""
    to_api = ("-p", "tcp", "--dport", str(API_PORT), "-m", "addrtype", "--dst-type", "LOCAL")
    to_front = (*to_api, "-j", "REDIRECT", "--to-ports", str(FRONT_PORT))
    past = ("-p", "tcp", "--dport", str(BEHIND_PORT), "-j", "REDIRECT", "--to-ports", str(API_PORT))
    for chain, rule in (("PREROUTING", past), ("PREROUTING", to_front), ("OUTPUT", to_front)):
        await machine.run("iptables", "-w", "-t", "nat", action, chain, *rule)
