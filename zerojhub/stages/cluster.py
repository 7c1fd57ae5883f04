"""The cluster: created from the template, or adopted when one of that name exists."""

from __future__ import annotations

from typing import cast

from zerojhub.cluster import creation, lifecycle, usable
from zerojhub.cluster.delete import delete
from zerojhub.data import kept
from zerojhub.errors import ZeroJHubError
from zerojhub.openstack import clusters, magnum, needs, nova, quota, remains, templates, zones
from zerojhub.openstack.magnum import Cluster as MagnumCluster
from zerojhub.openstack.magnum import ClusterRequest, TemplateFields
from zerojhub.openstack.roads import road_of
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.floating_ip import own as own_floating_ips
from zerojhub.stages.keypair import Keypair
from zerojhub.stages.template import Template, expected
from zerojhub.text import elapsed, plural


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
        wanted = await missing(run)
        if wanted is None:
            return []
        problems = await templates.problems(run.cloud, wanted, await run.once(nova.flavors, run.cloud))
        problems += clusters.problems_of_masters(wanted, run.deployment.cluster.masters)
        problems += quota.shortages(await run.once(quota.room, run.cloud), await needed(run, wanted))
        zone, there = wanted["labels"].get(zones.LABEL), await run.once(zones.zones, run.cloud)
        if warning := there.warning(zone):
            run.note(f"warning: {warning}")
        return problems + there.problems(zone)

    async def look(self, run: Run) -> Found[MagnumCluster] | Missing[MagnumCluster] | Wrong[MagnumCluster]:
        cluster = await find(run)
        if cluster is None:
            return Missing(f"there is no cluster {run.deployment.cluster_name}")
        status, progress = cluster["status"], f"see: zerojhub cluster show {cluster['name']}"
        if status in ("CREATE_FAILED", "DELETE_FAILED"):
            reason = await lifecycle.failure(run.cloud, cluster)
            return Wrong(reason, hint=clusters.recovery_hint(cluster, reason))
        if status.startswith("DELETE"):
            return Wrong(f"cluster {cluster['name']} is {status}", hint=progress)
        if await is_complete_unnoticed(run, cluster):
            late = elapsed(creation.in_progress_for(run.cloud, cluster))
            return Found(
                f"{cluster['name']}: {status} for {late}, but its API answers and its nodes are ready", cluster
            )
        if status.endswith("IN_PROGRESS"):
            # One that is being resized or upgraded works; an autoscaler may resize it at any time.
            works = cluster if status.startswith("UPDATE") else None
            return Missing(f"cluster {cluster['name']} is {status}", works, progress)
        masters, workers = plural(cluster["master_count"], "master"), plural(cluster["node_count"], "worker")
        detail = f"{cluster['name']}: {masters}, {workers}"
        if status.endswith("FAILED"):
            detail += f"; {await lifecycle.cause(run.cloud, cluster)}"
            if hint := clusters.recovery_hint(cluster, detail):
                detail += f" ({hint})"
        autoscaled = run.deployment.autoscale or clusters.autoscaled(cluster)
        if cluster["node_count"] != run.deployment.cluster.workers and not autoscaled:
            detail += f" ({run.deployment.cluster.workers} requested)"
        return Found(detail, cluster)

    async def do(self, run: Run, state: Missing[MagnumCluster] | Wrong[MagnumCluster]) -> None:
        cluster = await find(run)
        if isinstance(state, Wrong):
            raise ZeroJHubError(state.detail, hint=state.hint)
        uuid = cluster["uuid"] if cluster else await magnum.create_cluster(run.cloud, request(run))
        try:
            await lifecycle.wait_until_idle(run.cloud, uuid, run.say, minutes=run.deployment.cluster.timeout)
        except lifecycle.Stalled:
            run.forget_answers()
            late = await find(run)
            if late is None or not await is_complete_unnoticed(run, late):
                raise

    async def undo(self, run: Run, teardown: Teardown) -> None:
        cluster = await find(run)
        if cluster is None or cluster["labels"].get(clusters.OWNER_LABEL) != run.deployment.name:
            return
        await kept.mark_rest(run.cloud, cluster, run.deployment)
        teardown.traces = await remains.note(run.cloud, cluster, teardown.traces)
        await delete(run.cloud, cluster, run.say, data=False)


async def missing(run: Run) -> TemplateFields | None:
    """The template as the deployment overrides it, if there is one and no cluster of it yet."""
    template = await expected(run)
    if template is None or await find(run) is not None:
        return None
    spec = run.deployment.cluster
    own = {
        # The cluster gets a keypair of its own, whatever the template says.
        "keypair_id": None,
        "flavor_id": spec.flavor or template.get("flavor_id"),
        "master_flavor_id": spec.master_flavor or template.get("master_flavor_id"),
        "docker_volume_size": spec.docker_volume_size or template.get("docker_volume_size"),
        "fixed_network": spec.fixed_network or template.get("fixed_network"),
        "fixed_subnet": spec.fixed_subnet or template.get("fixed_subnet"),
        "floating_ip_enabled": template.get("floating_ip_enabled", False)
        if spec.floating_ip_enabled is None
        else spec.floating_ip_enabled,
        "labels": template["labels"] | {name: str(value) for name, value in spec.labels.items()},
    }
    return cast(TemplateFields, {**template, **own})  # keys and types are those of the template


async def needed(run: Run, template: TemplateFields) -> quota.Needs:
    """What the deployment's cluster takes of the quotas, with the floating IP of its own."""
    spec, access = run.deployment.cluster, run.deployment.access
    needed = needs.of_cluster(template, spec.masters, spec.workers, await run.once(nova.flavors, run.cloud))
    addressed = access.floating_ip or template["floating_ip_enabled"] or road_of(run.deployment, template) == "api"
    if not addressed and not await own_floating_ips(run):
        needed["floating_ips"] += 1
    return needed


async def find(run: Run) -> MagnumCluster | None:
    """The deployment's cluster, if it exists. UserError when several have the name."""
    return await run.once(magnum.find_cluster, run.cloud, run.deployment.cluster_name)


async def is_complete_unnoticed(run: Run, cluster: MagnumCluster) -> bool:
    """Is the creation over, although Magnum has been waiting for it for longer than it should?"""
    overdue = cluster["status"] == "CREATE_IN_PROGRESS" and lifecycle.is_overdue(run.cloud, cluster)
    return overdue and await usable.is_complete(run.cloud, cluster)


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
    if spec.discovery_url:
        body["discovery_url"] = spec.discovery_url
    if spec.floating_ip_enabled is not None:
        body["floating_ip_enabled"] = spec.floating_ip_enabled
    return body
