"""Magnum (container infrastructure API v1, microversions 1.1 to 1.14): clusters, cluster templates, node groups, certificates.

Magnum accepts a second cluster or template of the same name, so they are found by name or UUID here and changed by UUID.
Types have the keys that the product reads, as the Container Infrastructure Management API reference names them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NotRequired, TypeVar

from typing_extensions import TypedDict

from zerojhub import retry
from zerojhub.answers import Time
from zerojhub.errors import CloudError, UserError
from zerojhub.openstack.names import refuse_several, unknown
from zerojhub.openstack.session import Cloud
from zerojhub.waiting import NotYet, TimedOut, wait_until

T = TypeVar("T")

KUBERNETES = "kubernetes"
"""The CA that Kubernetes trusts, among those of a cluster."""

BEGIN_TIMEOUT = 5.0
"""Seconds in which the effect of a request can be seen: Magnum answers before it begins."""


class TemplateFields(TypedDict, total=False):
    """What a cluster template says, and a request for a cluster or a template may set. Volume size in GB."""

    coe: str
    image_id: str | None
    keypair_id: str | None
    flavor_id: str | None
    master_flavor_id: str | None
    external_network_id: str | None
    fixed_network: str | None
    fixed_subnet: str | None
    network_driver: str | None
    volume_driver: str | None
    docker_volume_size: int | None
    docker_storage_driver: str | None
    dns_nameserver: str | None
    http_proxy: str | None
    https_proxy: str | None
    no_proxy: str | None
    server_type: str | None
    insecure_registry: str | None
    tags: str | None
    tls_disabled: bool
    registry_enabled: bool
    master_lb_enabled: bool
    floating_ip_enabled: bool
    public: bool
    hidden: bool
    labels: dict[str, str]
    driver: str | None
    """The driver that builds its clusters; only newer Magnums show it, and let it be chosen."""


class TemplateRequest(TemplateFields):
    """The body that creates a cluster template."""

    name: str


class ClusterTemplate(TemplateFields):
    """A cluster template; lists have them in full."""

    uuid: str
    name: str
    cluster_distro: str | None
    """The image's os_distro."""


class ClusterOptions(TypedDict):
    """All but the template of a new cluster; `create_timeout` in minutes, `docker_volume_size` in GB."""

    name: str
    node_count: int
    master_count: int
    create_timeout: int
    keypair: NotRequired[str]
    labels: NotRequired[dict[str, str]]
    merge_labels: NotRequired[bool]
    discovery_url: NotRequired[str]
    flavor_id: NotRequired[str]
    master_flavor_id: NotRequired[str]
    docker_volume_size: NotRequired[int]
    fixed_network: NotRequired[str]
    fixed_subnet: NotRequired[str]
    floating_ip_enabled: NotRequired[bool]
    master_lb_enabled: NotRequired[bool]


class ClusterRequest(ClusterOptions):
    """The body that creates a cluster; `cluster_template_id` is a UUID."""

    cluster_template_id: str


class Created(TypedDict):
    """What Magnum says of a cluster that was just requested."""

    uuid: str


class Certificate(TypedDict):
    """A certificate, in PEM."""

    pem: str


class ClusterName(TypedDict):
    """What a cluster is addressed by."""

    uuid: str
    name: str


class Cluster(ClusterName):
    """A cluster. Lists leave out what is NotRequired here, as do older microversions.

    `status` is an action (CREATE, UPDATE, ROLLBACK or DELETE) with _IN_PROGRESS, _COMPLETE or _FAILED.
    `faults` maps a failed resource to its reason. `stack_id` became `cluster_id` in microversion 1.13.
    """

    cluster_template_id: str
    keypair: str | None
    node_count: int
    master_count: int
    labels: dict[str, str]
    flavor_id: str | None
    master_flavor_id: str | None
    status: str
    health_status: str | None
    status_reason: NotRequired[str | None]
    faults: NotRequired[dict[str, str | None] | None]
    cluster_id: NotRequired[str | None]
    stack_id: NotRequired[str | None]
    api_address: NotRequired[str | None]
    coe_version: NotRequired[str | None]
    node_addresses: NotRequired[list[str] | None]
    master_addresses: NotRequired[list[str] | None]
    created_at: NotRequired[Time | None]
    updated_at: NotRequired[Time | None]
    create_timeout: NotRequired[int | None]
    """Minutes."""


class Taint(TypedDict):
    """A taint of Kubernetes nodes."""

    key: str
    value: str
    effect: str


class NodeGroupRequest(TypedDict):
    """The body that creates a node group. Without a flavor, image or labels it has the cluster's; volume size in GB.

    Nodes get `node_labels` and `node_taints` in Kubernetes where the driver supports them (since microversion 1.14).
    """

    name: str
    role: str
    node_count: int
    min_node_count: int
    max_node_count: NotRequired[int]
    flavor_id: NotRequired[str]
    image_id: NotRequired[str]
    labels: NotRequired[dict[str, str]]
    docker_volume_size: NotRequired[int]
    node_labels: NotRequired[dict[str, str]]
    node_taints: NotRequired[list[Taint]]


class NodeGroupChange(TypedDict, total=False):
    """What can change in a node group; a maximum of None removes it. Labels and taints replace the present ones."""

    min_node_count: int
    max_node_count: int | None
    node_labels: dict[str, str]
    node_taints: list[Taint]


class NodeGroupName(TypedDict):
    """What a node group is addressed by."""

    uuid: str
    name: str


class NodeGroup(NodeGroupName):
    """A node group (since microversion 1.9). `is_default` marks the two that the cluster was created with."""

    role: str
    flavor_id: str | None
    node_count: int
    min_node_count: int | None
    max_node_count: int | None
    is_default: bool
    labels: NotRequired[dict[str, str] | None]
    docker_volume_size: NotRequired[int | None]
    status: NotRequired[str | None]
    stack_id: NotRequired[str | None]
    node_addresses: NotRequired[list[str] | None]
    node_labels: NotRequired[dict[str, str] | None]
    node_taints: NotRequired[list[Taint] | None]


class PatchOperation(TypedDict):
    """One operation of a JSON patch (RFC 6902)."""

    op: Literal["add", "replace", "remove"]
    path: str
    value: NotRequired[int | str]


@dataclass(frozen=True)
class Order:
    """In which order a list is asked for, by a field and "asc" or "desc", and how much of it; None: the oldest first, all."""

    key: str | None = None
    direction: str | None = None
    limit: int | None = None

    def query(self) -> dict[str, str]:
        """What a request says of the order."""
        given = {"sort_key": self.key, "sort_dir": self.direction}
        return {name: value for name, value in given.items() if value is not None}


ANY = Order()


async def clusters(cloud: Cloud, order: Order = ANY) -> list[Cluster]:
    return await cloud.container_infra.first("/clusters", "clusters", Cluster, order.limit, order.query())


async def clusters_named(cloud: Cloud, wanted: str) -> list[Cluster]:
    """Every cluster of this name or UUID."""
    return [cluster for cluster in await clusters(cloud) if wanted in (cluster["uuid"], cluster["name"])]


async def find_cluster(cloud: Cloud, wanted: str) -> Cluster | None:
    """The cluster of this name or UUID; None when there is none. UserError when several have the name."""
    found = await clusters_named(cloud, wanted)
    refuse_several("cluster", wanted, [cluster["uuid"] for cluster in found])
    return await show_cluster(cloud, found[0]["uuid"]) if found else None


async def get_cluster(cloud: Cloud, wanted: str) -> Cluster:
    """The cluster of this name or UUID. UserError when there is none, or several have the name."""
    if cluster := await find_cluster(cloud, wanted):
        return cluster
    raise unknown("cluster", wanted, (each["name"] for each in await clusters(cloud)), cloud.name)


async def show_cluster(cloud: Cloud, uuid: str) -> Cluster | None:
    """The cluster of this UUID; None once it is deleted, and in the first moments of a new one."""
    return await cloud.container_infra.find(f"/clusters/{uuid}", Cluster)


async def create_cluster(cloud: Cloud, body: ClusterRequest) -> str:
    """Request a cluster; returns its UUID. Magnum answers before it begins."""
    others = {cluster["uuid"] for cluster in await clusters(cloud)}

    async def create() -> str:
        return (await cloud.container_infra.post("/clusters", body, Created))["uuid"]

    async def seen() -> str | NotYet:
        for cluster in await clusters_named(cloud, body["name"]):
            same_template = cluster["cluster_template_id"] == body["cluster_template_id"]
            if cluster["uuid"] not in others and same_template and _has_labels(cluster["labels"], body.get("labels")):
                return cluster["uuid"]
        return NotYet()

    return await _only_once(create, seen)


async def update_cluster(cloud: Cloud, uuid: str, patch: list[PatchOperation], *, rollback: bool = False) -> None:
    """`rollback`: where the driver supports it, a change that fails is taken back (since microversion 1.3)."""
    path = f"/clusters/{uuid}" + ("?rollback=True" if rollback else "")
    await _begin(cloud, uuid, lambda: cloud.container_infra.patch(path, patch))


async def resize_cluster(cloud: Cloud, uuid: str, count: int, *, nodegroup: str, remove: list[str]) -> None:
    """Set the number of nodes of a node group (by UUID; empty: the first workers). `remove`: UUIDs of servers."""
    body: dict[str, object] = {"node_count": count}
    if nodegroup:
        body["nodegroup"] = nodegroup
    if remove:
        body["nodes_to_remove"] = remove
    await _begin(cloud, uuid, lambda: cloud.container_infra.act(f"/clusters/{uuid}/actions/resize", body))


async def upgrade_cluster(cloud: Cloud, uuid: str, template: str, *, batch: int, nodegroup: str = "") -> None:
    """Move the cluster to the template of this UUID, `batch` nodes at a time.

    `nodegroup`: only this one (by UUID), which has to stay with the cluster's template.
    """
    body: dict[str, object] = {"cluster_template": template, "max_batch_size": batch}
    if nodegroup:
        body["nodegroup"] = nodegroup
    await _begin(cloud, uuid, lambda: cloud.container_infra.act(f"/clusters/{uuid}/actions/upgrade", body))


async def delete_cluster(cloud: Cloud, uuid: str) -> None:
    """Request the deletion; Magnum answers before it begins."""

    async def seen() -> bool | NotYet:
        cluster = await show_cluster(cloud, uuid)
        return True if cluster is None or cluster["status"] == "DELETE_IN_PROGRESS" else NotYet()

    await _only_once(_true(lambda: cloud.container_infra.delete(f"/clusters/{uuid}", repeatable=False)), seen)


async def rotate_credential(cloud: Cloud, uuid: str) -> None:
    """Give the cluster another trust or application credential. CloudError (400) when its driver cannot."""
    # Another one after one that nobody has seen does no harm.
    await cloud.container_infra.patch(f"/credentials/{uuid}", None, repeatable=True)


async def _begin(cloud: Cloud, uuid: str, request: Callable[[], Awaitable[object]]) -> None:
    """Request a change that shows in the cluster's status, template or number of nodes."""
    before = await show_cluster(cloud, uuid)

    async def seen() -> bool | NotYet:
        now = await show_cluster(cloud, uuid)
        shown = ("status", "cluster_template_id", "node_count", "master_count")
        begun = before is None or now is None or any(now.get(key) != before.get(key) for key in shown)
        return True if begun else NotYet()

    await _only_once(_true(request), seen)


def _true(request: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[bool]]:
    """The request with a result that is not None."""

    async def send() -> bool:
        await request()
        return True

    return send


async def _only_once(request: Callable[[], Awaitable[T]], seen: Callable[[], Awaitable[T | NotYet]]) -> T:
    """Send a request that must not be carried out twice; `seen` looks whether it was, after its answer was lost."""

    async def look() -> T | None:
        try:
            return await wait_until(seen, timeout=BEGIN_TIMEOUT, pause=(BEGIN_TIMEOUT / 5, BEGIN_TIMEOUT / 5))
        except TimedOut:
            return None

    return await retry.settle(request, look)


def _has_labels(labels: dict[str, str], wanted: dict[str, str] | None) -> bool:
    return (wanted or {}).items() <= labels.items()


async def templates(cloud: Cloud, order: Order = ANY) -> list[ClusterTemplate]:
    return await cloud.container_infra.first(
        "/clustertemplates", "clustertemplates", ClusterTemplate, order.limit, order.query()
    )


async def templates_named(cloud: Cloud, wanted: str) -> list[ClusterTemplate]:
    """Every cluster template of this name or UUID."""
    return [template for template in await templates(cloud) if wanted in (template["uuid"], template["name"])]


async def find_template(cloud: Cloud, wanted: str) -> ClusterTemplate | None:
    """The cluster template of this name or UUID; None when there is none. UserError when several have the name."""
    found = await templates_named(cloud, wanted)
    refuse_several("cluster template", wanted, [template["uuid"] for template in found])
    return found[0] if found else None


async def get_template(cloud: Cloud, wanted: str) -> ClusterTemplate:
    """The cluster template of this name or UUID. UserError when there is none, or several have the name."""
    if template := await find_template(cloud, wanted):
        return template
    raise await unknown_template(cloud, wanted)


async def unknown_template(cloud: Cloud, wanted: str) -> UserError:
    """The error for a cluster template that does not exist; it suggests one that does."""
    return unknown("cluster template", wanted, (each["name"] for each in await templates(cloud)), cloud.name)


async def create_template(cloud: Cloud, body: TemplateRequest) -> ClusterTemplate:
    others = {template["uuid"] for template in await templates(cloud)}

    async def create() -> ClusterTemplate:
        return await cloud.container_infra.post("/clustertemplates", body, ClusterTemplate)

    async def seen() -> ClusterTemplate | NotYet:
        for template in await templates_named(cloud, body["name"]):
            if template["uuid"] not in others and _has_labels(template["labels"], body.get("labels")):
                return template
        return NotYet()

    return await _only_once(create, seen)


async def update_template(cloud: Cloud, uuid: str, patch: list[PatchOperation]) -> ClusterTemplate:
    """Change the template of this UUID; each operation has to be one that changes nothing when it is sent again."""
    await cloud.container_infra.patch(f"/clustertemplates/{uuid}", patch, repeatable=True)
    return await cloud.container_infra.get(f"/clustertemplates/{uuid}", ClusterTemplate)


async def delete_template(cloud: Cloud, uuid: str) -> None:
    """Delete it. CloudError while a cluster uses it."""
    await cloud.container_infra.delete(f"/clustertemplates/{uuid}")


async def nodegroups(
    cloud: Cloud, cluster_uuid: str, *, role: str | None = None, order: Order = ANY
) -> list[NodeGroup]:
    """The node groups of the cluster, without their addresses. CloudError from a Magnum before microversion 1.9.

    `role`: only those with it.
    """
    query = order.query() | ({"role": role} if role else {})
    path = f"/clusters/{cluster_uuid}/nodegroups"
    return await cloud.container_infra.first(path, "nodegroups", NodeGroup, order.limit, query)


async def show_nodegroup(cloud: Cloud, cluster_uuid: str, uuid: str) -> NodeGroup:
    return await cloud.container_infra.get(f"/clusters/{cluster_uuid}/nodegroups/{uuid}", NodeGroup)


async def create_nodegroup(cloud: Cloud, cluster_uuid: str, body: NodeGroupRequest) -> NodeGroupName:
    """Request a node group of a name that the cluster does not have yet.

    Returns what Magnum has of it so far, with neither `is_default` nor addresses.
    """

    async def create() -> NodeGroupName:
        return await cloud.container_infra.post(f"/clusters/{cluster_uuid}/nodegroups", body, NodeGroupName)

    async def seen() -> NodeGroupName | NotYet:
        named = [each for each in await nodegroups(cloud, cluster_uuid) if each["name"] == body["name"]]
        return named[0] if named else NotYet()

    return await _only_once(create, seen)


async def update_nodegroup(cloud: Cloud, cluster_uuid: str, uuid: str, patch: list[PatchOperation]) -> None:
    # It only sets values.
    await cloud.container_infra.patch(f"/clusters/{cluster_uuid}/nodegroups/{uuid}", patch, repeatable=True)


async def delete_nodegroup(cloud: Cloud, cluster_uuid: str, uuid: str) -> None:
    path = f"/clusters/{cluster_uuid}/nodegroups/{uuid}"

    async def seen() -> bool | NotYet:
        group = await cloud.container_infra.find(path, NodeGroup)
        return True if group is None or group.get("status") == "DELETE_IN_PROGRESS" else NotYet()

    await _only_once(_true(lambda: cloud.container_infra.delete(path, repeatable=False)), seen)


async def sign(cloud: Cloud, cluster_uuid: str, csr: str, kind: str = KUBERNETES) -> str:
    """The certificate (PEM) that a CA of the cluster signs for a certificate signing request (PEM).

    `kind` as for `ca_certificate`.
    """
    body = {"cluster_uuid": cluster_uuid, "csr": csr} | _ca_cert_type(kind)
    with _one_ca(cloud):
        return (await cloud.container_infra.post("/certificates", body, Certificate, repeatable=True))["pem"]


async def ca_certificate(cloud: Cloud, cluster_uuid: str, kind: str = KUBERNETES) -> str:
    """The certificate (PEM) of a CA of the cluster: that of Kubernetes, `etcd` or `front-proxy`.

    UserError for the others from a Magnum that has one CA for all.
    """
    with _one_ca(cloud):
        answer = await cloud.container_infra.get(f"/certificates/{cluster_uuid}", Certificate, **_ca_cert_type(kind))
    return answer["pem"]


def _ca_cert_type(kind: str) -> dict[str, str]:
    """What a request says of the CA: nothing about that of Kubernetes, the only one of a Magnum before 13."""
    return {} if kind == KUBERNETES else {"ca_cert_type": kind}


@contextmanager
def _one_ca(cloud: Cloud) -> Iterator[None]:
    """Within: UserError when Magnum does not know of several CAs."""
    try:
        yield
    except CloudError as error:
        if error.status == 400 and "ca_cert_type" in error.message:
            raise UserError(
                f"the Magnum of cloud {cloud.name} has one CA for each cluster, that of Kubernetes",
                hint="others came with Magnum 13 (OpenStack Xena)",
            ) from error
        raise


async def rotate_ca(cloud: Cloud, cluster_uuid: str) -> None:
    """Give the cluster a new CA; Magnum answers before it begins."""
    await _begin(cloud, cluster_uuid, lambda: cloud.container_infra.patch(f"/certificates/{cluster_uuid}", None))


def marks_nodes(cloud: Cloud) -> bool:
    """Whether Magnum, which has answered a request before, keeps labels and taints of nodes. Not every driver sets them."""
    return (cloud.container_infra.max_microversion or (1, 14)) >= (1, 14)


@contextmanager
def understood(cloud: Cloud) -> Iterator[None]:
    """UserError in place of Magnum's for attributes that it does not have."""
    try:
        yield
    except CloudError as error:
        unknown = re.search(
            r"Unknown attributes? for argument \w+: ([\w, ]+)|non-existent object '(\w+)'", error.message
        )
        if error.status != 400 or not unknown:
            raise
        what = unknown[1] or unknown[2]
        raise UserError(f"the Magnum of cloud {cloud.name} is too old for {what}", hint="leave it out") from error


def require(cloud: Cloud, minor: int, what: str) -> None:
    """UserError unless Magnum, which has answered a request before, speaks microversion 1.`minor`.

    From Magnum's REST API version history: 1.7 resize, 1.8 upgrade, 1.9 node groups, 1.10 no workers, 1.12 credentials, 1.14
    labels and taints of nodes.
    """
    newest = cloud.container_infra.max_microversion
    if newest and newest < (1, minor):
        has = ".".join(str(number) for number in newest)
        raise UserError(
            f"the Magnum of cloud {cloud.name} is too old for {what}",
            hint=f"that came with microversion 1.{minor}, and this one has {has}",
        )
