"""The cluster: created from the template, or adopted when one of that name exists."""

from __future__ import annotations

from zerojhub.cluster import lifecycle
from zerojhub.cluster.delete import delete
from zerojhub.data import kept
from zerojhub.errors import ZeroJHubError
from zerojhub.openstack import clusters, magnum, quota, templates
from zerojhub.openstack.magnum import Cluster as MagnumCluster
from zerojhub.openstack.magnum import ClusterRequest
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.keypair import Keypair
from zerojhub.stages.template import Template, expected
from zerojhub.text import plural


class Cluster(Stage[MagnumCluster]):
    """The Kubernetes cluster, created by Magnum or adopted.

    Looks for a cluster of the name, and creates it when there is none. While it waits it reports which resource is being
    created; a failure is traced down to the server's fault. `down` deletes a cluster that was created for this deployment,
    and no other, after it has removed the load balancers of its Services.
    """

    name = "cluster"
    needs = (Template, Keypair)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        """Everything that the template names, and room in the quotas for what would be created."""
        template = await expected(run)
        if template is None or await find(run) is not None:
            return []
        spec = run.deployment.cluster
        # The cluster gets a keypair of its own, whatever the template says.
        wanted = template | {"keypair_id": None}
        if spec.flavor:
            wanted["flavor_id"] = spec.flavor
        if spec.master_flavor:
            wanted["master_flavor_id"] = spec.master_flavor
        problems = await templates.problems(run.cloud, wanted)
        problems += await clusters.capacity_problems(run.cloud, wanted, spec.masters, spec.workers)
        if not run.deployment.access.floating_ip:
            problems += await quota.floating_ip_shortages(run.cloud, 1)
        return problems

    async def look(self, run: Run) -> Found[MagnumCluster] | Missing[MagnumCluster] | Wrong[MagnumCluster]:
        cluster = await find(run)
        if cluster is None:
            return Missing(f"there is no cluster {run.deployment.cluster_name}")
        status, reason = cluster["status"], cluster.get("status_reason") or "no reason given"
        progress = f"see: zerojhub cluster show {cluster['name']}"
        if status.startswith("DELETE"):
            return Wrong(f"cluster {cluster['name']} is {status}", hint=progress)
        if status == "CREATE_FAILED":
            return Wrong(await lifecycle.failure(run.cloud, cluster), hint=clusters.recovery_hint(cluster))
        if status.endswith("IN_PROGRESS"):
            # One that is being resized or upgraded works; an autoscaler may resize it at any time.
            usable = cluster if status.startswith("UPDATE") else None
            return Missing(f"cluster {cluster['name']} is {status}", usable, progress)
        masters, workers = plural(cluster["master_count"], "master"), plural(cluster["node_count"], "worker")
        detail = f"{cluster['name']}: {masters}, {workers}"
        if status.endswith("FAILED"):
            detail += f"; {status}: {reason}"
        autoscaled = run.deployment.autoscale or clusters.autoscaled(cluster)
        if cluster["node_count"] != run.deployment.cluster.workers and not autoscaled:
            detail += f" ({run.deployment.cluster.workers} requested)"
        return Found(detail, cluster)

    async def do(self, run: Run, state: Missing[MagnumCluster] | Wrong[MagnumCluster]) -> None:
        cluster = await find(run)
        if isinstance(state, Wrong):
            raise ZeroJHubError(state.detail, hint=clusters.recovery_hint(cluster) if cluster else None)
        uuid = cluster["uuid"] if cluster else await magnum.create_cluster(run.cloud, request(run))
        await lifecycle.wait_until_idle(run.cloud, uuid, run.say, minutes=run.deployment.cluster.timeout)

    async def undo(self, run: Run, teardown: Teardown) -> None:
        cluster = await find(run)
        if cluster is None or cluster["labels"].get(clusters.OWNER_LABEL) != run.deployment.name:
            return
        await kept.mark_rest(run.cloud, cluster, run.deployment)
        await delete(run.cloud, cluster, run.say, data=False)


async def find(run: Run) -> MagnumCluster | None:
    """The deployment's cluster, if it exists. UserError when several have the name."""
    return await run.once(magnum.find_cluster, run.cloud, run.deployment.cluster_name)


def request(run: Run) -> ClusterRequest:
    """The request that creates the cluster (Magnum API reference, clusters)."""
    spec, key = run.deployment.cluster, run[Keypair]
    labels = {name: str(value) for name, value in spec.labels.items()} | {clusters.OWNER_LABEL: run.deployment.name}
    if bounds := run.deployment.autoscale:
        labels |= {"auto_scaling_enabled": "true", "min_node_count": str(bounds.min), "max_node_count": str(bounds.max)}
    body: ClusterRequest = {
        "name": run.deployment.cluster_name,
        "cluster_template_id": run[Template]["uuid"],
        "node_count": spec.workers,
        "master_count": spec.masters,
        "create_timeout": spec.timeout,
        # Merged here: Magnum has merge_labels only since OpenStack Victoria.
        "labels": run[Template]["labels"] | labels,
    }
    if key:
        body["keypair"] = key.name
    if spec.flavor:
        body["flavor_id"] = spec.flavor
    if spec.master_flavor:
        body["master_flavor_id"] = spec.master_flavor
    if spec.docker_volume_size:
        body["docker_volume_size"] = spec.docker_volume_size
    if spec.fixed_network:
        body["fixed_network"] = spec.fixed_network
    if spec.fixed_subnet:
        body["fixed_subnet"] = spec.fixed_subnet
    if spec.floating_ip_enabled is not None:
        body["floating_ip_enabled"] = spec.floating_ip_enabled
    return body
