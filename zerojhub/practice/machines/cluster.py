"""Kubernetes on booted machines: the control plane on the masters, and nodes that join and leave."""

from __future__ import annotations

import asyncio
import dataclasses
import platform
import shutil
import time
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import TypeVar

from zerojhub.practice.ground import CA, GroundError, KubernetesSpec, MachineSpec
from zerojhub.practice.machines import addons, components, drain
from zerojhub.practice.machines.components import API_PORT, PKI
from zerojhub.practice.machines.kubeapi import KubeAPI, Object
from zerojhub.practice.machines.machine import Machine
from zerojhub.practice.machines.pki import Authority, Pair, service_account_key

Answer = TypeVar("Answer")

API_TIMEOUT = 300
NODE_TIMEOUT = 300
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
"""The CA certificates that a machine's system trusts. The cloud-config of Heat drivers refers to a copy."""
CORDONED = "node.kubernetes.io/unschedulable"
"""The taint of a cordoned node."""
SHUNNED = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""Prefixes of the taints that Kubernetes and the cloud controllers set."""


@dataclasses.dataclass(frozen=True)
class KeptCluster:
    """A cluster that outlives the process that has started it; `nodes` are pod subnets by machine."""

    spec: KubernetesSpec
    authorities: dict[CA, Pair]
    tokens: tuple[str, str]
    nodes: dict[str, IPv4Network]


class Cluster:
    """One Kubernetes cluster. Its methods raise GroundError."""

    def __init__(self, spec: KubernetesSpec, folder: Path, name_server: str, kept: KeptCluster | None = None):
        """`kept`: it is one of an earlier process, whose folder is still there."""
        self.spec, self.folder, self._name_server = spec, folder, name_server
        self.authorities: dict[CA, Authority]
        if kept:
            self.authorities = {kind: Authority.of(pair) for kind, pair in kept.authorities.items()}
            self.authority, self._tokens = self.authorities["kubernetes"], kept.tokens
            self.ca = self.authority.pair.certificate
        else:
            self.authorities = {"etcd": Authority("etcd-ca"), "front-proxy": Authority("front-proxy-ca")}
            self.certify()
            self._tokens = service_account_key()
        self.nodes: dict[str, tuple[Machine, IPv4Network]] = {}
        """Machine UUID -> machine and pod subnet."""
        # Without the lock, a hundred nodes joining together would start ten thousand programs together.
        self._routing = asyncio.Lock()
        services = IPv4Network(spec.service_network)
        self._api_service, self._dns = str(services[1]), str(services[10])
        self._subnets = list(IPv4Network(spec.pod_network).subnets(new_prefix=24))
        self.server = f"https://{spec.endpoint or spec.masters[0].address}:{API_PORT}"
        """The API's URL for workers."""
        self.api = self.client(spec.masters[0].address)

    def kept(self) -> KeptCluster:
        pairs = {kind: authority.pair for kind, authority in self.authorities.items()}
        return KeptCluster(self.spec, pairs, self._tokens, {ident: subnet for ident, (_, subnet) in self.nodes.items()})

    def certify(self) -> None:
        """Create the CA of Kubernetes, and issue our own client certificate."""
        self.authority = self.authorities["kubernetes"] = Authority("kubernetes")
        self.ca = self.authority.pair.certificate
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        pair = self.authority.issue("practice", "system:masters")
        for name, text in (("ca.crt", self.ca), ("client.crt", pair.certificate), ("client.key", pair.key)):
            (self.folder / name).touch(mode=0o600)
            (self.folder / name).write_text(text)

    async def start(self, masters: list[Machine]) -> None:
        """Start the control plane, and make the masters nodes. Returns once the addons are installed."""
        await asyncio.gather(*(self.start_master(machine) for machine in masters))
        deadline = time.monotonic() + API_TIMEOUT
        await self.wait_for_api(deadline)
        await asyncio.gather(
            _insist(self._add_addons, deadline),
            *(self._start_node(machine) for machine in masters),
        )

    async def reconfigure(self, cloud_config: str) -> None:
        """Replace the cloud-config, and restart the cloud controllers with it."""
        self.spec = dataclasses.replace(self.spec, cloud_config=cloud_config)
        await addons.apply(self.api, addons.of_cloud(self.spec))

    async def _add_addons(self) -> None:
        await addons.apply(self.api, addons.of(self.spec, self._dns, self._name_server))

    async def wait_for_api(self, deadline: float) -> None:
        while not await self.api.answers():
            if time.monotonic() > deadline:
                raise GroundError(f"the Kubernetes API of {self.spec.name} did not become ready within {API_TIMEOUT} s")
            await asyncio.sleep(0.2)

    async def join(self, machine: Machine) -> None:
        """Make it a node. Returns once it is Ready."""
        await self._start_node(machine)
        await self.wait_for_node(machine.spec)

    async def leave(self, machine: Machine) -> None:
        """Drain it and remove it from the cluster. A machine that is off is not drained."""
        name = machine.spec.name
        if machine.alive:
            await drain.cordon(self.api, name)
            await drain.drain(self.api, name)
            await machine.end("kubelet", "kube-proxy")
        await self.api.delete(f"/api/v1/nodes/{name}")
        await self.forget(machine)

    async def reconnect(self, machine: Machine) -> None:
        """Restore the routes to its pods after a reboot: routes are not stored on disk."""
        await self._route_pods(machine, self.nodes[machine.spec.id][1])

    async def replace(self, machine: Machine) -> None:
        """Make a machine with a new disk the same node as before. A master's etcd is lost with the old disk."""
        self.nodes[machine.spec.id] = machine, self.nodes[machine.spec.id][1]
        if machine.spec not in self.spec.masters:
            await self.join(machine)

    async def forget(self, machine: Machine) -> None:
        """Release its pod subnet."""
        gone = self.nodes.pop(machine.spec.id, None)
        if gone:
            others = [other for other, _ in self.nodes.values() if other.alive]
            await asyncio.gather(*(other.run("ip", "route", "del", str(gone[1]), check=False) for other in others))

    def link(self, machine: Machine, programs: tuple[str, ...], version: str) -> None:
        """Switch the machine's programs to this version. It takes effect when they restart."""
        for program in programs:
            machine.link(f"/usr/local/bin/{program}", f"/opt/kubernetes/{version}/{program}")

    def client(self, address: str) -> KubeAPI:
        """An admin client for the API server at that address."""
        return KubeAPI(f"https://{address}:{API_PORT}", self.ca, self.folder / "client.crt", self.folder / "client.key")

    async def ready(self) -> dict[str, bool]:
        listed = await self.api.get("/api/v1/nodes") or {"items": []}
        return {node["metadata"]["name"]: _is_ready(node) for node in listed["items"]}

    async def stop(self) -> None:
        await self.api.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def start_master(self, machine: Machine) -> None:
        """Start or restart etcd and the control plane, with new certificates."""
        spec = machine.spec
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        names += ["localhost", "127.0.0.1", self._api_service, *self.spec.api_addresses]
        names += [self.spec.endpoint] if self.spec.endpoint else []
        names += [part for master in self.spec.masters for part in (master.name, master.address)]
        pairs = {
            "ca": self.authority.pair,
            "apiserver": self.authority.issue("kube-apiserver", alternatives=list(dict.fromkeys(names))),
            "apiserver-kubelet": self.authority.issue("kube-apiserver-kubelet-client", "system:masters"),
            "etcd": self.authorities["etcd"].issue("etcd", alternatives=[spec.name, spec.address]),
            "front-proxy": self.authorities["front-proxy"].issue("front-proxy"),
        }
        for name, pair in pairs.items():
            _write_pair(machine, name, pair)
        for kind in ("etcd", "front-proxy"):
            machine.write(f"{PKI}/{kind}-ca.crt", self.authorities[kind].pair.certificate)
        machine.write(f"{PKI}/sa.key", self._tokens[0], 0o600)
        machine.write(f"{PKI}/sa.pub", self._tokens[1])
        users = {
            "admin": ("kubernetes-admin", "system:masters"),
            "controller-manager": ("system:kube-controller-manager", None),
            "scheduler": ("system:kube-scheduler", None),
        }
        for name, (user, group) in users.items():
            self._write_kubeconfig(machine, name, self.authority.issue(user, group))
        self.link(machine, components.CONTROL_PLANE, self.spec.version)
        services = components.master_services(self.spec, spec)
        if platform.machine() == "aarch64":
            services["etcd"][1]["ETCD_UNSUPPORTED_ARCH"] = "arm64"
        await machine.serve(services)

    async def _start_node(self, machine: Machine) -> None:
        spec = machine.spec
        subnet = self._reserve(machine)
        machine.write("/etc/cni/net.d/10-pods.conflist", components.cni_config(str(subnet)))
        self.link(machine, components.NODE_PROGRAMS, self.spec.version)
        await self._route_pods(machine, subnet)
        await self.start_kubelet(machine)
        await self._introduce(spec, subnet)

    async def start_kubelet(self, machine: Machine) -> None:
        """Start or restart the node's programs, with new certificates."""
        spec = machine.spec
        if not self.spec.cluster_api:
            machine.write("/etc/kubernetes/cloud-config", self.spec.cloud_config, 0o600)
            machine.write("/etc/kubernetes/ca-bundle.crt", machine.read(CERTIFICATES))
        machine.write(f"{PKI}/ca.crt", self.ca)
        serving = self.authority.issue(f"system:node:{spec.name}", "system:nodes", [spec.name, spec.address])
        _write_pair(machine, "kubelet", serving)
        self._write_kubeconfig(machine, "kubelet", serving)
        self._write_kubeconfig(machine, "proxy", self.authority.issue("system:kube-proxy"))
        machine.write("/etc/kubernetes/kubelet.yaml", components.kubelet_config(self.spec, spec, self._dns))
        machine.write("/etc/kubernetes/proxy.yaml", components.proxy_config(self.spec))
        await machine.serve(components.node_services(self.spec, spec))

    async def _introduce(self, spec: MachineSpec, subnet: IPv4Network) -> None:
        """Set what a node may not set itself: its role and its pod subnet."""
        role = "master" if spec in self.spec.masters else "worker"
        labels = {
            "magnum.openstack.org/role": spec.role or role,
            "magnum.openstack.org/nodegroup": spec.nodegroup or f"default-{role}",
        }
        if role == "master":
            labels["node-role.kubernetes.io/control-plane"] = ""
        change = {"metadata": {"labels": labels}, "spec": {"podCIDR": str(subnet), "podCIDRs": [str(subnet)]}}
        deadline = time.monotonic() + NODE_TIMEOUT
        while not await _insist(lambda: self.api.merge(f"/api/v1/nodes/{spec.name}", change), deadline):
            if time.monotonic() > deadline:
                raise GroundError(f"{spec.name} did not register with Kubernetes within {NODE_TIMEOUT} s")
            await asyncio.sleep(0.3)

    async def wait_for_node(self, spec: MachineSpec, *, version: str | None = None) -> None:
        """Wait until it is Ready, accepts pods (unless cordoned), and runs the given version."""
        deadline = time.monotonic() + NODE_TIMEOUT
        while True:
            node = await _insist(lambda: self.api.get(f"/api/v1/nodes/{spec.name}"), deadline)
            if node and _is_ready(node) and not _is_shunned(node) and version in (None, _kubelet(node)):
                return
            if time.monotonic() > deadline:
                conditions = (node or {}).get("status", {}).get("conditions", [])
                why = next((c["message"] for c in conditions if c["type"] == "Ready"), "it did not register")
                raise GroundError(f"{spec.name} is not Ready after {NODE_TIMEOUT} s: {why}")
            await asyncio.sleep(0.3)

    def _reserve(self, machine: Machine) -> IPv4Network:
        """The machine's pod subnet; a free one if it has none yet."""
        if machine.spec.id in self.nodes:
            return self.nodes[machine.spec.id][1]
        used = {subnet for _, subnet in self.nodes.values()}
        subnet = next((subnet for subnet in self._subnets[1:] if subnet not in used), None)
        if subnet is None:
            raise GroundError(f"{self.spec.pod_network} has no subnet left for another node")
        self.nodes[machine.spec.id] = machine, subnet
        return subnet

    async def _route_pods(self, machine: Machine, subnet: IPv4Network) -> None:
        """Route traffic between pods on different nodes, and masquerade pod traffic to everywhere else."""
        pods = self.spec.pod_network
        source = ("-s", str(subnet), "!", "-d", pods, "-j", "MASQUERADE")
        others = [(m, net) for m, net in self.nodes.values() if m is not machine and m.alive]
        batch = "".join(f"route replace {net} via {other.spec.address}\n" for other, net in others)
        async with self._routing:
            await asyncio.gather(
                machine.run("iptables", "-w", "-t", "nat", "-A", "POSTROUTING", *source),
                machine.run("ip", "-batch", "-", input=batch),
                *(other.run("ip", "route", "replace", str(subnet), "via", machine.spec.address) for other, _ in others),
            )

    def _write_kubeconfig(self, machine: Machine, name: str, pair: Pair) -> None:
        server = f"https://127.0.0.1:{API_PORT}" if machine.spec in self.spec.masters else self.server
        machine.write(f"/etc/kubernetes/{name}.conf", components.kubeconfig(server, self.ca, pair), 0o600)


async def _insist(request: Callable[[], Awaitable[Answer]], deadline: float) -> Answer:
    """Retry until it succeeds: an API server that has just started may be slow, or not have loaded all roles yet."""
    while True:
        try:
            return await request()
        except GroundError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(1)


def _write_pair(machine: Machine, name: str, pair: Pair) -> None:
    machine.write(f"{PKI}/{name}.crt", pair.certificate)
    machine.write(f"{PKI}/{name}.key", pair.key, 0o600)


def _is_ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _is_shunned(node: Object) -> bool:
    """Whether Kubernetes still keeps pods off it, as it does for a moment after the node becomes Ready."""
    taints = node["spec"].get("taints", [])
    return any(taint["key"].startswith(SHUNNED) and taint["key"] != CORDONED for taint in taints)


def _kubelet(node: Object) -> str:
    return node["status"]["nodeInfo"]["kubeletVersion"]
