"""The real ground: Linux machines built from namespaces, with a real Kubernetes."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from zerojhub.practice.build import Built
from zerojhub.practice.controllers.autoscaler import Autoscaler
from zerojhub.practice.faults import Faults
from zerojhub.practice.ground import CA, GroundError, KubernetesSpec, Listener, MachineSpec
from zerojhub.practice.machines import cgroups, filesystem, rotation, upgrade
from zerojhub.practice.machines.cluster import Cluster, KeptCluster
from zerojhub.practice.machines.command import run
from zerojhub.practice.machines.components import API_PORT
from zerojhub.practice.machines.fronts import Fronts
from zerojhub.practice.machines.machine import KeptMachine, Machine, Site
from zerojhub.practice.machines.network import KeptNetwork, Network
from zerojhub.practice.objectstore import ObjectStore

SNAPSHOT = "snapshot.pickle"
"""The file in the state folder with what the practice cloud is."""
OBJECT_STORE = "object-store"
"""The folder of its data, in the state folder."""
COPY_TIMEOUT = 300
"""Seconds to copy a volume."""


@dataclass(frozen=True)
class Kept:
    """What outlives the process."""

    network: KeptNetwork
    machines: list[KeptMachine]
    clusters: list[KeptCluster]


class LinuxGround:
    """See Ground. `up` creates the network, after removing what an earlier run left; `down` removes everything."""

    def __init__(self, state: Path, built: Built, port: int):
        self._state, self._built, self._port = state, built, port
        self._network = Network(state, port)
        self._machines: dict[str, Machine] = {}
        self._clusters: dict[str, Cluster] = {}
        self._autoscalers: dict[str, Autoscaler] = {}
        self._fronts = Fronts(self._network)
        self._object_store = ObjectStore(state / OBJECT_STORE, built.swift)
        self.grows_in_use = filesystem.grows_while_mounted()

    versions = property(lambda self: tuple(self._built.kubernetes))
    network = property(lambda self: self._network.cidr)
    gateway = property(lambda self: self._network.gateway)
    public_network = property(lambda self: self._network.public)
    _apis = property(lambda self: f"http://{self.gateway}:{self._port}")

    @property
    def _site(self) -> Site:
        return Site(self._state, self._built.root, self._built.layers, self._built.kubernetes, self._apis)

    async def up(self) -> None:
        await sweep(self._state)
        for folder in ("machines", "clusters", "volumes"):
            (self._state / folder).mkdir(parents=True, exist_ok=True)
        await self._network.up()

    def state(self) -> Kept:
        return Kept(
            self._network.kept(),
            [machine.kept() for machine in self._machines.values()],
            [cluster.kept() for cluster in self._clusters.values()],
        )

    async def resume(self, kept: Kept) -> None:
        """Instead of `up`, after the process that had all this was killed: machines that were running boot from their disks."""
        for name in cgroups.machines():
            await asyncio.to_thread(cgroups.CGroup(name).remove)
        for each in kept.machines:
            await self._network.unplug(each.spec.id)
        await self._network.up(kept.network)
        self._machines = {each.spec.id: Machine.of(each, self._site, self._network) for each in kept.machines}
        await asyncio.gather(*(self._machines[each.spec.id].start() for each in kept.machines if each.on))
        for known in kept.clusters:
            folder = self._state / "clusters" / known.spec.id
            cluster = self._clusters[known.spec.id] = Cluster(known.spec, folder, self._network.gateway, known)
            cluster.nodes = {ident: (self._machines[ident], subnet) for ident, subnet in known.nodes.items()}
            for machine in [node for node, _ in cluster.nodes.values() if node.alive]:
                await cluster.reconnect(machine)
            self._start_autoscaler(cluster)

    async def down(self) -> None:
        await self.inject(Faults())
        for cluster_id in list(self._clusters):
            await self.stop_cluster(cluster_id)
        await asyncio.gather(*(machine.halt() for machine in self._machines.values()))
        self._machines.clear()
        await self._object_store.stop()
        await self._network.down()
        await sweep(self._state)

    async def admit(self, port: int) -> None:
        """Let machines and their pods connect to that port of the gateway."""
        await self._network.admit(port)

    async def boot(self, machine: MachineSpec) -> None:
        new = self._machines[machine.id] = Machine(machine, self._site, self._network)
        await new.boot()

    async def halt(self, machine_id: str) -> None:
        if machine := self._machines.pop(machine_id, None):
            for cluster in self._clusters.values():
                await cluster.forget(machine)
            await machine.halt()

    async def stop(self, machine_id: str) -> None:
        if machine := self._machines.get(machine_id):
            await machine.stop()

    async def start(self, machine_id: str) -> None:
        machine = self._machines.get(machine_id)
        if machine and not machine.alive:
            await machine.start()
            for cluster in self._clusters_of(machine):
                await cluster.reconnect(machine)
            await self._fronts.apply(self._clusters.values())

    async def rebuild(self, machine: MachineSpec) -> None:
        old = self._machine(machine.id)
        await old.halt()
        await self.boot(machine)
        new = self._machines[machine.id]
        for volume, (file, device) in old.volumes.items():
            new.attach(volume, file, device)
        for cluster in self._clusters_of(new):
            await cluster.replace(new)

    def _clusters_of(self, machine: Machine) -> list[Cluster]:
        return [cluster for cluster in self._clusters.values() if machine.spec.id in cluster.nodes]

    async def plug(self, machine_id: str, address: str) -> None:
        if machine := self._machines.get(machine_id):
            await machine.plug(address)

    async def unplug(self, machine_id: str, address: str) -> None:
        if machine := self._machines.get(machine_id):
            await machine.unplug(address)

    def console(self, machine_id: str) -> str:
        machine = self._machine(machine_id)
        return machine.console.read_text(errors="replace") if machine.console.exists() else ""

    def alive(self, machine_id: str) -> bool:
        return machine_id in self._machines and self._machines[machine_id].alive

    async def start_cluster(self, cluster: KubernetesSpec) -> None:
        if cluster.version not in self._built.kubernetes:
            raise GroundError(
                f"Kubernetes {cluster.version} has not been built (available: {', '.join(self.versions)})"
            )
        new = self._clusters[cluster.id] = Cluster(cluster, self._state / "clusters" / cluster.id, self.gateway)
        await new.start([self._machine(master.id) for master in cluster.masters])
        self._start_autoscaler(new)
        await self._fronts.apply(self._clusters.values())

    async def join(self, cluster_id: str, machine: MachineSpec) -> None:
        await self._cluster(cluster_id).join(self._machine(machine.id))

    async def leave(self, cluster_id: str, machine: MachineSpec) -> None:
        await self._cluster(cluster_id).leave(self._machine(machine.id))

    async def upgrade(self, cluster_id: str, machine: MachineSpec, version: str) -> None:
        await upgrade.upgrade(self._cluster(cluster_id), self._machine(machine.id), version)

    async def rotate_ca(self, cluster_id: str) -> None:
        cluster = self._cluster(cluster_id)
        await self._fronts.remove(cluster)
        await rotation.rotate(cluster)
        await self._fronts.apply(self._clusters.values())

    async def reconfigure(self, cluster_id: str, cloud_config: str) -> None:
        cluster = self._cluster(cluster_id)
        await cluster.reconfigure(cloud_config)
        await self._stop_autoscaler(cluster_id)
        self._start_autoscaler(cluster)

    def _start_autoscaler(self, cluster: Cluster) -> None:
        """Start the autoscaler outside the cluster, if its driver has one."""
        spec = cluster.spec
        if spec.autoscaler:
            address = f"https://{spec.masters[0].address}:{API_PORT}"
            self._autoscalers[spec.id] = Autoscaler(address, cluster.folder, spec.id, spec.cloud_config)

    async def _stop_autoscaler(self, cluster_id: str) -> None:
        if autoscaler := self._autoscalers.pop(cluster_id, None):
            await autoscaler.stop()

    async def stop_cluster(self, cluster_id: str) -> None:
        await self._stop_autoscaler(cluster_id)
        if cluster := self._clusters.pop(cluster_id, None):
            await cluster.stop()

    async def ready(self, cluster_id: str) -> dict[str, bool]:
        return await self._cluster(cluster_id).ready()

    def ca(self, cluster_id: str, kind: CA = "kubernetes") -> str:
        return self._cluster(cluster_id).authorities[kind].pair.certificate

    def sign(self, cluster_id: str, csr: str, kind: CA = "kubernetes") -> str:
        return self._cluster(cluster_id).authorities[kind].sign(csr)

    async def object_store(self, password: str) -> str:
        return await self._object_store.start(f"{self._apis}/identity", password)

    async def inject(self, faults: Faults) -> None:
        self._fronts.faults = faults
        await self._fronts.apply(self._clusters.values())

    async def route(self, floating: str, fixed: str) -> None:
        await self._network.route(floating, fixed)

    async def unroute(self, floating: str) -> None:
        await self._network.unroute(floating)

    async def balance(self, address: str, listeners: tuple[Listener, ...]) -> None:
        await self._network.balance(address, listeners)

    async def unbalance(self, address: str) -> None:
        await self._network.unbalance(address)

    async def make_volume(self, volume_id: str, gigabytes: int, like: str | None = None) -> None:
        file = self._volume(volume_id)
        if like:
            await run("cp", "--reflink=auto", str(self._volume(like)), str(file), timeout=COPY_TIMEOUT)
        file.touch(mode=0o600)
        os.truncate(file, gigabytes * 2**30)

    async def grow_volume(self, volume_id: str, gigabytes: int) -> None:
        os.truncate(self._volume(volume_id), gigabytes * 2**30)
        for machine in self._machines.values():
            machine.grow(volume_id)
        if not self.grows_in_use and not any(volume_id in machine.volumes for machine in self._machines.values()):
            await filesystem.grow(self._volume(volume_id))

    async def remove_volume(self, volume_id: str) -> None:
        self._volume(volume_id).unlink(missing_ok=True)

    async def attach_volume(self, volume_id: str, machine_id: str, device: str) -> None:
        if machine := self._machines.get(machine_id):
            machine.attach(volume_id, self._volume(volume_id), device)

    async def detach_volume(self, volume_id: str, machine_id: str) -> None:
        if machine := self._machines.get(machine_id):
            await asyncio.to_thread(machine.detach, volume_id)

    def _volume(self, volume_id: str) -> Path:
        return self._state / "volumes" / volume_id

    def _machine(self, machine_id: str) -> Machine:
        if machine_id not in self._machines:
            raise GroundError(f"no machine {machine_id}")
        return self._machines[machine_id]

    def _cluster(self, cluster_id: str) -> Cluster:
        if cluster_id not in self._clusters:
            raise GroundError(f"no cluster {cluster_id}")
        return self._clusters[cluster_id]


async def sweep(state: Path) -> None:
    """Stop and remove all machines and their state, whoever started them."""
    for name in cgroups.machines():
        await asyncio.to_thread(cgroups.CGroup(name).remove)
    cgroups.remove_parent()
    for folder in ("machines", "clusters", "volumes", OBJECT_STORE):
        await asyncio.to_thread(shutil.rmtree, state / folder, ignore_errors=True)
    (state / SNAPSHOT).unlink(missing_ok=True)
