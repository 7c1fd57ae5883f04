"""Heat's stacks behind clusters of Magnum's Heat drivers: which resource is being made, which is late, which failed, and why."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from zerojhub.errors import CloudError
from zerojhub.openstack.session import Cloud
from zerojhub.text import elapsed, one_line

DEPTH = 3
"""Nested stacks between a cluster's own stack and its servers."""
LATE = 300
"""Seconds after which one resource is late: a server boots, and a node joins, in less."""


async def stacks_of(cloud: Cloud, cluster: dict) -> list[dict]:
    """The cluster's stack, and those of node groups that were added to it.

    Empty where there is none (Cluster API drivers), or no Heat for this project.
    """
    own = cluster.get("stack_id") or cluster.get("cluster_id")  # renamed in microversion 1.13
    ids = {own: None} if own else {}
    with contextlib.suppress(CloudError):  # node groups came with microversion 1.9
        groups = await cloud.container_infra.all(f"/clusters/{cluster['uuid']}/nodegroups", "nodegroups")
        ids |= dict.fromkeys(group["stack_id"] for group in groups if group["stack_id"])
    try:
        return [(await cloud.orchestration.get(f"/stacks/{ident}"))["stack"] for ident in ids]
    except CloudError:
        return []


async def resources(cloud: Cloud, cluster: dict, **query: str) -> list[dict]:
    """The resources of the cluster's stacks down to the servers; empty where there is no stack."""
    found = []
    for stack in await stacks_of(cloud, cluster):
        path = f"/stacks/{stack['stack_name']}/{stack['id']}/resources"
        with contextlib.suppress(CloudError):
            found += (await cloud.orchestration.get(path, nested_depth=DEPTH, **query))["resources"]
    return found


def under_way(listed: list[dict]) -> str:
    """What of a stack is being made right now, in a few words: "7 of 12 resources, now kube-master (6 min 02 s, late)"."""
    done = [each for each in listed if each["resource_status"].endswith("COMPLETE")]
    # A stack inside the stack is in progress because something in it is.
    busy = [each for each in listed if each["resource_status"].endswith("IN_PROGRESS") and not _is_stack(each)]
    now = [_with_time(each) for each in sorted(busy, key=_seconds, reverse=True)[:3]]
    counted = f"{len(done)} of {len(listed)} resources" if listed else ""
    return f"{counted}, now {', '.join(dict.fromkeys(now))}" if now else counted


def failure(listed: list[dict]) -> str | None:
    """The resource that failed deepest and its reason. What Heat aborted because something else had failed is no reason."""
    failed = [each for each in listed if each["resource_status"].endswith("FAILED")]
    reasons = [(each["resource_name"], one_line(each.get("resource_status_reason") or "")) for each in failed]
    telling = [(name, reason) for name, reason in reasons if reason and "aborted" not in reason]
    return ": ".join(telling[-1]) if telling else None


def _is_stack(resource: dict) -> bool:
    return any(link["rel"] == "nested" for link in resource.get("links", []))


def _seconds(resource: dict) -> float:
    since = datetime.fromisoformat(resource["updated_time"])
    return (datetime.now(UTC) - (since if since.tzinfo else since.replace(tzinfo=UTC))).total_seconds()


def _with_time(resource: dict) -> str:
    seconds = _seconds(resource)
    if seconds < 60:
        return resource["resource_name"]
    return f"{resource['resource_name']} ({elapsed(seconds)}{', late' if seconds > LATE else ''})"
