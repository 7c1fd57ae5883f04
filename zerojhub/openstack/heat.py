"""Heat's stacks behind clusters of Magnum's Heat drivers: which resource is being made, which failed, and why."""

from __future__ import annotations

from zerojhub.errors import CloudError
from zerojhub.openstack.session import Cloud, one_line

DEPTH = 3
"""Nested stacks between a cluster's own stack and its servers."""


async def resources(cloud: Cloud, cluster: dict, **query: str) -> list[dict]:
    """The resources of the cluster's stack down to the servers; empty where there is no stack (Cluster API drivers) or no Heat."""
    stack_id = cluster.get("stack_id") or cluster.get("cluster_id")  # renamed in microversion 1.13
    if not stack_id:
        return []
    try:
        stack = (await cloud.orchestration.get(f"/stacks/{stack_id}"))["stack"]
        path = f"/stacks/{stack['stack_name']}/{stack['id']}/resources"
        return (await cloud.orchestration.get(path, nested_depth=DEPTH, **query))["resources"]
    except CloudError:
        return []


async def under_way(cloud: Cloud, cluster: dict) -> str:
    """What is being made right now, in a few words: "7 of 12 resources, now kube_masters"."""
    listed = await resources(cloud, cluster)
    done = [each for each in listed if each["resource_status"].endswith("COMPLETE")]
    busy = sorted({each["resource_name"] for each in listed if each["resource_status"].endswith("IN_PROGRESS")})
    return f"{len(done)} of {len(listed)} resources, now {', '.join(busy[:3])}" if busy else ""


async def failure(cloud: Cloud, cluster: dict) -> str | None:
    """The resource that failed and its reason: a server's own fault where there is one, the deepest otherwise.

    What Heat aborted because something else had failed is not a reason.
    """
    failed = [each for each in await resources(cloud, cluster) if each["resource_status"].endswith("FAILED")]
    for each in failed:
        if each["resource_type"] == "OS::Nova::Server" and each.get("physical_resource_id"):
            server = ((await cloud.compute.find(f"/servers/{each['physical_resource_id']}")) or {}).get("server", {})
            if fault := server.get("fault"):
                return f"server {server['name']}: {one_line(fault['message'])}"
    reasons = [(each["resource_name"], one_line(each.get("resource_status_reason") or "")) for each in failed]
    telling = [(name, reason) for name, reason in reasons if reason and "aborted" not in reason]
    return ": ".join(telling[-1]) if telling else None
