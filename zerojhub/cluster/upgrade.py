"""A Kubernetes upgrade, node by node: by a template that differs only in kube_tag, while the hub is watched."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

from zerojhub.cluster import Ask, Connect, lifecycle, nodegroups
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub import repository
from zerojhub.hub.watch import Watch
from zerojhub.kube import kinds
from zerojhub.kube.marker import group_of
from zerojhub.kube.reach import Reach
from zerojhub.kube.types import Node
from zerojhub.openstack import clusters, magnum
from zerojhub.openstack.magnum import ClusterTemplate, NodeGroup, TemplateRequest
from zerojhub.openstack.roads import is_cluster_api
from zerojhub.openstack.session import Cloud
from zerojhub.run import Run
from zerojhub.text import Say

MINUTES = 120
RESTARTS = "Its nodes restart one batch at a time."
COPIED = (
    "coe",
    "image_id",
    "keypair_id",
    "external_network_id",
    "fixed_network",
    "fixed_subnet",
    "network_driver",
    "volume_driver",
    "driver",
    "dns_nameserver",
    "flavor_id",
    "master_flavor_id",
    "docker_volume_size",
    "docker_storage_driver",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "server_type",
    "tls_disabled",
    "registry_enabled",
    "master_lb_enabled",
    "floating_ip_enabled",
    "insecure_registry",
)
"""The attributes that a copy of a template gets: all but whether it is public, hidden or tagged."""


@dataclass(frozen=True)
class NodeVersions:
    """A node's kubelet and container runtime."""

    name: str
    kubelet: str
    runtime: str


@dataclass(frozen=True)
class Upgraded:
    """The result. `silent`: for how many seconds the hub did not answer; None without a hub.

    `behind`: node groups that have another version, because Magnum upgrades each of them by itself.
    """

    version: str
    nodes: list[NodeVersions]
    silent: float | None
    behind: list[str]


@dataclass(frozen=True)
class Wanted:
    """What to upgrade to: the version `kube_tag`, or a `template`; `batch` nodes at a time.

    `nodegroup`: only this one, to the cluster's own version. `hub_url`: the hub to watch (None: the cluster's own).
    """

    kube_tag: str | None = None
    template: str | None = None
    nodegroup: str | None = None
    batch: int = 1
    hub_url: str | None = None


async def upgrade(run: Run, connect: Connect, asked: Wanted, say: Say, ask: Ask) -> Upgraded:
    """Upgrade the cluster. UserError for an upgrade that is not supported."""
    cluster = await clusters.get_idle(run.cloud, run.deployment.cluster_name)
    magnum.require(run.cloud, 8, "upgrades")
    if cluster["status"].endswith("FAILED"):
        raise ZeroJHubError(
            f"cluster {cluster['name']} is {cluster['status']}, and Magnum upgrades only complete clusters",
            hint=f"have Magnum retry first: zerojhub cluster resize {cluster['name']} {cluster['node_count']}",
        )
    old = await magnum.get_template(run.cloud, cluster["cluster_template_id"])
    new = await magnum.get_template(run.cloud, asked.template) if asked.template else None
    tag = new["labels"].get("kube_tag") if new else asked.kube_tag
    groups = await nodegroups.workers_of(run.cloud, cluster)
    group = nodegroups.choose(groups, asked.nodegroup) if asked.nodegroup else None
    alone = group if group and not group["is_default"] else None
    if alone and is_cluster_api(old):
        raise UserError(
            f"the driver of {cluster['name']} upgrades all node groups at once", hint="leave out --nodegroup"
        )
    reach = await connect()
    if alone:
        wanted = await own_version(reach, alone, tag)
        ask(f"Upgrade node group {alone['name']} of {cluster['name']} to Kubernetes {wanted}? {RESTARTS}")
        target = old["uuid"]
    else:
        wanted = checked(reach.version, tag)
        await check_chart(reach, wanted)
        ask(f"Upgrade {cluster['name']} from Kubernetes {reach.version} to {wanted}? {RESTARTS}")
        target = (new or await template_for(run.cloud, old, wanted))["uuid"]
    watch = Watch(asked.hub_url) if asked.hub_url else await Watch.of(reach)

    async def change() -> None:
        only = alone["uuid"] if alone else ""
        await magnum.upgrade_cluster(run.cloud, cluster["uuid"], target, batch=asked.batch, nodegroup=only)
        await lifecycle.wait_until_idle(run.cloud, cluster["uuid"], say, minutes=MINUTES, before=cluster)
        await watch.back()

    await watch.during(change())
    await run.close()  # the master may be another machine now
    # Drivers of Cluster API upgrade all node groups, and others only the one that is named.
    others = [] if is_cluster_api(old) else [each["name"] for each in groups if not each["is_default"]]
    if alone:
        others.remove(alone["name"])
    nodes, behind = await verified(await connect(), wanted, others)
    return Upgraded(wanted, nodes, round(watch.silent, 1) if watch.url else None, behind)


async def own_version(reach: Reach, group: NodeGroup, tag: str | None) -> str:
    """The version that the node group can be upgraded to: the cluster's. UserError for another, or if it has that already."""
    name, wanted = group["name"], reach.version
    if tag and number(tag) != number(wanted):
        raise UserError(
            f"node group {name} can only be upgraded to the version of its cluster, {wanted}",
            hint="upgrade the cluster first, without --nodegroup",
        )
    nodes = [node for node in await reach.kube.list(kinds.NODE) if group_of(node) == name]
    if nodes and all(node_versions(node).kubelet == wanted for node in nodes):
        raise UserError(f"node group {name} already has Kubernetes {wanted}")
    return wanted


def number(version: str) -> tuple[int, int, int]:
    """v1.34.4 as (1, 34, 4). UserError for anything else."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)\S*", version)
    if not found:
        raise UserError(f"{version!r} is not a Kubernetes version", hint="as in v1.34.4")
    return int(found[1]), int(found[2]), int(found[3])


def checked(now: str, wanted: str | None) -> str:
    """The wanted version, if it is one that can follow `now`: Kubernetes upgrades one minor version at a time.

    UserError for any other (Kubernetes version skew policy).
    """
    if not wanted:
        raise UserError("neither --kube-tag nor the label kube_tag of --template names a version")
    old, new = number(now), number(wanted)
    if new == old:
        raise UserError(f"the cluster already has Kubernetes {now}")
    if new < old:
        raise UserError(f"the cluster has Kubernetes {now}, and {wanted} is older", hint="downgrades are not supported")
    if new[:2] > (old[0], old[1] + 1):
        step = f"v{old[0]}.{old[1] + 1}"
        raise UserError(
            f"cannot upgrade from {now} to {wanted}: minor versions cannot be skipped", hint=f"upgrade to {step} first"
        )
    return wanted


async def check_chart(reach: Reach, wanted: str) -> None:
    """UserError when a hub in the cluster has a chart that does not support the wanted Kubernetes version."""
    for config in await reach.kube.list(kinds.CONFIG_MAP, labels="app=jupyterhub,component=hub"):
        labels = config["metadata"].get("labels", {})
        chart = labels.get("chart") or labels.get("helm.sh/chart") or ""
        if chart.startswith("jupyterhub-") and repository.is_outgrown(chart.removeprefix("jupyterhub-"), wanted):
            raise UserError(
                f"{chart} in namespace {config['metadata'].get('namespace')} does not support Kubernetes {wanted}",
                hint=f"upgrade the chart first: hub: {{chart: z2jh, version: {repository.fitting(reach.version)}}}",
            )


async def template_for(cloud: Cloud, old: ClusterTemplate, kube_tag: str) -> ClusterTemplate:
    """The copy of the template that differs only in kube_tag: an existing one, or a new one."""
    name = f"{re.sub(r'-v[0-9.]+$', '', old['name'])}-{kube_tag}"
    labels = old["labels"] | {"kube_tag": kube_tag}
    wanted = {key: old.get(key) for key in COPIED}
    for existing in await magnum.templates_named(cloud, name):
        if existing["labels"] == labels and all(existing.get(key) == value for key, value in wanted.items()):
            return existing
    body = {key: value for key, value in wanted.items() if value is not None} | {"name": name, "labels": labels}
    return await magnum.create_template(cloud, cast(TemplateRequest, body))


async def verified(reach: Reach, wanted: str, others: Collection[str]) -> tuple[list[NodeVersions], list[str]]:
    """Every node's versions, and which of the node groups `others` have nodes of another one.

    ZeroJHubError with the nodes that do not have the wanted one although they should.
    """
    found = [(node_versions(node), group_of(node) or "") for node in await reach.kube.list(kinds.NODE)]
    behind = sorted({group for node, group in found if group in others and node.kubelet != wanted})
    late = [f"{node.name} {node.kubelet}" for node, group in found if node.kubelet != wanted and group not in others]
    if reach.version != wanted:
        late.append(f"API server {reach.version}")
    if late:
        raise ZeroJHubError(f"Magnum reports that the upgrade is complete, but {', '.join(late)} is not {wanted}")
    return [node for node, _ in found], behind


def node_versions(node: Node) -> NodeVersions:
    info = node["status"]["nodeInfo"]
    return NodeVersions(node["metadata"]["name"], info["kubeletVersion"], info["containerRuntimeVersion"])
