"""What a deployment consists of right now, from its servers to its users' pods: of the cloud and Kubernetes, read only."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from zerojhub.kube import nodes, volumes
from zerojhub.kube.drain import USER_SERVER
from zerojhub.kube.volumes import USERNAME
from zerojhub.openstack import clusters, leftovers
from zerojhub.stages import Access, cluster
from zerojhub.tasks import gather

if TYPE_CHECKING:
    from zerojhub.journey import Hub
    from zerojhub.kube.client import Kube


@dataclass(frozen=True)
class Volume:
    """A volume in Cinder. `owner`: the user, or the claim, that it belongs to; `claim`: the claim that it is bound to."""

    name: str
    size_gb: int | None
    owner: str
    claim: str


@dataclass(frozen=True)
class Pod:
    """A pod of the hub's namespace. `kind`: the chart's component (hub, proxy, …), or user."""

    name: str
    kind: str
    user: str | None
    state: str
    volumes: tuple[Volume, ...] = ()


@dataclass
class Server:
    """A server of the cluster, and the node that it is. `state` is Kubernetes' word when it has joined, else Nova's."""

    name: str
    role: str
    flavor: str | None
    addresses: str
    state: str
    pods: list[Pod] = field(default_factory=list)
    system_pods: int = 0

    @property
    def users(self) -> list[str]:
        return [pod.user for pod in self.pods if pod.user]


@dataclass(frozen=True)
class LoadBalancer:
    """A load balancer of a Service. `address`: where people come in."""

    name: str
    address: str | None
    state: str


@dataclass
class Survey:
    """A deployment, from its URL down to its volumes."""

    name: str
    cloud: str
    url: str | None
    cluster: str
    cluster_state: str
    kubernetes: str | None
    servers: list[Server]
    balancers: list[LoadBalancer] = field(default_factory=list)
    waiting: list[Pod] = field(default_factory=list)
    """Pods that are on no server yet."""
    resting: list[Volume] = field(default_factory=list)
    """Volumes that no pod uses now."""

    @property
    def users(self) -> list[str]:
        return sorted(user for server in self.servers for user in server.users)

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


async def survey(hub: Hub) -> Survey | None:
    """After a look: what there is, as far as it was within reach; None while there is no cluster."""
    there = await cluster.find(hub)
    if there is None:
        return None
    described = await clusters.describe(hub.cloud, there["uuid"])
    found = Survey(
        name=hub.deployment.name,
        cloud=hub.cloud.name,
        url=hub.url(),
        cluster=there["name"],
        cluster_state=there["status"],
        kubernetes=hub[Access].version if hub.has(Access) else there.get("coe_version"),
        servers=[_server(row) for row in described["servers"]],
    )
    if hub.has(Access):
        servers = {row["id"]: server for row, server in zip(described["servers"], found.servers, strict=True)}
        await _fill(found, servers, hub[Access].kube, hub.deployment.hub.namespace)
        found.balancers = await _balancers(hub, there)
    found.servers.sort(key=lambda server: (server.role != "master", server.name))
    return found


def _server(row: dict) -> Server:
    role = "master" if "-master-" in row["name"] or "control-plane" in row["name"] else "worker"
    return Server(row["name"], role, row["flavor"], row["addresses"], row["status"])


async def _fill(found: Survey, servers: dict[str, Server], kube: Kube, namespace: str) -> None:
    """Put nodes, pods and volumes where they belong."""
    listed, pods, kept = await gather(
        kube.list("v1/Node"),
        kube.list("v1/Pod"),
        volumes.keep(kube, namespace),
    )
    by_node: dict[str, Server] = {}
    for node in listed:
        name = node["metadata"]["name"]
        server = servers.get(nodes.server_id(node))
        if server is None:  # a node whose server Nova does not show to this project
            server = Server(name, "worker", None, nodes.address_of(node) or "", "")
            found.servers.append(server)
        server.role = "master" if nodes.is_master(node) else "worker"
        server.state = _node_state(node)
        by_node[name] = server
    there = {each.claim: Volume(each.name, each.size_gb, each.owner, each.claim) for each in kept}
    used: set[str] = set()
    for pod in pods:
        server = by_node.get(pod["spec"].get("nodeName"))
        if pod["metadata"]["namespace"] != namespace:
            if server:
                server.system_pods += 1
            continue
        made = _pod(pod, there)
        used |= {volume.claim for volume in made.volumes}
        (server.pods if server else found.waiting).append(made)
    found.resting = [volume for claim, volume in there.items() if claim not in used]


def _pod(pod: dict, volumes: dict[str, Volume]) -> Pod:
    meta, status = pod["metadata"], pod["status"]
    labels = meta.get("labels") or {}
    component = labels.get("component", "other")
    user = None
    if component == USER_SERVER:
        user = (meta.get("annotations") or {}).get(USERNAME) or labels.get(USERNAME) or meta["name"]
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))
    state = "Leaving" if "deletionTimestamp" in meta else status["phase"]
    if state == "Running" and not ready:
        state = "Starting"
    claims = [(each.get("persistentVolumeClaim") or {}).get("claimName") for each in pod["spec"].get("volumes", [])]
    mounted = tuple(volumes[claim] for claim in claims if claim in volumes)
    return Pod(meta["name"], "user" if user else component, user, state, mounted)


def _node_state(node: dict) -> str:
    state = "Ready" if nodes.is_ready(node) else "NotReady"
    return f"{state}, cordoned" if node["spec"].get("unschedulable") else state


async def _balancers(hub: Hub, there: dict) -> list[LoadBalancer]:
    """The cluster's load balancers, with the floating IPs that lead to them."""
    balancers = await leftovers.load_balancers(hub.cloud, await leftovers.marks_of(hub.cloud, there))
    if not balancers:
        return []
    floating = await hub.cloud.network.all("/floatingips", "floatingips")
    addresses = {each["port_id"]: each["floating_ip_address"] for each in floating}
    return [
        LoadBalancer(each["name"], addresses.get(each["vip_port_id"], each["vip_address"]), each["operating_status"])
        for each in balancers
    ]
