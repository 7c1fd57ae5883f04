"""The cluster: created from the template, or adopted when one of that name is there; waited for, with its reasons."""

from __future__ import annotations

from zerojhub.errors import ZeroJHubError
from zerojhub.openstack import clusters, magnum, quota, templates
from zerojhub.operations.delete import delete
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.keypair import Keypair
from zerojhub.stages.template import Template, expected
from zerojhub.text import plural

OWNER_LABEL = "zerojhub_cluster"
"""The label that marks a cluster as made for a deployment: only such a one is ever deleted."""


class Cluster(Stage):
    """The Kubernetes cluster, created by Magnum or adopted.

    Looks for a cluster of the name, and makes it when there is none. While it waits it says which resource is being made;
    a failure is told down to the server's fault. `down` deletes a cluster that was made for this deployment, and no other,
    once it has given back the load balancers of its Services.
    """

    name = "cluster"
    needs = (Template, Keypair)

    async def check(self, hub) -> list[ZeroJHubError]:
        """Everything that the template names, and room in the quotas for what would be made."""
        template = await expected(hub)
        if template is None or await find(hub) is not None:
            return []
        spec = hub.deployment.cluster
        flavors = {"master_flavor_id": spec.master_flavor, "flavor_id": spec.flavor}
        # The cluster is made with a keypair of its own, whatever the template says.
        wanted = template | {"keypair_id": None} | {key: value for key, value in flavors.items() if value}
        problems = await templates.problems(hub.cloud, wanted)
        problems += await clusters.room(hub.cloud, wanted, spec.masters, spec.workers)
        if not hub.deployment.access.floating_ip:
            problems += await quota.floating_ip_shortages(hub.cloud, 1)
        return problems

    async def look(self, hub) -> Found | Missing | Wrong:
        cluster = await find(hub)
        if cluster is None:
            return Missing(f"there is no cluster {hub.deployment.cluster.name}")
        status, reason = cluster["status"], cluster.get("status_reason") or "no reason given"
        if status.startswith("DELETE"):
            return Wrong(f"cluster {cluster['name']} is {status}")
        if status == "CREATE_FAILED":
            return Wrong(await clusters.failure(hub.cloud, cluster))
        if status.endswith("IN_PROGRESS") and not (hub.takes_changing and status.startswith("UPDATE")):
            return Missing(f"cluster {cluster['name']} is {status}")
        detail = (
            f"{cluster['name']}: {plural(cluster['master_count'], 'master')}, {plural(cluster['node_count'], 'worker')}"
        )
        if status.endswith("FAILED"):
            detail += f"; {status}: {reason}"
        by_itself = hub.deployment.autoscale or autoscaled(cluster)
        if cluster["node_count"] != hub.deployment.cluster.workers and not by_itself:
            detail += f" ({hub.deployment.cluster.workers} asked for)"
        return Found(detail, cluster)

    async def do(self, hub, state: Missing | Wrong) -> None:
        if isinstance(state, Wrong):
            raise ZeroJHubError(state.how, hint=clusters.way_out(await find(hub)))
        cluster = await find(hub)
        uuid = cluster["uuid"] if cluster else (await hub.cloud.container_infra.post("/clusters", body_of(hub)))["uuid"]
        await clusters.wait(hub.cloud, uuid, hub.say, minutes=hub.deployment.cluster.timeout)

    async def undo(self, hub) -> None:
        cluster = await find(hub)
        if cluster is None or cluster["labels"].get(OWNER_LABEL) != hub.deployment.name:
            return
        left = {row["name"]: row for row in await delete(hub.cloud, cluster, hub.say, data=False)}
        # Kubernetes knew whose the volumes are, Cinder knows which of them are still there.
        owners = {row["name"]: row["owner"] for row in hub.kept}
        hub.kept = [row | {"owner": owners.get(name, row["owner"])} for name, row in left.items()]


async def find(hub) -> dict | None:
    return await magnum.find_one(hub.cloud, "clusters", hub.deployment.cluster.name)


def autoscaled(cluster: dict) -> bool:
    return str(cluster["labels"].get("auto_scaling_enabled", "")).lower() == "true"


def body_of(hub) -> dict:
    """The request that makes the cluster (Magnum API reference, clusters)."""
    spec = hub.deployment.cluster
    labels = {key: str(value) for key, value in spec.labels.items()} | {OWNER_LABEL: hub.deployment.name}
    if bounds := hub.deployment.autoscale:
        labels |= {"auto_scaling_enabled": "true", "min_node_count": str(bounds.min), "max_node_count": str(bounds.max)}
    optional = {
        "keypair": hub[Keypair] and hub[Keypair].name,
        "flavor_id": spec.flavor,
        "master_flavor_id": spec.master_flavor,
        "docker_volume_size": spec.docker_volume_size,
        "fixed_network": spec.fixed_network,
        "fixed_subnet": spec.fixed_subnet,
        "floating_ip_enabled": spec.floating_ip_enabled,
    }
    return {
        "name": spec.name,
        "cluster_template_id": hub[Template]["uuid"],
        "node_count": spec.workers,
        "master_count": spec.masters,
        "create_timeout": spec.timeout,
        # As merge_labels has Magnum do it, which one before OpenStack Victoria does not know.
        "labels": hub[Template]["labels"] | labels,
        **{key: value for key, value in optional.items() if value is not None},
    }
