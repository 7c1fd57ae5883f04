"""How autoscaling stands: bounds, what the autoscaler sees, which pods wait and why no node comes, which nodes cannot go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub import journey
from zerojhub.kube import autoscaler, explain, nodes
from zerojhub.openstack import clusters, nodegroups
from zerojhub.operations.autoscale import DEPLOYMENT, bounds_of, runs_outside
from zerojhub.stages import Access, Cluster
from zerojhub.stages.cluster import autoscaled

if TYPE_CHECKING:
    from zerojhub.journey import Hub


def when(event: dict) -> str:
    return event.get("lastTimestamp") or event.get("eventTime") or ""


async def status(hub: Hub) -> dict:
    """cluster, enabled, where, running, trouble (why it does not run), image, times; groups, pending and nodes (see below)."""
    reach, cluster = await journey.reach(hub, Access, Cluster)
    outside = runs_outside(hub)
    deployment = None if outside else await reach.kube.get(*DEPLOYMENT)
    settings = autoscaler.Settings.of(deployment) if deployment else autoscaler.Settings()
    told = await seen(reach.kube)
    every = await nodegroups.of(hub.cloud, cluster["uuid"])
    workers = [group for group in every if group["role"] != "master"]
    groups = [group_row(group, bounds_of(group, cluster, None if outside else settings), told) for group in workers]
    enabled = autoscaled(cluster) if outside else bool(deployment)
    running = enabled if outside else enabled and explain.is_available(deployment)
    troubles = []
    if enabled and not running:
        troubles = await explain.why_not_ready(reach.kube, autoscaler.NAMESPACE, f"app={autoscaler.NAME}")
    events = await reach.kube.list("v1/Event")
    return {
        "cluster": cluster["name"],
        "enabled": enabled,
        "where": "outside of the cluster" if outside else "in the cluster",
        "running": running,
        "trouble": str(troubles[0]) if troubles else None,
        "image": settings.image or None,
        "times": {} if outside else {name: getattr(settings, name) for name in autoscaler.TIMES},
        "groups": groups,
        "pending": [row async for row in pending(hub, reach.kube, cluster, groups, events, enabled=enabled)],
        "nodes": [
            node_row(node, events, settings.image)
            for node in await reach.kube.list("v1/Node")
            if not nodes.is_master(node)
        ],
    }


async def seen(kube) -> dict[str, dict]:
    """What the autoscaler wrote down of each node group, by the name that it gives it; empty before 1.30 and without it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    config = await kube.get("v1/ConfigMap", autoscaler.STATUS, autoscaler.NAMESPACE)
    try:
        told = YAML(typ="safe").load((config or {}).get("data", {}).get("status", ""))
    except YAMLError:
        return {}
    groups = told.get("nodeGroups") or [] if isinstance(told, dict) else []
    return {group["name"]: group for group in groups}


def group_row(group: dict, bounds: tuple[int, int] | None, told: dict[str, dict]) -> dict:
    """name, min, max, nodes (as Magnum has them), ready (as the autoscaler sees them), scale_up, scale_down, error."""
    unique = f"{group['name']}-{group['uuid'].partition('-')[0]}"
    about = told.get(unique) or next((each for name, each in told.items() if group["name"] in name), {})
    growing, health = about.get("scaleUp", {}), about.get("health", {})
    return {
        "name": group["name"],
        "min": bounds[0] if bounds else None,
        "max": bounds[1] if bounds else None,
        "nodes": group["node_count"],
        "ready": health.get("nodeCounts", {}).get("registered", {}).get("ready"),
        "scale_up": growing.get("status"),
        "scale_down": about.get("scaleDown", {}).get("status"),
        "error": growing.get("backoffInfo", {}).get("errorMessage"),
        "flavor": group["flavor_id"],
    }


async def pending(hub: Hub, kube, cluster: dict, groups: list[dict], events: list[dict], *, enabled: bool):
    """Rows of namespace, pod, why: of pods that fit on no node, what is being done, or why nothing is."""
    for pod in await kube.list("v1/Pod", fields="status.phase=Pending"):
        conditions = pod["status"].get("conditions", [])
        refused = next(
            (each for each in conditions if each["type"] == "PodScheduled" and each["status"] == "False"), None
        )
        if refused:
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            told = [
                each
                for each in events
                if each["involvedObject"].get("uid") == pod["metadata"]["uid"]
                and each["reason"] in ("TriggeredScaleUp", "NotTriggerScaleUp")
            ]
            newest = max(told, key=when, default=None)
            why = await why_no_node(hub, groups, newest, refused.get("message", ""), enabled=enabled)
            yield {"namespace": namespace, "pod": name, "why": why}


async def why_no_node(hub: Hub, groups: list[dict], said: dict | None, refused: str, *, enabled: bool) -> str:
    """One line: the reason in words of what can be changed, or else the autoscaler's or the scheduler's own."""
    scaled = [group for group in groups if group["max"] is not None]
    if not enabled or not scaled:
        return f"autoscaling is off (zerojhub autoscale enable); the scheduler: {refused}"
    message = (said or {}).get("message", "")
    full = all(group["nodes"] >= group["max"] for group in scaled)
    # The node that a pod asked for may have come, and been taken by another.
    if said and said["reason"] == "TriggeredScaleUp" and not (full and all(map(complete, scaled))):
        failed = next((group["error"] for group in scaled if group["error"]), None)
        return f"the cloud gives no node: {failed}" if failed else f"a node is on its way: {message.partition(': ')[2]}"
    if full or "max node group size reached" in message:
        sizes = ", ".join(f"{group['name']} has {group['nodes']} of {group['max']} nodes" for group in scaled)
        return f"the bounds are reached: {sizes} (zerojhub autoscale enable --max raises them)"
    if "in backoff" in message:
        failed = next((group["error"] for group in scaled if group["error"]), "it could not make the last one")
        return f"the cloud gives no node, and is asked again later: {failed}"
    for group in scaled:
        if lacking := await clusters.room(hub.cloud, {"flavor_id": group["flavor"]}, 0, 1):
            return f"no quota for another node: {lacking[0]}"
    if "Insufficient" in message:
        flavors = ", ".join(sorted({group["flavor"] for group in scaled}))
        return f"it is too large for a node of flavor {flavors}: {message.partition(': ')[2]}"
    return (
        f"the autoscaler: {message.partition(': ')[2]}" if message else f"the autoscaler has not looked yet; {refused}"
    )


def complete(group: dict) -> bool:
    """Are all the nodes there that the group is to have?"""
    return group["ready"] is not None and group["ready"] >= group["nodes"]


def node_row(node: dict, events: list[dict], image: str) -> dict:
    """name, protected, trouble: why the autoscaler could not remove it, or will not be able to."""
    failures = [
        event
        for event in events
        if event["involvedObject"].get("uid") == node["metadata"]["uid"] and event["reason"] == "ScaleDownFailed"
    ]
    said = max(failures, key=when)["message"] if failures else None
    unresolved = bool(said) and "could not be resolved" in said
    trouble = said
    if not nodes.fits(node) and (unresolved or autoscaler.goes_by_machine_id(image)):
        trouble = "its machine-id is not its server's UUID (zerojhub node fix-machine-id)"
    elif unresolved:  # and mended since
        trouble = None
    return {"name": node["metadata"]["name"], "protected": nodes.is_protected(node), "trouble": trouble}
