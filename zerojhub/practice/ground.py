"""The interface between the practice cloud's APIs and the Linux machine that they run on.

The services in `cloud/` keep OpenStack's records; everything that must be real (machines, routes, disks, Kubernetes)
they request from a Ground. `machines/` implements it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from zerojhub.errors import ZeroJHubError

if TYPE_CHECKING:
    from zerojhub.practice.faults import Faults


CA: TypeAlias = Literal["kubernetes", "etcd", "front-proxy"]
"""A cluster's certificate authorities, by whom they are trusted: Kubernetes, etcd's members, and extension API servers."""


@dataclass(frozen=True)
class MachineSpec:
    """The machine of a server to boot."""

    id: str
    """The server's UUID; also the machine's DMI system UUID."""
    name: str
    """Host name; also the name of its Kubernetes node."""
    address: str
    """Fixed IPv4 address on the practice network."""
    login: str
    """Login of the image: core, fedora, ubuntu."""
    public_keys: tuple[str, ...]
    """OpenSSH public key lines for that user."""
    machine_id: str
    """Content of /etc/machine-id: 32 hex digits. Equals the UUID or not, depending on the driver."""
    nodegroup: str = ""
    """Magnum's node group, for the node's labels. Default: a default group."""
    role: str = ""
    """The node group's role. Default: master or worker."""


@dataclass(frozen=True)
class KubernetesSpec:
    """A Kubernetes cluster to start on booted machines."""

    id: str
    """Magnum's UUID of the cluster."""
    name: str
    version: str
    """Kubernetes version, such as v1.34.4: one that `practice build` has built."""
    masters: tuple[MachineSpec, ...]
    cloud_config: str
    """The cloud-config for components that use OpenStack (INI, as Magnum writes it)."""
    api_addresses: tuple[str, ...] = ()
    """More addresses for the API server's certificate: floating IPs, a load balancer's."""
    endpoint: str = ""
    """Address of the load balancer for the masters' API. Default: the first master's address."""
    cluster_api: bool = False
    """Does a Cluster API driver create it? Then it has a default StorageClass, and its cloud-config is in the Secret
    kube-system/cloud-config; otherwise that is /etc/kubernetes/cloud-config on every machine."""
    volume_type: str = "standard"
    """Volume type of that StorageClass."""
    autoscaler: bool = False
    """Does an autoscaler outside the cluster scale its node groups, as with Cluster API drivers?"""
    manifests: tuple[dict, ...] = ()
    """Objects to create at the start, in kube-system or without a namespace."""
    pod_network: str = "10.100.0.0/16"
    service_network: str = "10.254.0.0/16"

    @property
    def cloud_provider(self) -> bool:
        """Does the cluster use OpenStack for nodes, load balancers and volumes?"""
        return "auth-url" in self.cloud_config


@dataclass(frozen=True)
class Listener:
    """A port of a load balancer, and its members (address, port)."""

    port: int
    members: tuple[tuple[str, int], ...] = field(default=())
    transport: str = "tcp"
    """tcp, udp or sctp."""


class Ground(Protocol):
    """Real machines, networks, disks and Kubernetes. All methods raise GroundError, with a message of one line."""

    grows_in_use: bool
    """Whether a volume can grow while a machine has it mounted."""
    versions: tuple[str, ...]
    """Kubernetes versions that can run here, oldest first."""
    network: str
    """The practice network (CIDR) of fixed addresses; it does not overlap with this machine's routes."""
    gateway: str
    """This machine's address on the practice network, where machines reach the APIs and the registry."""
    public_network: str
    """The range (CIDR) of floating IPs; no overlap either."""

    def state(self) -> object:
        """What the next process needs to go on with all this if this one is killed. It can be pickled."""

    async def boot(self, machine: MachineSpec) -> None:
        """Create and boot the machine; returns when sshd responds."""

    async def halt(self, machine_id: str) -> None:
        """Delete the machine, if it exists."""

    async def stop(self, machine_id: str) -> None:
        """Power the machine off; its disk stays. No error if it is off or does not exist."""

    async def start(self, machine_id: str) -> None:
        """Boot the machine from its disk; returns when sshd responds. No error if it is on or does not exist."""

    async def rebuild(self, machine: MachineSpec) -> None:
        """Boot the machine from a new disk. A worker rejoins its cluster; returns when its node is Ready."""

    async def plug(self, machine_id: str, address: str) -> None:
        """Add an address to the machine."""

    async def unplug(self, machine_id: str, address: str) -> None:
        """Remove an address from the machine; also its first one."""

    def console(self, machine_id: str) -> str:
        """The console log, with the host keys and their fingerprints as printed by cloud-init."""

    def alive(self, machine_id: str) -> bool: ...

    async def start_cluster(self, cluster: KubernetesSpec) -> None:
        """Start etcd, the control plane and the nodes of the booted masters; returns when the API responds."""

    async def join(self, cluster_id: str, machine: MachineSpec) -> None:
        """Make the booted machine a worker node; returns when the node is Ready."""

    async def leave(self, cluster_id: str, machine: MachineSpec) -> None:
        """Drain the node and remove it from Kubernetes; the machine keeps running."""

    async def upgrade(self, cluster_id: str, machine: MachineSpec, version: str) -> None:
        """Upgrade the node; returns when it is Ready with the version.

        Upgrade the masters first, one at a time, then the workers, any number at once. Nodes are drained and uncordoned,
        except an only master or an only worker, whose pods keep running.
        """

    async def rotate_ca(self, cluster_id: str) -> None:
        """Replace the CA of Kubernetes and all its certificates, and restart Deployments and DaemonSets."""

    async def reconfigure(self, cluster_id: str, cloud_config: str) -> None:
        """Replace the cloud-config in the cluster's Secret, and restart the components that use it."""

    async def stop_cluster(self, cluster_id: str) -> None:
        """Stop the cluster's controllers and delete its CA. Its machines are halted separately."""

    async def ready(self, cluster_id: str) -> dict[str, bool]:
        """Node name -> Ready?"""

    def ca(self, cluster_id: str, kind: CA = "kubernetes") -> str:
        """The certificate (PEM) of one of the cluster's CAs."""

    def sign(self, cluster_id: str, csr: str, kind: CA = "kubernetes") -> str:
        """Sign a CSR with one of the cluster's CAs (both PEM). Raises ValueError if the CSR is invalid."""

    async def object_store(self, password: str) -> str:
        """The URL of the object store, which starts with the first call.

        `password`: that of its user `swift` in Keystone.
        """

    async def inject(self, faults: Faults) -> None:
        """Let requests to clusters and to published services meet the faults, from now on."""

    async def route(self, floating: str, fixed: str) -> None:
        """Forward all traffic for the floating IP to the fixed address."""

    async def unroute(self, floating: str) -> None: ...

    async def balance(self, address: str, listeners: tuple[Listener, ...]) -> None:
        """Balance traffic for address:port over the members; on a change it is called again with all listeners."""

    async def unbalance(self, address: str) -> None: ...

    async def make_volume(self, volume_id: str, gigabytes: int, like: str | None = None) -> None:
        """Create a volume, empty or with the data of the volume or snapshot `like`."""

    async def grow_volume(self, volume_id: str, gigabytes: int) -> None:
        """Grow a volume, and the file system on it if that cannot be done while it is mounted."""

    async def remove_volume(self, volume_id: str) -> None: ...

    async def attach_volume(self, volume_id: str, machine_id: str, device: str) -> None:
        """Attach the volume as a disk: `device` (/dev/vdb), with the volume's UUID as serial number.

        No error if the machine does not exist.
        """

    async def detach_volume(self, volume_id: str, machine_id: str) -> None:
        """Detach the disk, even if it is in use. No error if it does not exist."""


class GroundError(ZeroJHubError):
    """The Linux machine could not do what was requested (exit code 1)."""
