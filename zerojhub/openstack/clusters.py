"""A cluster's life in Magnum: what is asked for, the waiting with its reasons, and the end.

Progress is told through `say`, a function of one line of text. Times are seconds unless they say minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.openstack import heat
from zerojhub.openstack.session import Cloud
from zerojhub.report.progress import elapsed

Say = Callable[[str], None]

POLL = (1.0, 3.0)
"""Pauses between two looks: the first, and the longest, so that an end is noticed within it."""

SLACK = 120
"""Past the creation's own time-out, how long to wait for Magnum to say that it timed out, and why."""

USUAL_MINUTES = 14
"""What creating a cluster of one master and one worker takes on a usual cloud (user guide)."""


async def wait(cloud: Cloud, uuid: str, say: Say, *, minutes: int) -> dict:
    """Wait until nothing is in progress any more, and return the cluster.

    Raises ZeroJHubError, with the reasons down to the server's fault, when it failed, was deleted, or takes too long.
    """
    started, pause = time.monotonic(), POLL[0]
    while True:
        cluster = await cloud.container_infra.find(f"/clusters/{uuid}")
        if cluster is None:
            raise ZeroJHubError("the cluster was deleted meanwhile")
        if cluster["status"].endswith("FAILED"):
            raise ZeroJHubError(await failure(cloud, cluster), hint=way_out(cluster))
        if not cluster["status"].endswith("IN_PROGRESS"):
            return cluster
        progress = await heat.under_way(cloud, cluster)
        if time.monotonic() - started > minutes * 60 + SLACK:
            late = f", still at {progress}" if progress else ""
            raise ZeroJHubError(f"cluster {cluster['name']} is {cluster['status']} after {elapsed(minutes * 60)}{late}")
        say(f"{cluster['status']}{f': {progress}' if progress else ''} (usually {USUAL_MINUTES} min)")
        await anyio.sleep(pause)
        pause = min(pause * 1.3, POLL[1])


async def delete(cloud: Cloud, cluster: dict, say: Say) -> None:
    """Delete the cluster and wait until Magnum has forgotten it. ZeroJHubError when that fails."""
    await cloud.container_infra.delete(f"/clusters/{cluster['uuid']}")
    pause, asked = POLL[0], cluster.get("updated_at")
    while there := await cloud.container_infra.find(f"/clusters/{cluster['uuid']}"):
        if there["status"] == "DELETE_FAILED" and there.get("updated_at") != asked:
            reason = there.get("status_reason") or "Magnum gives no reason"
            raise ZeroJHubError(
                f"cluster {there['name']} could not be deleted: {reason}", hint="deleting again may help"
            )
        say(f"cluster {there['name']}: {there['status']}")
        await anyio.sleep(pause)
        pause = min(pause * 1.3, POLL[1])


async def failure(cloud: Cloud, cluster: dict) -> str:
    """Why the cluster failed, down to the resource and the server's fault."""
    chain = [
        f"cluster {cluster['name']} is {cluster['status']}",
        cluster.get("status_reason") or "Magnum gives no reason",
    ]
    if deepest := await heat.failure(cloud, cluster):
        chain.append(deepest)
    return ": ".join(chain)


def way_out(cluster: dict) -> str | None:
    if cluster["status"] == "CREATE_FAILED":
        return "remove it with `zerojhub down`, then `zerojhub up` again"
    return None
