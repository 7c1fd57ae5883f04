"""The stacks behind a cluster of Magnum's Heat drivers: which resource is in progress, which is late, which failed and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from zerojhub.openstack import heat, magnum
from zerojhub.openstack.session import Cloud, if_allowed
from zerojhub.text import elapsed, instant, one_line, seconds_between

DEPTH = 3
"""Levels of nested stacks between a cluster's own stack and its servers."""
LATE = 300
"""Seconds after which a resource is late: a server boots, and a node joins, in less."""


async def of(cloud: Cloud, cluster: magnum.Cluster) -> list[heat.Stack]:
    """The cluster's stack, and those of node groups that were added to it.

    Empty when there is none (Cluster API drivers), or the project may not use Heat.
    """
    own = cluster.get("stack_id") or cluster.get("cluster_id")  # renamed in microversion 1.13
    ids = [own] if own else []
    with if_allowed():  # node groups came with microversion 1.9
        ids += [
            stack_id for group in await magnum.nodegroups(cloud, cluster["uuid"]) if (stack_id := group.get("stack_id"))
        ]
    with if_allowed():
        return [await heat.stack_of_id(cloud, stack_id) for stack_id in dict.fromkeys(ids)]
    return []


async def resources(
    cloud: Cloud, cluster: magnum.Cluster, *, resource_type: str | None = None
) -> list[heat.StackResource]:
    """The resources of the cluster's stacks down to the servers; empty when there is no stack."""
    return await resources_of(cloud, await of(cloud, cluster), resource_type=resource_type)


async def resources_of(
    cloud: Cloud, found_stacks: Sequence[heat.Stack], *, resource_type: str | None = None
) -> list[heat.StackResource]:
    """The resources of these stacks down to the servers."""
    found: list[heat.StackResource] = []
    for stack in found_stacks:
        with if_allowed():
            found += await heat.resources(cloud, stack, depth=DEPTH, resource_type=resource_type)
    return found


async def seconds_to_create(cloud: Cloud, cluster: magnum.Cluster) -> float | None:
    """How long Heat took to create the cluster's stack; None when there is none, or Heat does not remember."""
    own = cluster.get("stack_id") or cluster.get("cluster_id")
    with if_allowed():
        if own:
            stack = await heat.stack_of_id(cloud, own)
            for event in await heat.events(cloud, stack):
                if (event["physical_resource_id"], event["resource_status"]) == (stack["id"], "CREATE_COMPLETE"):
                    return seconds_between(stack["creation_time"], instant(event["event_time"]))
    return None


def progress(listed: Sequence[heat.StackResource], now: datetime) -> str:
    """What is in progress, in a few words: "7 of 12 resources, now kube-master (6 min 02 s, late)"; empty for none.

    `now`: Heat's time.
    """
    # INIT_COMPLETE is what has not begun.
    done = [each for each in listed if re.search("(?<!INIT)_COMPLETE$", each["resource_status"])]
    # A nested stack is in progress because something in it is.
    busy = [each for each in listed if each["resource_status"].endswith("IN_PROGRESS") and not _is_stack(each)]
    times = sorted(
        ((seconds_between(each["updated_time"], now), each["resource_name"]) for each in busy),
        key=lambda time: -time[0],
    )
    shown = [_with_time(name, seconds) for seconds, name in times[:3]]
    counted = f"{len(done)} of {len(listed)} resources" if listed else ""
    return f"{counted}, now {', '.join(dict.fromkeys(shown))}" if shown else counted


def failure(listed: Sequence[heat.StackResource]) -> str | None:
    """The most deeply nested resource that failed, and its reason. An abort because of another failure is not a reason."""
    failed = [each for each in listed if each["resource_status"].endswith("FAILED")]
    reasons = [(each["resource_name"], one_line(each["resource_status_reason"] or "")) for each in failed]
    causes = [(name, reason) for name, reason in reasons if reason and "aborted" not in reason]
    return ": ".join(causes[-1]) if causes else None


def _is_stack(resource: heat.StackResource) -> bool:
    return any(link["rel"] == "nested" for link in resource.get("links", []))


def _with_time(name: str, seconds: float) -> str:
    if seconds < 60:
        return name
    return f"{name} ({elapsed(seconds)}{', late' if seconds > LATE else ''})"
