"""The state of autoscaling: bounds, what the autoscaler reports, why pods wait for a node, which nodes cannot be removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zerojhub.cluster import nodegroups
from zerojhub.cluster.autoscale import Bounds, bounds_of, runs_outside
from zerojhub.errors import UserError
from zerojhub.kube import autoscaler, explain, kinds, nodes
from zerojhub.kube.client import Kube
from zerojhub.kube.reach import Reach
from zerojhub.kube.types import Event, Node
from zerojhub.openstack import clusters
from zerojhub.openstack.magnum import Cluster, NodeGroup
from zerojhub.openstack.session import Cloud
from zerojhub.yamlfile import load, plain


@dataclass(frozen=True)
class GroupStatus:
    """A node group. `nodes` as Magnum counts them; `ready`, `scale_up`, `scale_down` and `error` as the autoscaler reports."""

    name: str
    min: int | None
    max: int | None
    nodes: int
    ready: int | None
    scale_up: str | None
    scale_down: str | None
    error: str | None
    flavor: str | None

    @property
    def is_complete(self) -> bool:
        """Whether all nodes that the group is to have are ready."""
        return self.ready is not None and self.ready >= self.nodes

    @property
    def is_full(self) -> bool:
        return self.max is not None and self.nodes >= self.max


@dataclass(frozen=True)
class PendingPod:
    """A pod that fits on no node. `why`: what is being done about it, or why nothing is."""

    namespace: str
    pod: str
    why: str


@dataclass(frozen=True)
class NodeStatus:
    """A worker. `problem`: why the autoscaler could not remove it, or will not be able to."""

    name: str
    protected: bool
    problem: str | None


@dataclass(frozen=True)
class AutoscaleStatus:
    """`where`: in the cluster, or outside it. `problem`: why it does not run. `times`: durations by name (Settings)."""

    cluster: str
    enabled: bool
    where: str
    running: bool
    problem: str | None
    image: str | None
    times: dict[str, str]
    groups: list[GroupStatus]
    pending: list[PendingPod]
    nodes: list[NodeStatus]


async def status(cloud: Cloud, cluster: Cluster, reach: Reach) -> AutoscaleStatus:
    """Everything about the cluster's autoscaling. Reads only."""
    outside = runs_outside(reach)
    deployment = None
    if not outside:
        deployment = await reach.kube.get(kinds.DEPLOYMENT, autoscaler.NAME, autoscaler.NAMESPACE)
    settings = autoscaler.Settings.of(deployment) if deployment else autoscaler.Settings()
    reported = await report(reach.kube)
    workers = [group for group in await nodegroups.of(cloud, cluster["uuid"]) if group["role"] != "master"]
    groups = [
        group_status(group, bounds_of(group, cluster, None if outside else settings), reported) for group in workers
    ]
    enabled = clusters.autoscaled(cluster) if outside else deployment is not None
    running = enabled if outside else deployment is not None and explain.is_available(deployment)
    troubles = []
    if enabled and not running:
        troubles = await explain.why_not_ready(reach.kube, autoscaler.NAMESPACE, f"app={autoscaler.NAME}")
    events = await reach.kube.list(kinds.EVENT)
    return AutoscaleStatus(
        cluster=cluster["name"],
        enabled=enabled,
        where="outside the cluster" if outside else "in the cluster",
        running=running,
        problem=str(troubles[0]) if troubles else None,
        image=settings.image or None,
        times={} if outside else {name: getattr(settings, name) for name in autoscaler.TIMES},
        groups=groups,
        pending=await pending_pods(cloud, reach.kube, groups if enabled else [], events),
        nodes=[
            node_status(node, events, settings.image)
            for node in await reach.kube.list(kinds.NODE)
            if not nodes.is_master(node)
        ],
    )


async def report(kube: Kube) -> dict[str, dict[str, Any]]:
    """The autoscaler's own status of each node group, by its name for it; empty before version 1.30, and without one."""
    config = await kube.get(kinds.CONFIG_MAP, autoscaler.STATUS, autoscaler.NAMESPACE)
    text = config.get("data", {}).get("status", "") if config else ""
    try:
        parsed = plain(load(text.encode(), autoscaler.STATUS))
    except UserError:
        return {}
    groups = parsed.get("nodeGroups") or [] if isinstance(parsed, dict) else []
    return {group["name"]: group for group in groups if isinstance(group, dict) and "name" in group}


def group_status(group: NodeGroup, bounds: Bounds | None, reported: dict[str, dict[str, Any]]) -> GroupStatus:
    unique = f"{group['name']}-{group['uuid'].partition('-')[0]}"
    own = reported.get(unique) or next((each for name, each in reported.items() if group["name"] in name), {})
    growing, health = own.get("scaleUp", {}), own.get("health", {})
    return GroupStatus(
        name=group["name"],
        min=bounds[0] if bounds else None,
        max=bounds[1] if bounds else None,
        nodes=group["node_count"],
        ready=health.get("nodeCounts", {}).get("registered", {}).get("ready"),
        scale_up=growing.get("status"),
        scale_down=own.get("scaleDown", {}).get("status"),
        error=growing.get("backoffInfo", {}).get("errorMessage"),
        flavor=group["flavor_id"],
    )


async def pending_pods(
    cloud: Cloud, kube: Kube, groups: Sequence[GroupStatus], events: list[Event]
) -> list[PendingPod]:
    """The pods that the scheduler could place on no node. `groups`: none when autoscaling is off."""
    pending = []
    for pod in await kube.list(kinds.POD, fields="status.phase=Pending"):
        conditions = pod["status"].get("conditions", [])
        refused = next(
            (each for each in conditions if each["type"] == "PodScheduled" and each["status"] == "False"), None
        )
        if refused:
            decisions = [
                event
                for event in events
                if event["involvedObject"].get("uid") == pod["metadata"]["uid"]
                and event.get("reason") in ("TriggeredScaleUp", "NotTriggerScaleUp")
            ]
            newest = max(decisions, key=when, default=None)
            why = await why_no_node(cloud, groups, newest, refused.get("message", ""))
            pending.append(PendingPod(pod["metadata"].get("namespace", ""), pod["metadata"]["name"], why))
    return pending


async def why_no_node(cloud: Cloud, groups: Sequence[GroupStatus], decision: Event | None, refused: str) -> str:
    """One line: a reason that the user can act on, or else the autoscaler's or the scheduler's own.

    `decision`: the autoscaler's latest event about the pod. `refused`: what the scheduler says.
    """
    scaled = [group for group in groups if group.max is not None]
    if not scaled:
        return f"autoscaling is off (zerojhub autoscale enable); the scheduler: {refused}"
    message = decision.get("message", "") if decision else ""
    said = message.partition(": ")[2]
    failed = next((group.error for group in scaled if group.error), None)
    full = all(group.is_full for group in scaled)
    # The node that was added for the pod may be there already, but taken by another pod.
    added = full and all(group.is_complete for group in scaled)
    if decision and decision.get("reason") == "TriggeredScaleUp" and not added:
        return f"the cloud provides no node: {failed}" if failed else f"a node is being added: {said}"
    if full or "max node group size reached" in message:
        sizes = ", ".join(f"{group.name} has {group.nodes} of {group.max} nodes" for group in scaled)
        return f"the upper bounds are reached: {sizes} (zerojhub autoscale enable --max raises them)"
    if "in backoff" in message:
        return f"the cloud provides no node, retrying later: {failed or 'the last one could not be created'}"
    for group in scaled:
        if lacking := await clusters.lacking_for_nodes(cloud, {}, group.flavor, 1):
            return f"no quota for another node: {lacking[0]}"
    if "Insufficient" in message:
        flavors = ", ".join(sorted({group.flavor for group in scaled if group.flavor}))
        return f"it is too large for a node of flavor {flavors}: {said}"
    return f"the autoscaler: {said}" if message else f"the autoscaler has not reacted yet; the scheduler: {refused}"


def node_status(node: Node, events: list[Event], image: str) -> NodeStatus:
    failures = [
        event
        for event in events
        if event["involvedObject"].get("uid") == node["metadata"]["uid"] and event.get("reason") == "ScaleDownFailed"
    ]
    problem = max(failures, key=when).get("message") if failures else None
    unresolved = problem is not None and "could not be resolved" in problem
    if not nodes.matches(node) and (unresolved or autoscaler.goes_by_machine_id(image)):
        problem = "machine ID differs from the server's UUID (zerojhub node fix-machine-id)"
    elif unresolved:  # fixed since
        problem = None
    return NodeStatus(node["metadata"]["name"], nodes.is_protected(node), problem)


def when(event: Event) -> str:
    """The time of the event, RFC 3339."""
    return event.get("lastTimestamp") or event.get("eventTime") or ""
