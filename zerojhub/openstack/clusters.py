"""A cluster's life in Magnum: what is asked for, the waiting with its reasons, and the end.

Progress is told through `say`, a function of one line of text. Times are seconds unless they say minutes.
"""

from __future__ import annotations

import contextlib
import time

import anyio

from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.openstack import heat, magnum, quota, servers, templates
from zerojhub.openstack.roads import is_cluster_api
from zerojhub.openstack.session import Cloud
from zerojhub.openstack.usable import verdict
from zerojhub.text import Say, elapsed, one_line

POLL = (1.0, 3.0)
"""Pauses between two looks: the first, and the longest, so that an end is noticed within it."""

SLACK = 120
"""Past the creation's own time-out, how long to wait for Magnum to say that it timed out, and why."""

BEGIN = 30
"""How long Magnum may take to begin what it was asked for."""

USUAL_MINUTES = 14
"""What creating a cluster of one master and one worker takes on a usual cloud (user guide)."""


async def wait(cloud: Cloud, uuid: str, say: Say, *, minutes: int, before: dict | None = None) -> dict:
    """Wait until nothing is in progress any more, and return the cluster.

    `before` is the cluster as it was when a change was asked of it: Magnum answers before it begins, and until then shows
    the cluster as it was. A new one it does not show at first. Raises ZeroJHubError, with the reasons down to the
    server's fault, when the cluster failed, was deleted, or takes too long.
    """
    started, pause, cluster = time.monotonic(), POLL[0], None
    while True:
        found = await cloud.container_infra.find(f"/clusters/{uuid}")
        if not found and not cluster and not before and time.monotonic() - started < BEGIN:
            await anyio.sleep(pause)
            continue
        cluster = found
        if cluster is None:
            raise ZeroJHubError("the cluster was deleted meanwhile")
        if before and not _differs(cluster, before) and time.monotonic() - started < BEGIN:
            await anyio.sleep(pause)
            continue
        if cluster["status"].endswith("FAILED"):
            raise ZeroJHubError(await failure(cloud, cluster), hint=way_out(cluster))
        if not cluster["status"].endswith("IN_PROGRESS"):
            return cluster
        progress = await under_way(cloud, cluster)
        if time.monotonic() - started > minutes * 60 + SLACK:
            raise ZeroJHubError(await stall(cloud, cluster, progress, minutes))
        usual = f" (usually {USUAL_MINUTES} min)" if cluster["status"].startswith("CREATE") else ""
        say(f"{cluster['status']}{f': {progress}' if progress else ''}{usual}")
        await anyio.sleep(pause)
        pause = min(pause * 1.3, POLL[1])


def _differs(cluster: dict, before: dict) -> bool:
    return any(cluster.get(key) != before.get(key) for key in ("status", "updated_at", "node_count"))


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


async def under_way(cloud: Cloud, cluster: dict) -> str:
    """What is being made right now, and what of it is late; empty when nothing is to be seen."""
    if listed := await heat.resources(cloud, cluster):
        return heat.under_way(listed)
    return servers.under_way(await servers.of(cloud, cluster))


async def failure(cloud: Cloud, cluster: dict) -> str:
    """Why the cluster failed, down to the resource and the server's fault; and whether it is usable all the same."""
    faults = [f"{name}: {one_line(why)}" for name, why in (cluster.get("faults") or {}).items() if why]
    deepest = (
        servers.fault(await servers.of(cloud, cluster))
        or heat.failure(await heat.resources(cloud, cluster))
        or "; ".join(dict.fromkeys(faults))
    )
    reason = cluster.get("status_reason") or "Magnum gives no reason"
    chain = [f"cluster {cluster['name']} is {cluster['status']}", reason, *([deepest] if deepest else [])]
    return f"{': '.join(chain)}; {await verdict(cloud, cluster)}"


async def stall(cloud: Cloud, cluster: dict, progress: str, minutes: int) -> str:
    """Why nothing more is waited for: what it is still at, a server's fault, and whether it is usable all the same."""
    fault = servers.fault(await servers.of(cloud, cluster))
    at = "".join(f": {text}" for text in (progress and f"still at {progress}", fault) if text)
    said = f"cluster {cluster['name']} is {cluster['status']} after {elapsed(minutes * 60)}{at}"
    return f"{said}; {await verdict(cloud, cluster)}"


def way_out(cluster: dict) -> str | None:
    if cluster["status"] == "CREATE_FAILED":
        return "remove it with `zerojhub down`, then `zerojhub up` again"
    return None


async def create(cloud: Cloud, template: str, body: dict, *, duplicate: bool = False) -> str:
    """Ask for a cluster of the template and return its UUID. Problems with everything that would stop it, first.

    `merge_labels` in the body is done here: a Magnum before OpenStack Victoria does not know it.
    """
    found: list[ZeroJHubError] = []
    chosen = await magnum.get_one(cloud, "clustertemplates", template)
    if not duplicate and await magnum.named(cloud, "clusters", body["name"]):
        hint = "--duplicate makes another all the same"
        found.append(UserError(f"there is a cluster named {body['name']!r}", hint=hint))
    if not body.get("keypair") and not chosen["keypair_id"] and not is_cluster_api(chosen):
        found.append(UserError("neither the cluster nor its template names a keypair", hint="--keypair"))
    found += await templates.problems(cloud, overridden(chosen, body))
    found += await room(cloud, overridden(chosen, body), body["master_count"], body["node_count"])
    if found:
        raise Problems(found)
    asked = {"cluster_template_id": chosen["uuid"]} | {key: body[key] for key in body if key != "merge_labels"}
    if body.get("merge_labels"):
        asked["labels"] = chosen["labels"] | body["labels"]
    return (await cloud.container_infra.post("/clusters", asked))["uuid"]


def overridden(template: dict, body: dict) -> dict:
    """The template with what the request for a cluster sets in its place."""
    return (
        template
        | {"keypair_id": body.get("keypair") or template.get("keypair_id")}
        | {k: v for k, v in body.items() if k in template}
    )


async def room(cloud: Cloud, template: dict, masters: int, workers: int) -> list[ZeroJHubError]:
    """What the project's quotas, or the number of masters, do not allow."""
    found: list[ZeroJHubError] = []
    if masters > 1 and not template.get("master_lb_enabled"):
        found.append(UserError(f"{masters} masters need a template with master_lb_enabled", hint="or one master"))
    counts: dict[str, int] = {}
    for flavor, number in ((template.get("master_flavor_id"), masters), (template.get("flavor_id"), workers)):
        if flavor:
            counts[flavor] = counts.get(flavor, 0) + number
    with contextlib.suppress(UserError):  # a flavor that does not exist is a problem of the template, told there
        found += await quota.compute_lack(cloud, counts)
    return found


async def settled(cloud: Cloud, name: str) -> dict:
    """The cluster, when nothing is in progress in it: Magnum takes a change all the same, and muddles both."""
    cluster = await magnum.get_one(cloud, "clusters", name)
    if cluster["status"].endswith("IN_PROGRESS"):
        raise ZeroJHubError(f"cluster {cluster['name']} is {cluster['status']}", hint="wait until that is over")
    return cluster


async def describe(cloud: Cloud, name: str) -> dict:
    """The cluster with its servers (rows of name, status, flavor, addresses, fault), and why it failed, if it did."""
    cluster = await magnum.get_one(cloud, "clusters", name)
    failed = {"failure": await failure(cloud, cluster)} if cluster["status"].endswith("FAILED") else {}
    return cluster | failed | {"servers": [servers.row(server) for server in await servers.of(cloud, cluster)]}
