"""What a deployment consists of right now, from its URL down to its volumes: read from OpenStack and Kubernetes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from zerojhub.cluster import lifecycle
from zerojhub.kube import kinds, nodes, types, volumes
from zerojhub.kube.client import Kube
from zerojhub.kube.pods import claims_of, is_ready, user_of
from zerojhub.kube.reach import Reach
from zerojhub.openstack import leftovers, magnum, neutron
from zerojhub.openstack.magnum import Cluster
from zerojhub.openstack.servers import ServerRow
from zerojhub.run import Run
from zerojhub.tasks import gather


@dataclass(frozen=True)
class Volume:
    """A volume in Cinder. `owner`: the user, or else the claim, that it belongs to; `claim`: the claim bound to it."""

    name: str
    size_gb: int | None
    owner: str
    claim: str


@dataclass(frozen=True)
class Pod:
    """A pod of the hub's namespace. `kind`: the chart's component (hub, proxy, …), or `user`."""

    name: str
    kind: str
    user: str | None
    state: str
    volumes: tuple[Volume, ...] = ()


@dataclass
class Server:
    """A server of the cluster. `state`: that of its node once it has joined Kubernetes, before that Nova's status."""

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
    """A load balancer of a Service. `address`: where users connect."""

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
    """Pods that are not scheduled yet."""
    resting: list[Volume] = field(default_factory=list)
    """Volumes that no pod uses."""

    @property
    def users(self) -> list[str]:
        return sorted(user for server in self.servers for user in server.users)

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


async def survey(run: Run, reach: Reach | None, url: str | None) -> Survey | None:
    """What there is, as far as it can be read: without a reach, only what OpenStack knows. None without a cluster."""
    cluster = await run.once(magnum.find_cluster, run.cloud, run.deployment.cluster_name)
    if cluster is None:
        return None
    described = await lifecycle.describe(run.cloud, cluster["uuid"])
    found = Survey(
        name=run.deployment.name,
        cloud=run.cloud.name,
        url=url,
        cluster=cluster["name"],
        cluster_state=cluster["status"],
        kubernetes=reach.version if reach else cluster.get("coe_version"),
        servers=[_server(row) for row in described.servers],
    )
    if reach:
        servers = {row["id"]: server for row, server in zip(described.servers, found.servers, strict=True)}
        await _fill(found, servers, reach.kube, run.deployment.namespace)
        found.balancers = await _balancers(run, cluster)
    found.servers.sort(key=lambda server: (server.role != "master", server.name))
    return found


def _server(row: ServerRow) -> Server:
    role = "master" if "-master-" in row["name"] or "control-plane" in row["name"] else "worker"
    return Server(row["name"], role, row["flavor"], row["addresses"], row["status"])


async def _fill(found: Survey, servers: dict[str, Server], kube: Kube, namespace: str) -> None:
    """Add nodes, pods and volumes where they belong."""
    listed, pods, claimed = await gather(kube.list(kinds.NODE), kube.list(kinds.POD), volumes.claimed(kube, namespace))
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
    by_claim = {each.claim: Volume(each.name, each.size_gb, each.owner, each.claim) for each in claimed}
    used: set[str] = set()
    for pod in pods:
        on = by_node.get(pod["spec"].get("nodeName", ""))
        if pod["metadata"].get("namespace") != namespace:
            if on:
                on.system_pods += 1
            continue
        made = _pod(pod, by_claim)
        used |= {volume.claim for volume in made.volumes}
        (on.pods if on else found.waiting).append(made)
    found.resting = [volume for claim, volume in by_claim.items() if claim not in used]


def _pod(pod: types.Pod, by_claim: dict[str, Volume]) -> Pod:
    meta, status = pod["metadata"], pod["status"]
    user = user_of(pod)
    kind = "user" if user else meta.get("labels", {}).get("component", "other")
    state = "Leaving" if "deletionTimestamp" in meta else status["phase"]
    if state == "Running" and not is_ready(pod):
        state = "Starting"
    mounted = tuple(by_claim[claim] for claim in claims_of(pod) if claim in by_claim)
    return Pod(meta["name"], kind, user, state, mounted)


def _node_state(node: types.Node) -> str:
    state = "Ready" if nodes.is_ready(node) else "NotReady"
    return f"{state}, cordoned" if node["spec"].get("unschedulable") else state


async def _balancers(run: Run, cluster: Cluster) -> list[LoadBalancer]:
    """The cluster's load balancers, with the floating IPs that lead to them."""
    balancers = await leftovers.load_balancers(run.cloud, await leftovers.owner_names(run.cloud, cluster))
    if not balancers:
        return []
    addresses = {each["port_id"]: each["floating_ip_address"] for each in await neutron.floating_ips(run.cloud)}
    return [
        LoadBalancer(
            each["name"] or "", addresses.get(each["vip_port_id"], each["vip_address"]) or "", each["operating_status"]
        )
        for each in balancers
    ]
