"""What the practice cloud's APIs ask of the Linux machine beneath them.

The services in `cloud/` keep OpenStack's records; whatever must be real (a machine, a route, a disk,
Kubernetes itself) they ask of a Ground. `machines/` is the real one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class MachineSpec:
    """A server as it is to boot."""

    id: str
    """Nova's UUID of the server; also the DMI system UUID that the machine reports."""
    name: str
    """Host name, and the name of its Kubernetes node."""
    address: str
    """Fixed IPv4 address on the practice network."""
    login: str
    """User that the image logs in as: core, fedora, ubuntu."""
    public_keys: tuple[str, ...]
    """OpenSSH public key lines for that user."""
    machine_id: str
    """Content of /etc/machine-id: 32 hex digits. Fits the UUID, or not, as the driver's manners are."""
    nodegroup: str = ""
    """Magnum's node group, which the node's labels name; a default one without."""
    role: str = ""
    """The node group's role; master or worker without."""


@dataclass(frozen=True)
class KubernetesSpec:
    """A Kubernetes cluster as it is to come up on machines that boot."""

    id: str
    """Magnum's UUID of the cluster."""
    name: str
    version: str
    """Kubernetes version to run, such as v1.34.4: one that `practice build` has built."""
    masters: tuple[MachineSpec, ...]
    cloud_config: str
    """What in it talks to OpenStack logs in with this (INI, as Magnum writes it)."""
    api_addresses: tuple[str, ...] = ()
    """Further addresses that the API server's certificate must hold: floating IPs, a load balancer's."""
    endpoint: str = ""
    """Address of the load balancer before the masters' API, which nodes then use; the first master's without one."""
    cluster_api: bool = False
    """Is it made as Cluster API drivers do? Then it comes with a default StorageClass, and its cloud-config is in the Secret
    kube-system/cloud-config; otherwise that is /etc/kubernetes/cloud-config on every machine."""
    volume_type: str = "standard"
    """Cinder's type of the volumes of that StorageClass."""
    autoscaler: bool = False
    """Does an autoscaler outside of the cluster look after its node groups, as Cluster API drivers have it?"""
    manifests: tuple[dict, ...] = ()
    """Objects that are in kube-system from the start, or in no namespace."""
    pod_network: str = "10.100.0.0/16"
    service_network: str = "10.254.0.0/16"

    @property
    def cloud_provider(self) -> bool:
        """Is there an OpenStack for it to talk to? Then nodes, load balancers and volumes are matters of the cloud."""
        return "auth-url" in self.cloud_config


@dataclass(frozen=True)
class Listener:
    """One port of a load balancer and the members behind it."""

    port: int
    members: tuple[tuple[str, int], ...] = field(default=())
    transport: str = "tcp"
    """What it listens on: tcp, udp or sctp."""


class Ground(Protocol):
    """Everything raises GroundError with one line that says what did not work."""

    versions: tuple[str, ...]
    """Kubernetes versions that can run here, oldest first."""
    network: str
    """The practice network (CIDR) that fixed addresses come from, free of clashes with this machine's routes."""
    gateway: str
    """This machine's address on it: where machines reach the APIs and the registry."""
    public_network: str
    """The range (CIDR) of floating IPs, likewise."""

    async def boot(self, machine: MachineSpec) -> None:
        """Start the machine; returns when its sshd answers."""

    async def halt(self, machine_id: str) -> None:
        """End the machine and everything of it. Quiet when there is none."""

    async def stop(self, machine_id: str) -> None:
        """Switch the machine off: its processes end, and its disk stays. Quiet when it is off, or there is none."""

    async def start(self, machine_id: str) -> None:
        """Switch it on: it boots from its own disk; returns when its sshd answers. Quiet when it is on, or there is none."""

    async def rebuild(self, machine: MachineSpec) -> None:
        """Boot the machine from a new disk. A worker of a cluster is made one again; returns when its node is Ready."""

    async def plug(self, machine_id: str, address: str) -> None:
        """Let the machine answer at one more address, whenever it is on."""

    async def unplug(self, machine_id: str, address: str) -> None:
        """And not any more; also at the one that it was booted with."""

    def console(self, machine_id: str) -> str:
        """The console log, with host key fingerprints and keys as cloud-init prints them."""

    def alive(self, machine_id: str) -> bool: ...

    async def start_cluster(self, cluster: KubernetesSpec) -> None:
        """Bring up etcd and the control plane on the (booted) masters, and their nodes; returns when the API answers."""

    async def join(self, cluster_id: str, machine: MachineSpec) -> None:
        """Make the (booted) machine a worker node; returns when the node is Ready."""

    async def leave(self, cluster_id: str, machine: MachineSpec) -> None:
        """Drain and take the node out of Kubernetes (the machine goes on)."""

    async def upgrade(self, cluster_id: str, machine: MachineSpec, version: str) -> None:
        """Give the node another Kubernetes; returns when it is Ready with it.

        Masters come first, and at one call at a time; workers after them, as many at once as one likes. Nodes are
        drained first, and come back, but for the only master and the only worker: their pods go on running.
        """

    async def rotate_ca(self, cluster_id: str) -> None:
        """A new CA: whatever the old one signed is signed anew, or not good any more. Deployments are restarted."""

    async def reconfigure(self, cluster_id: str, cloud_config: str) -> None:
        """Another cloud-config for a cluster that has it in its Secret; what logs in with it does so anew."""

    async def stop_cluster(self, cluster_id: str) -> None:
        """Forget the cluster: its controllers end and its CA is gone. Machines are halted one by one elsewhere."""

    async def ready(self, cluster_id: str) -> dict[str, bool]:
        """Node name -> Ready?"""

    def ca(self, cluster_id: str) -> str:
        """The cluster's CA certificate, PEM."""

    def sign(self, cluster_id: str, csr: str) -> str:
        """A certificate for the CSR (both PEM), signed by the cluster's CA. Raises ValueError for what is no CSR."""

    async def route(self, floating: str, fixed: str) -> None:
        """Traffic to the floating IP reaches the fixed address, on every port."""

    async def unroute(self, floating: str) -> None: ...

    async def balance(self, address: str, listeners: tuple[Listener, ...]) -> None:
        """Traffic to address:port goes to one of the members; called again with the whole truth on each change."""

    async def unbalance(self, address: str) -> None: ...

    async def make_volume(self, volume_id: str, gigabytes: int, like: str | None = None) -> None:
        """Room for that much, empty.

        There is in it what is in the volume `like`, as far as that is written: a snapshot of it, or made of one.
        """

    async def grow_volume(self, volume_id: str, gigabytes: int) -> None: ...

    async def remove_volume(self, volume_id: str) -> None: ...

    async def attach_volume(self, volume_id: str, machine_id: str, device: str) -> None:
        """Make it a disk of the machine, whenever that is on: `device` (/dev/vdb), with the volume's UUID as serial number.

        Quiet when there is no such machine.
        """

    async def detach_volume(self, volume_id: str, machine_id: str) -> None:
        """Take the disk out, whether it is in use or not. Quiet when there is none."""


class GroundError(Exception):
    """The machine beneath could not do it."""
