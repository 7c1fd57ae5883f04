"""A Ground for API tests: fake machines that boot instantly, and a real certificate authority."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
from typing import get_args

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from zerojhub.practice.faults import Faults
from zerojhub.practice.ground import CA, GroundError, KubernetesSpec, Listener, MachineSpec
from zerojhub.practice.objectstore import ObjectStore

KEPT = ("machines", "off", "addresses", "clusters", "nodes", "routes", "balanced", "volumes", "disks")
"""What a ground knows of what exists."""


def named(kind: CA) -> x509.Name:
    """The name of a CA."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, kind)])


class InstantGround:
    """Records its calls. Booting and halting take `pause` seconds, and do not finish while their name is in `held`."""

    versions: tuple[str, ...] = ("v1.14.3", "v1.15.7", "v1.34.4")
    grows_in_use = True
    network = "10.221.0.0/24"
    gateway = "10.221.0.1"
    public_network = "127.221.0.0/24"

    def __init__(self, pause: float = 0.0):
        self.pause: float = pause
        self.held: set[str] = set()
        self.machines: dict[str, MachineSpec] = {}
        self.off: set[str] = set()
        self.addresses: dict[str, set[str]] = {}
        self.log: list[tuple[str, str]] = []
        self.clusters: dict[str, KubernetesSpec] = {}
        self.nodes: dict[str, dict[str, str]] = {}
        self.routes: dict[str, str] = {}
        self.balanced: dict[str, tuple[Listener, ...]] = {}
        self.volumes: dict[str, int] = {}
        self.disks: dict[tuple[str, str], str] = {}
        """Machine and device -> volume."""
        self.swift: ObjectStore | None = None
        self.url = ""
        """Where the object store finds the APIs."""
        self.upgraded: list[tuple[str, str]] = []
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.authorities: dict[CA, x509.Certificate] = {
            kind: self._certify(self.key.public_key(), named(kind), kind) for kind in get_args(CA)
        }

    def _certify(self, public_key, subject: x509.Name, kind: CA) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).public_key(public_key)
        builder = builder.issuer_name(named(kind))
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        return builder.sign(self.key, hashes.SHA256())

    def state(self) -> dict[str, object]:
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {name: getattr(self, name) for name in KEPT} | {"key": key}

    def resume(self, kept: object) -> None:
        """Go on with the `state` of another ground, which may be that of another process."""
        assert isinstance(kept, dict)
        for name in KEPT:
            setattr(self, name, kept[name])
        key = load_pem_private_key(kept["key"], None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.key = key
        self.authorities = {kind: self._certify(self.key.public_key(), named(kind), kind) for kind in get_args(CA)}

    async def _take_time(self, what: str) -> None:
        await asyncio.sleep(self.pause)
        while what in self.held:
            await asyncio.sleep(0.02)

    async def boot(self, machine: MachineSpec) -> None:
        await self._take_time("boot")
        if "unbootable" in machine.name:
            raise GroundError("the machine did not answer")
        self.machines[machine.id] = machine
        self.addresses[machine.id] = {machine.address}

    async def halt(self, machine_id: str) -> None:
        await self._take_time("halt")
        self.machines.pop(machine_id, None)
        self.addresses.pop(machine_id, None)
        self.off.discard(machine_id)
        self.disks = {where: volume for where, volume in self.disks.items() if where[0] != machine_id}
        for nodes in self.nodes.values():
            for name in [name for name, ident in nodes.items() if ident == machine_id]:
                del nodes[name]

    async def stop(self, machine_id: str) -> None:
        await self._take_time("stop")
        if self.alive(machine_id):
            self.off.add(machine_id)
            self.log.append(("stop", machine_id))

    async def start(self, machine_id: str) -> None:
        await self._take_time("start")
        if machine_id not in self.machines:
            return
        if "unstartable" in self.machines[machine_id].name:
            raise GroundError("the machine did not answer")
        self.off.discard(machine_id)
        self.log.append(("start", machine_id))

    async def rebuild(self, machine: MachineSpec) -> None:
        await self._take_time("rebuild")
        self.machines[machine.id] = machine
        self.off.discard(machine.id)
        self.log.append(("rebuild", machine.id))

    async def plug(self, machine_id: str, address: str) -> None:
        if machine_id in self.machines:
            self.addresses[machine_id].add(address)

    async def unplug(self, machine_id: str, address: str) -> None:
        if machine_id in self.machines:
            self.addresses[machine_id].discard(address)

    def console(self, machine_id: str) -> str:
        if machine_id not in self.machines:
            raise GroundError(f"no machine {machine_id}")
        return f"boot\nssh-ed25519 AAAA root@{self.machines[machine_id].name}\nlogin:\n"

    def alive(self, machine_id: str) -> bool:
        return machine_id in self.machines and machine_id not in self.off

    async def start_cluster(self, cluster: KubernetesSpec) -> None:
        self.clusters[cluster.id] = cluster
        self.nodes[cluster.id] = {master.name: master.id for master in cluster.masters}

    async def join(self, cluster_id: str, machine: MachineSpec) -> None:
        self.nodes[cluster_id][machine.name] = machine.id

    async def leave(self, cluster_id: str, machine: MachineSpec) -> None:
        del self.nodes[cluster_id][machine.name]

    async def upgrade(self, cluster_id: str, machine: MachineSpec, version: str) -> None:
        await self._take_time("upgrade")
        if version not in self.versions:
            raise GroundError(f"Kubernetes {version} has not been built (available: {', '.join(self.versions)})")
        self.upgraded.append((machine.name, version))

    async def stop_cluster(self, cluster_id: str) -> None:
        self.clusters.pop(cluster_id, None)
        self.nodes.pop(cluster_id, None)

    async def rotate_ca(self, cluster_id: str) -> None:
        await self._take_time("rotate")
        self.authorities["kubernetes"] = self._certify(self.key.public_key(), named("kubernetes"), "kubernetes")

    async def reconfigure(self, cluster_id: str, cloud_config: str) -> None:
        await self._take_time("reconfigure")
        self.clusters[cluster_id] = dataclasses.replace(self.clusters[cluster_id], cloud_config=cloud_config)

    async def ready(self, cluster_id: str) -> dict[str, bool]:
        return {name: self.alive(ident) for name, ident in self.nodes[cluster_id].items()}

    def ca(self, cluster_id: str, kind: CA = "kubernetes") -> str:
        return self.authorities[kind].public_bytes(Encoding.PEM).decode()

    def sign(self, cluster_id: str, csr: str, kind: CA = "kubernetes") -> str:
        request = x509.load_pem_x509_csr(csr.encode())
        return self._certify(request.public_key(), request.subject, kind).public_bytes(Encoding.PEM).decode()

    async def object_store(self, password: str) -> str:
        if not self.swift:
            raise GroundError("object storage is not built")
        return await self.swift.start(f"{self.url}/identity", password)

    async def inject(self, faults: Faults) -> None:
        pass

    async def route(self, floating: str, fixed: str) -> None:
        self.routes[floating] = fixed

    async def unroute(self, floating: str) -> None:
        self.routes.pop(floating, None)

    async def balance(self, address: str, listeners: tuple[Listener, ...]) -> None:
        self.balanced[address] = listeners

    async def unbalance(self, address: str) -> None:
        self.balanced.pop(address, None)

    async def make_volume(self, volume_id: str, gigabytes: int, like: str | None = None) -> None:
        assert like is None or like in self.volumes
        self.volumes[volume_id] = gigabytes

    async def grow_volume(self, volume_id: str, gigabytes: int) -> None:
        assert gigabytes > self.volumes[volume_id]
        self.volumes[volume_id] = gigabytes

    async def remove_volume(self, volume_id: str) -> None:
        self.volumes.pop(volume_id, None)

    async def attach_volume(self, volume_id: str, machine_id: str, device: str) -> None:
        assert volume_id in self.volumes
        assert (machine_id, device) not in self.disks
        if machine_id in self.machines:
            self.disks[machine_id, device] = volume_id

    async def detach_volume(self, volume_id: str, machine_id: str) -> None:
        gone = (machine_id, volume_id)
        self.disks = {where: volume for where, volume in self.disks.items() if (where[0], volume) != gone}
