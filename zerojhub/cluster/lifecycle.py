"""A cluster while Magnum creates, changes or deletes it: the wait with its reasons, and what became of it.

Progress is reported through `say`. Times are seconds unless they say minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

from zerojhub import waiting
from zerojhub.cluster.creation import SOON, Watch, current_progress, in_progress_for
from zerojhub.cluster.usable import verdict
from zerojhub.errors import ZeroJHubError
from zerojhub.openstack import clusters, magnum, servers, stacks
from zerojhub.openstack.clusters import recovery_hint
from zerojhub.openstack.magnum import Cluster, ClusterName, ClusterOptions
from zerojhub.openstack.session import Cloud
from zerojhub.text import Say, elapsed, one_line
from zerojhub.waiting import NotYet, wait_until

PAUSE = (1.0, SOON)
"""Between two looks at a cluster: at first, and at most. What is shown is as old as that; not every look is a request."""

TIMEOUT_GRACE = 120
"""How long to wait, after the creation's own timeout, for Magnum to report that it timed out, and why."""

START_GRACE = 30
"""How long Magnum may take to begin what it was asked for."""

DEFAULT_MINUTES = 60
"""The timeout of a cluster that Magnum shows none of."""


class Stalled(ZeroJHubError):
    """A cluster has been in progress for longer than it may take (exit code 1)."""


@dataclass(frozen=True)
class Description:
    """A cluster with its servers and, if it failed, why."""

    cluster: Cluster
    servers: list[servers.ServerRow]
    failure: str | None


async def create(
    cloud: Cloud,
    template: str,
    options: ClusterOptions,
    say: Say,
    *,
    duplicate: bool,
    wait: bool,
    floating_ips: int = 0,
) -> Cluster | ClusterName:
    """Create a cluster (see `clusters.create`); with `wait`, return it once it is complete."""
    uuid = await clusters.create(cloud, template, options, duplicate=duplicate, floating_ips=floating_ips)
    if not wait:
        return {"uuid": uuid, "name": options["name"]}
    return await wait_until_idle(cloud, uuid, say, minutes=options["create_timeout"])


async def rotate_ca(cloud: Cloud, cluster: Cluster, say: Say, *, wait: bool) -> Cluster:
    """Have Magnum replace the cluster's certificate authority; with `wait`, until it is complete."""
    await magnum.rotate_ca(cloud, cluster["uuid"])
    return await wait_until_idle(cloud, cluster["uuid"], say, minutes=60, before=cluster) if wait else cluster


async def wait_until_idle(cloud: Cloud, uuid: str, say: Say, *, minutes: int, before: Cluster | None = None) -> Cluster:
    """Wait until nothing is in progress any more, and return the cluster.

    `before` is the cluster as it was when a change was requested: Magnum answers before it begins, and shows the cluster
    as it was until then, or with the new number of nodes already. It does not show a new one at first. Raises
    ZeroJHubError, with the reasons down to the server's fault, when the cluster failed, was deleted, or takes too long.
    """
    started, seen, watch = waiting.clock(), before is not None, Watch(cloud)

    async def look() -> Cluster | NotYet:
        nonlocal seen
        if not watch.due:
            return NotYet(watch.text())
        cluster, waited = await magnum.show_cluster(cloud, uuid), waiting.clock() - started
        if cluster is None and not seen and waited < START_GRACE:
            return NotYet()
        if cluster is None:
            raise ZeroJHubError("the cluster was deleted while it was waited for")
        seen = True
        if before and not _differs(cluster, before) and waited < START_GRACE:
            return NotYet()
        if cluster["status"].endswith("FAILED"):
            reason = await failure(cloud, cluster)
            raise ZeroJHubError(reason, hint=recovery_hint(cluster, reason))
        if not cluster["status"].endswith("IN_PROGRESS"):
            return cluster
        if waited > minutes * 60 + TIMEOUT_GRACE:
            raise Stalled(await stall(cloud, cluster, await current_progress(cloud, cluster), minutes))
        await watch.take(cluster)
        return NotYet(watch.text())

    return await wait_until(look, pause=PAUSE, say=say)


def _differs(cluster: Cluster, before: Cluster) -> bool:
    # Magnum's conductor saves the number of nodes first, and the cluster once its driver has begun.
    return any(cluster.get(key) != before.get(key) for key in ("status", "updated_at"))


async def delete(cloud: Cloud, cluster: Cluster, say: Say) -> None:
    """Delete the cluster and wait until it is gone. ZeroJHubError when that fails."""
    name, before = cluster["name"], cluster.get("updated_at")
    await magnum.delete_cluster(cloud, cluster["uuid"])

    async def look() -> NotYet | None:
        current = await magnum.show_cluster(cloud, cluster["uuid"])
        if current is None:
            return None
        if current["status"] == "DELETE_FAILED" and current.get("updated_at") != before:
            reason = await cause(cloud, current)
            raise ZeroJHubError(f"{reason} ({cluster['uuid']})", hint=recovery_hint(current, reason))
        return NotYet(f"cluster {name}: {current['status']}")

    await wait_until(look, pause=PAUSE, say=say)


async def failure(cloud: Cloud, cluster: Cluster) -> str:
    """Why the cluster failed, down to the resource and the server's fault; and whether it is usable all the same."""
    return f"{await cause(cloud, cluster)}; {await verdict(cloud, cluster)}"


async def cause(cloud: Cloud, cluster: Cluster) -> str:
    """Why the cluster failed, down to the resource and the server's fault, or to how its boot ended."""
    faults = [f"{name}: {one_line(reason)}" for name, reason in (cluster.get("faults") or {}).items() if reason]
    found = await servers.of(cloud, cluster)
    creating = cluster["status"].startswith("CREATE")
    deepest = (
        servers.failure(found)
        or (await servers.boot_failure(cloud, found) if creating else None)
        or stacks.failure(await stacks.resources(cloud, cluster))
        or "; ".join(dict.fromkeys(faults))
    )
    reason = cluster.get("status_reason") or "Magnum gives no reason"
    chain = [f"cluster {cluster['name']} is {cluster['status']}", reason, *([deepest] if deepest else [])]
    return ": ".join(chain)


def is_overdue(cloud: Cloud, cluster: Cluster) -> bool:
    """Has something been in progress for longer than Magnum itself waits?"""
    minutes = cluster.get("create_timeout") or DEFAULT_MINUTES
    return in_progress_for(cloud, cluster) > minutes * 60 + TIMEOUT_GRACE


async def stall(cloud: Cloud, cluster: Cluster, progress: str, minutes: int) -> str:
    """Why the wait ends here: what is still in progress, a server's fault, and whether the cluster is usable all the same."""
    found = await servers.of(cloud, cluster)
    fault = servers.failure(found) or await servers.boot_failure(cloud, found)
    at = "".join(f": {text}" for text in (progress and f"still at {progress}", fault) if text)
    summary = f"cluster {cluster['name']} is {cluster['status']} after {elapsed(minutes * 60)}{at}"
    return f"{summary}; {await verdict(cloud, cluster)}"


async def describe(cloud: Cloud, name: str) -> Description:
    """The cluster of this name or UUID, with its servers and why it failed. UserError when there is none."""
    cluster = await magnum.get_cluster(cloud, name)
    rows = [servers.row(server) for server in await servers.of(cloud, cluster)]
    failed = cluster["status"].endswith("FAILED")
    return Description(cluster, rows, await failure(cloud, cluster) if failed else None)
