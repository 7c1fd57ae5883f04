"""Another Kubernetes, node by node: by a template that differs in kube_tag alone, with the hub watched throughout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerojhub import journey
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub import charts
from zerojhub.hub.watch import Watch
from zerojhub.openstack import clusters, magnum
from zerojhub.stages import Access

if TYPE_CHECKING:
    from zerojhub.journey import Hub
    from zerojhub.kube.reach import Reach
    from zerojhub.openstack.clusters import Say

MINUTES = 120
COPIED = [
    "coe",
    "image_id",
    "keypair_id",
    "external_network_id",
    "fixed_network",
    "fixed_subnet",
    "network_driver",
    "volume_driver",
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
]
"""What a template is made of, and its copy too; not whether it is public, hidden or tagged."""


@dataclass(frozen=True)
class Upgraded:
    """What came of it: each node's kubelet and container runtime, and the hub's seconds without an answer."""

    version: str
    nodes: list[dict[str, str]]
    silent: float | None


async def upgrade(
    hub: Hub, kube_tag: str | None, template: str | None, batch: int, url: str | None, say: Say
) -> Upgraded:
    """Upgrade the cluster to the version `kube_tag`, or to the `template`. Raises UserError for a step that is not allowed."""
    cluster = await clusters.settled(hub.cloud, hub.deployment.cluster.name)
    magnum.require(hub.cloud, 8, "upgrades")
    if cluster["status"].endswith("FAILED"):
        raise ZeroJHubError(
            f"cluster {cluster['name']} is {cluster['status']}, and Magnum upgrades only one that is complete",
            hint=f"first have Magnum try again: zerojhub cluster resize {cluster['name']} {cluster['node_count']}",
        )
    (reach,) = await journey.reach(hub, Access)
    old = await magnum.get_one(hub.cloud, "clustertemplates", cluster["cluster_template_id"])
    if template:
        new = await magnum.get_one(hub.cloud, "clustertemplates", template)
        kube_tag = new["labels"].get("kube_tag")
    allowed(reach.version, kube_tag)
    await chart_still_fits(reach, kube_tag)
    if not template:
        new = await template_for(hub.cloud, old, kube_tag)
    body = {"cluster_template": new["uuid"], "max_batch_size": batch}
    watch = Watch(url) if url else await Watch.of(reach)

    async def change() -> None:
        await hub.cloud.container_infra.post(f"/clusters/{cluster['uuid']}/actions/upgrade", body)
        await clusters.wait(hub.cloud, cluster["uuid"], say, minutes=MINUTES, before=cluster)
        await watch.back()

    await watch.during(change())
    return Upgraded(kube_tag, await verified(hub, kube_tag), round(watch.silent, 1) if watch.url else None)


def number(version: str) -> tuple[int, int, int]:
    """v1.34.4 as (1, 34, 4). UserError for what is no version."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)\S*", version)
    if not found:
        raise UserError(f"{version!r} is no Kubernetes version", hint="as in v1.34.4")
    return int(found[1]), int(found[2]), int(found[3])


def allowed(now: str, wanted: str | None) -> None:
    """Kubernetes goes up, one minor version at a time (version skew policy)."""
    if not wanted:
        raise UserError("neither --kube-tag nor the label kube_tag of a --template names a version")
    old, new = number(now), number(wanted)
    if new == old:
        raise UserError(f"the cluster has Kubernetes {now} already")
    if new < old:
        raise UserError(f"the cluster has Kubernetes {now}, and {wanted} is older", hint="there is no way down")
    if new[:2] > (old[0], old[1] + 1):
        step = f"v{old[0]}.{old[1] + 1}"
        raise UserError(f"{now} to {wanted} skips a minor version", hint=f"upgrade to a {step} first")


async def chart_still_fits(reach: Reach, wanted: str) -> None:
    """UserError when a hub in the cluster is of a chart that is too old for the wanted version."""
    for config in await reach.kube.list("v1/ConfigMap", labels="app=jupyterhub,component=hub"):
        labels = config["metadata"]["labels"]
        chart = labels.get("chart") or labels.get("helm.sh/chart") or ""
        if chart.startswith("jupyterhub-") and charts.is_outgrown(chart.removeprefix("jupyterhub-"), wanted):
            raise UserError(
                f"{chart} in namespace {config['metadata']['namespace']} is too old for Kubernetes {wanted}",
                hint=f"upgrade the chart first: hub: {{chart: z2jh, version: {charts.fitting(reach.version)}}}",
            )


async def template_for(cloud, old: dict, kube_tag: str) -> dict:
    """The copy of the template that differs in kube_tag alone: the one there is, or a new one."""
    name = f"{re.sub(r'-v[0-9.]+$', '', old['name'])}-{kube_tag}"
    wanted = {key: old.get(key) for key in COPIED} | {"labels": old["labels"] | {"kube_tag": kube_tag}}
    for there in await magnum.named(cloud, "clustertemplates", name):
        if all(there.get(key) == value for key, value in wanted.items()):
            return there
    body = {key: value for key, value in wanted.items() if value is not None}
    return await cloud.container_infra.post("/clustertemplates", body | {"name": name})


async def verified(hub: Hub, wanted: str) -> list[dict[str, str]]:
    """Every node's versions, once each of them is what was wanted. ZeroJHubError naming those that are not."""
    await hub.close()  # the master may be another machine now
    fresh = journey.Hub(hub.deployment, hub.progress)
    try:
        (reach,) = await journey.reach(fresh, Access)
        nodes = [node_row(node) for node in await reach.kube.list("v1/Node")]
        late = [f"{node['name']} {node['kubelet']}" for node in nodes if node["kubelet"] != wanted]
        if reach.version != wanted:
            late.append(f"API server {reach.version}")
        if late:
            raise ZeroJHubError(f"Magnum says that the upgrade is complete, but {', '.join(late)} is not {wanted}")
        return nodes
    finally:
        await fresh.close()


def node_row(node: dict) -> dict[str, str]:
    info = node["status"]["nodeInfo"]
    return {
        "name": node["metadata"]["name"],
        "kubelet": info["kubeletVersion"],
        "runtime": info["containerRuntimeVersion"],
    }
