"""The cluster: created from the template, or adopted when one of that name is there; waited for, with its reasons."""

from __future__ import annotations

import time

import anyio

from zerojhub.errors import CloudError, UserError, ZeroJHubError
from zerojhub.openstack import heat, leftovers, magnum, quota, templates
from zerojhub.report.progress import elapsed
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.keypair import Keypair
from zerojhub.stages.template import Template, expected

OWNER_LABEL = "zerojhub_cluster"
"""The label that marks a cluster as made for a deployment: only such a one is ever deleted."""

POLL = (1.0, 3.0)
"""Seconds between two looks: the first after a change, and the most, so that an end is noticed within it."""


class Cluster(Stage):
    """The Kubernetes cluster, created by Magnum or adopted."""

    name = "cluster"
    needs = (Template, Keypair)

    async def check(self, hub) -> list[ZeroJHubError]:
        """Everything that the template names, and room in the quotas for what would be made."""
        template = await expected(hub)
        if template is None or await find(hub) is not None:
            return []
        spec = hub.deployment.cluster
        # The cluster is made with a keypair of its own, whatever the template says.
        problems = await templates.problems(hub.cloud, {**template, "keypair_id": None})
        if spec.masters > 1 and not template.get("master_lb_enabled"):
            hint = "or masters: 1"
            problems.append(UserError(f"{spec.masters} masters need a template with master_lb_enabled", hint=hint))
        servers = {spec.master_flavor or template.get("master_flavor_id"): spec.masters}
        worker = spec.flavor or template.get("flavor_id")
        servers[worker] = servers.get(worker, 0) + spec.workers
        try:
            problems += await quota.compute_lack(hub.cloud, {name: count for name, count in servers.items() if name})
        except UserError as error:  # the same flavor that the template's check has missed
            problems.append(error)
        if not hub.deployment.access.floating_ip:
            problems += await quota.network_lack(hub.cloud, 1)
        return problems

    async def look(self, hub) -> Found | Missing | Wrong:
        cluster = await find(hub)
        if cluster is None:
            return Missing(f"there is no cluster {hub.deployment.cluster.name}")
        status, reason = cluster["status"], cluster.get("status_reason") or "no reason given"
        if status.startswith("DELETE"):
            return Wrong(f"cluster {cluster['name']} is {status}")
        if status == "CREATE_FAILED":
            return Wrong(await failure(hub, cluster))
        if status.endswith("IN_PROGRESS"):
            return Missing(f"cluster {cluster['name']} is {status}")
        detail = (
            f"{cluster['name']}: {count(cluster['master_count'], 'master')}, {count(cluster['node_count'], 'worker')}"
        )
        if status.endswith("FAILED"):
            detail += f"; {status}: {reason}"
        if cluster["node_count"] != hub.deployment.cluster.workers and not autoscaled(cluster):
            detail += f" ({hub.deployment.cluster.workers} asked for)"
        return Found(detail, cluster)

    async def do(self, hub, state: Missing | Wrong) -> None:
        if isinstance(state, Wrong):
            raise ZeroJHubError(state.how, hint="remove it with `zerojhub down`, then `zerojhub up` again")
        cluster = await find(hub)
        uuid = cluster["uuid"] if cluster else (await hub.cloud.container_infra.post("/clusters", body_of(hub)))["uuid"]
        await wait(hub, uuid)

    async def undo(self, hub) -> None:
        cluster = await find(hub)
        if cluster is None or cluster["labels"].get(OWNER_LABEL) != hub.deployment.name:
            return
        hub.say(f"deleting cluster {cluster['name']}")
        await hub.cloud.container_infra.delete(f"/clusters/{cluster['uuid']}")
        await wait_until_gone(hub, cluster["uuid"])
        hub.say("looking for what it left")
        hub.kept += await leftovers.take_away(hub.cloud, cluster)


async def find(hub) -> dict | None:
    return await magnum.find_one(hub.cloud, "clusters", hub.deployment.cluster.name)


def autoscaled(cluster: dict) -> bool:
    return str(cluster["labels"].get("auto_scaling_enabled", "")).lower() == "true"


def count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def body_of(hub) -> dict:
    """The request that makes the cluster (Magnum API reference, clusters)."""
    spec = hub.deployment.cluster
    labels = {key: str(value) for key, value in spec.labels.items()} | {OWNER_LABEL: hub.deployment.name}
    optional = {
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
        "keypair": hub[Keypair].name,
        "node_count": spec.workers,
        "master_count": spec.masters,
        "create_timeout": spec.timeout,
        "labels": labels,
        "merge_labels": True,
        **{key: value for key, value in optional.items() if value is not None},
    }


async def wait(hub, uuid: str) -> None:
    """Until Magnum says that the cluster is complete. Raises ZeroJHubError with the reason when it failed."""
    started, pause = time.monotonic(), POLL[0]
    limit = hub.deployment.cluster.timeout * 60 + 120  # Magnum's own time-out comes first, with its reason
    while True:
        cluster = await hub.cloud.container_infra.find(f"/clusters/{uuid}")
        if cluster is None:
            raise ZeroJHubError("the cluster was deleted while it was being made")
        if cluster["status"] == "CREATE_FAILED":
            raise ZeroJHubError(
                await failure(hub, cluster), hint="remove it with `zerojhub down`, then `zerojhub up` again"
            )
        if not cluster["status"].endswith("IN_PROGRESS"):
            return
        if time.monotonic() - started > limit:
            raise ZeroJHubError(
                f"cluster {cluster['name']} is {cluster['status']} after {elapsed(limit)}: {await heat.under_way(hub.cloud, cluster['stack_id'])}"
            )
        progress = await heat.under_way(hub.cloud, cluster["stack_id"]) if cluster.get("stack_id") else ""
        hub.say(f"{cluster['status']}{f': {progress}' if progress else ''}")
        await anyio.sleep(pause)
        pause = min(pause * 1.3, POLL[1])


async def wait_until_gone(hub, uuid: str) -> None:
    pause = POLL[0]
    while cluster := await hub.cloud.container_infra.find(f"/clusters/{uuid}"):
        if cluster["status"] == "DELETE_FAILED":
            reason = cluster.get("status_reason") or "no reason given"
            raise ZeroJHubError(
                f"cluster {cluster['name']} could not be deleted: {reason}", hint="zerojhub down tries again"
            )
        hub.say(f"cluster {cluster['name']}: {cluster['status']}")
        await anyio.sleep(pause)
        pause = min(pause * 1.3, POLL[1])


async def failure(hub, cluster: dict) -> str:
    """Why the cluster failed, down to the resource and the server's fault."""
    chain = [f"cluster {cluster['name']} is CREATE_FAILED", cluster.get("status_reason") or "Magnum gives no reason"]
    try:
        deepest = await heat.failure(hub.cloud, cluster["stack_id"]) if cluster.get("stack_id") else None
    except CloudError:
        deepest = None
    if deepest:
        chain.append(deepest)
    return ": ".join(chain)
