#!/usr/bin/python3
"""A simplified cluster-autoscaler for practice clouds, with its flags, cloud-config and main loop.

Scale-up considers resources, taints, node selectors and node affinity; scale-down considers utilization and whether pods
can be moved. Pod affinity, volume topology, priorities (except expendable pods) and expanders are not supported.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from datetime import datetime
from typing import Any

from cloud import Cloud, CloudError
from cluster import Cluster, KubernetesError
from fit import Room, is_running, is_waiting, requests, stays_with_node, why_held
from flags import flags
from groups import ClusterAPI, Group, Magnum
from output import log, yaml

ABOUT = (
    "This is the practice cloud's substitute for cluster-autoscaler, not the real program: it takes the same flags and "
    "cloud-config, and resizes node groups through Magnum"
)
BY_MACHINE_ID = "Like the real Magnum provider up to 1.18, it identifies the node to remove by its machine ID"
DISABLED = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
GOING = "ToBeDeletedByClusterAutoscaler"
MASTER = {"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"}
BACKOFF = 300
"""Seconds to back off from a group after a failed scale-up."""


class Autoscaler:
    """The main loop and its state. Times are those of time.monotonic()."""

    def __init__(self, asked: argparse.Namespace):
        self.asked = asked
        self.cluster = Cluster(asked.kubeconfig)
        kind = ClusterAPI if asked.cloud_provider == "clusterapi" else Magnum
        self.provider = kind(
            Cloud(asked.cloud_config), asked.cluster_name, asked.nodes, asked.node_group_auto_discovery
        )
        self.unneeded: dict[str, float] = {}
        """Node -> since when it is unneeded."""
        self.needed: dict[str, str | None] = {}
        """Node -> the last logged reason why it is needed."""
        self.backoff: dict[str, tuple[float, str]] = {}
        """Group -> end and reason of its backoff."""
        self.last_add = self.last_failure = float("-inf")
        self.activity = {"scaleUp": "NoActivity", "scaleDown": "NoCandidates"}

    def run(self) -> None:
        """Run the loop. Exits if Kubernetes does not respond: after a restart we have its current CA."""
        failures = 0
        while failures < 3:
            started = time.monotonic()
            try:
                self.scan()
                failures = 0
            except KubernetesError as error:
                failures += 1
                log(f"Failed to scan the cluster: {error}", "static_autoscaler.go:332", "E")
            except CloudError as error:
                log(f"Failed to scan the cluster: {error}", "static_autoscaler.go:332", "E")
            time.sleep(max(0.0, self.asked.scan_interval - (time.monotonic() - started)))

    def scan(self) -> None:
        """One iteration."""
        self.pods = self.cluster.list("/api/v1/pods")
        everyone = self.cluster.list("/api/v1/nodes")
        self.workers = [node for node in everyone if not MASTER & set(node["metadata"]["labels"])]
        self.groups = self.provider.groups()
        self.look_for_failures()
        rooms = {node["metadata"]["name"]: self.room(node) for node in everyone if is_usable(node)}
        self.scale_up([pod for pod in self.pods if is_waiting(pod)], rooms)
        if self.asked.scale_down_enabled:
            self.scale_down(rooms)
        self.cluster.write_status("kube-system", self.asked.status_config_map_name, yaml(self.status()))

    def pods_on(self, node: str) -> list[dict]:
        return [pod for pod in self.pods if is_running(pod) and pod["spec"]["nodeName"] == node]

    def room(self, node: dict) -> Room:
        return Room.of(node, self.pods_on(node["metadata"]["name"]))

    def members(self, group: Group) -> list[dict]:
        return [node for node in self.workers if self.provider.has(group, node)]

    # -- more nodes -------------------------------------------------------------------------------------------------

    def look_for_failures(self) -> None:
        """Back off from a group whose scale-up failed, and reset its target to its size."""
        for group in self.groups:
            there = len(self.members(group))
            if group.status.endswith("FAILED") and group.target > there and group.uuid not in self.backoff:
                self.back_off(group, group.reason)
                self.provider.resize(group, max(there, group.least))
        self.backoff = {key: kept for key, kept in self.backoff.items() if kept[0] > time.monotonic()}

    def back_off(self, group: Group, why: str) -> None:
        log(f"Disabling scale-up for node group {group.id}: {why}", "clusterstate.go:292", "W")
        self.backoff[group.uuid] = time.monotonic() + BACKOFF, why

    def scale_up(self, waiting: list[dict], rooms: dict[str, Room]) -> None:
        """Request nodes for pods that fit neither on an existing nor on an upcoming node."""
        self.activity["scaleUp"] = "NoActivity"
        rooms = {name: room.copy() for name, room in rooms.items()}
        templates = {group.uuid: self.template(group) for group in self.groups}
        coming = [
            templates[group.uuid].copy()
            for group in self.groups
            for _ in range(group.target - sum(is_usable(node) for node in self.members(group)))
        ]
        if coming:
            self.activity["scaleUp"] = "InProgress"
        wanted: dict[str, tuple[list[Room], list[dict]]] = {}
        for pod in waiting:
            if place(pod, [*rooms.values(), *coming]):
                continue
            reasons = []
            for group in self.groups:
                new, helped = wanted.get(group.uuid, ([], []))
                if not place(pod, new):
                    if why := self.why_no_more(group, len(new)) or templates[group.uuid].refusal(pod):
                        reasons.append(why)
                        continue
                    new.append(templates[group.uuid].copy())
                    new[-1].take(pod)
                wanted[group.uuid] = new, [*helped, pod]
                break
            else:
                told = ", ".join(f"{reasons.count(why)} {why}" for why in dict.fromkeys(reasons))
                name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
                log(f"Pod {name} is unschedulable: {told}", "orchestrator.go:541")
                self.cluster.event(pod, "Pod", "NotTriggerScaleUp", f"pod didn't trigger scale-up: {told}")
        for group in self.groups:
            if group.uuid in wanted:
                self.increase(group, *wanted[group.uuid])

    def why_no_more(self, group: Group, asked: int) -> str | None:
        if group.uuid in self.backoff:
            return "in backoff after failed scale-up"
        return "max node group size reached" if group.target + asked >= group.most else None

    def increase(self, group: Group, new: list[Room], helped: list[dict]) -> None:
        size, more = group.target, len(new)
        change = f"{group.id} {size}->{size + more} (max: {group.most})"
        log(f"Final scale-up plan: [{{{change}}}]", "orchestrator.go:185")
        log(f"Increasing size by {more}, {size}->{size + more}", "magnum_nodegroup.go:89")
        try:
            self.provider.resize(group, size + more)
        except CloudError as error:
            log(f"Failed to scale up: could not increase cluster size: {error}", "static_autoscaler.go:524", "E")
            self.back_off(group, str(error))
            return
        self.last_add, self.activity["scaleUp"] = time.monotonic(), "InProgress"
        for pod in helped:
            self.cluster.event(pod, "Pod", "TriggeredScaleUp", f"pod triggered scale-up: [{{{change}}}]")

    def template(self, group: Group) -> Room:
        """A simulated new node of the group: like an existing one, or from the flavor."""
        for node in filter(is_usable, self.members(group)):
            daemons = [pod for pod in self.pods_on(node["metadata"]["name"]) if stays_with_node(pod)]
            room = Room.of(node, daemons)
            room.taints = [taint for taint in room.taints if not taint["key"].startswith("node.kubernetes.io/")]
            return room
        cpus, memory = self.provider.flavor(group)
        allocatable = {"cpu": str(cpus), "memory": f"{memory}Mi", "pods": "110"}
        labels = {"magnum.openstack.org/nodegroup": group.name}
        node = {"metadata": {"name": group.id, "labels": labels}, "spec": {}, "status": {"allocatable": allocatable}}
        return Room.of(node, [])

    # -- fewer nodes ------------------------------------------------------------------------------------------------

    def scale_down(self, rooms: dict[str, Room]) -> None:
        """Track unneeded nodes, and remove one that has been unneeded for long enough."""
        now = time.monotonic()
        still: dict[str, float] = {}
        for group in self.groups:
            for node in self.members(group):
                name = node["metadata"]["name"]
                if is_usable(node) and (why := self.why_needed(node, rooms)) is None:
                    still[name] = self.unneeded.get(name, now)
                elif is_usable(node) and self.needed.get(name) != why:
                    log(f"Node {name} is not removed: {why}", "eligibility.go:100")
                    self.needed[name] = why
        self.unneeded = still
        self.activity["scaleDown"] = "CandidatesPresent" if still else "NoCandidates"
        if now < self.last_add + self.asked.scale_down_delay_after_add and still:
            log("Scale down status: in cooldown after a scale-up", "static_autoscaler.go:598")
            return
        if now < self.last_failure + self.asked.scale_down_delay_after_failure:
            return
        for group in self.groups:
            for node in self.members(group):
                since = now - still.get(node["metadata"]["name"], now)
                if node["metadata"]["name"] not in still or since < self.asked.scale_down_unneeded_time:
                    continue
                log(f"{node['metadata']['name']} was unneeded for {since:.1f}s", "nodes.go:126")
                if group.target <= group.least:
                    log(f"Skipping {node['metadata']['name']} - node group min size reached (current: {group.target})")
                    continue
                self.remove(group, node)
                return

    def why_needed(self, node: dict, rooms: dict[str, Room]) -> str | None:
        name = node["metadata"]["name"]
        if node["metadata"].get("annotations", {}).get(DISABLED) == "true":
            return "scale down disabled by annotation"
        moving = [pod for pod in self.pods_on(name) if not stays_with_node(pod)]
        allocatable = Room.of(node, []).free
        for resource in ("cpu", "memory"):
            used = sum(requests(pod).get(resource, 0) for pod in moving) / allocatable[resource]
            if used >= self.asked.scale_down_utilization_threshold:
                return f"{resource} requested ({float(used):.0%} of allocatable) is above the scale-down utilization threshold"
        others = [room.copy() for other, room in rooms.items() if other != name and other not in self.unneeded]
        for pod in moving:
            if held := why_held(pod):
                return held
            if not place(pod, others):
                return f"no place to move pod {pod['metadata']['namespace']}/{pod['metadata']['name']} to"
        return None

    def remove(self, group: Group, node: dict) -> None:
        """Taint the node, evict its pods, and delete it."""
        name = node["metadata"]["name"]
        moving = [pod for pod in self.pods_on(name) if not stays_with_node(pod)]
        told = f"removing node {name}, pods to reschedule: " + ",".join(pod["metadata"]["name"] for pod in moving)
        log(f"Scale-down: {told}" if moving else f"Scale-down: removing empty node {name!r}", "actuator.go:175")
        taint = {"key": GOING, "value": str(int(time.time())), "effect": "NoSchedule"}
        try:
            self.cluster.change_node(name, lambda now: now["spec"].setdefault("taints", []).append(taint))
            self.drain(name, moving)
            server = self.provider.server_of(group, node, lambda text: log(text, "magnum_manager_heat.go:347"))
            self.provider.resize(group, group.target - 1, [server])
        except (CloudError, KubernetesError) as error:
            why = f"failed to delete {name}: manager error deleting nodes: {error}"
            log(f"Problem with empty node deletion: {why}", "scale_down.go:932", "E")
            log(f"Failed to scale down: {why}", "static_autoscaler.go:430", "E")
            self.last_failure = time.monotonic()
            self.cluster.event(node, "Node", "ScaleDownFailed", f"failed to delete the node: {error}", warning=True)
            self.cluster.change_node(name, untaint)
            return
        log(f"Scale-down: node {name} removed", "delete_in_batch.go:225")
        self.unneeded.pop(name, None)

    def drain(self, node: str, moving: list[dict]) -> None:
        for pod in moving:
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
            self.cluster.request("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body)
        gone, deadline = {pod["metadata"]["uid"] for pod in moving}, time.monotonic() + 120
        while gone & {pod["metadata"]["uid"] for pod in self.cluster.list("/api/v1/pods")}:
            if time.monotonic() > deadline:
                raise KubernetesError(f"pods did not leave node {node}")
            time.sleep(1)

    # -- output -----------------------------------------------------------------------------------------------

    def status(self) -> dict:
        """The content of the ConfigMap cluster-autoscaler-status (format since 1.30)."""
        now = datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC")
        return {
            "time": now,
            "autoscalerStatus": "Running",
            "clusterWide": {
                "health": {"status": "Healthy", "nodeCounts": counts(self.workers)},
                "scaleUp": {"status": self.activity["scaleUp"]},
                "scaleDown": {"status": self.activity["scaleDown"], "candidates": len(self.unneeded)},
            },
            "nodeGroups": [self.group_status(group) for group in self.groups],
        }

    def group_status(self, group: Group) -> dict:
        members = self.members(group)
        sizes = {"cloudProviderTarget": group.target, "minSize": group.least, "maxSize": group.most}
        growing: dict[str, Any] = {"status": "InProgress" if group.target > len(members) else "NoActivity"}
        if group.uuid in self.backoff:
            growing = {"status": "Backoff", "backoffInfo": {"errorMessage": self.backoff[group.uuid][1]}}
        candidates = sum(node["metadata"]["name"] in self.unneeded for node in members)
        return {
            "name": group.id,
            "health": {"status": "Healthy", "nodeCounts": counts(members), **sizes},
            "scaleUp": growing,
            "scaleDown": {"status": "CandidatesPresent" if candidates else "NoCandidates", "candidates": candidates},
        }


def place(pod: dict, rooms: list[Room]) -> bool:
    """Place the pod on the first node where it fits; returns whether there is one."""
    for room in rooms:
        if room.refusal(pod) is None:
            room.take(pod)
            return True
    return False


def is_usable(node: dict) -> bool:
    """Whether the node is Ready and not being deleted."""
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"].get("conditions", []))
    return ready and not any(taint["key"] == GOING for taint in node["spec"].get("taints", []))


def untaint(node: dict) -> None:
    node["spec"]["taints"] = [taint for taint in node["spec"].get("taints", []) if taint["key"] != GOING]


def counts(nodes: list[dict]) -> dict:
    ready = sum(map(is_usable, nodes))
    return {
        "registered": {"total": len(nodes), "ready": ready, "notStarted": 0},
        "longUnregistered": 0,
        "unregistered": 0,
    }


def main() -> None:
    # PID 1 of a container ignores signals without a handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    asked = flags(sys.argv[1:])
    log(f"{ABOUT}. {BY_MACHINE_ID}" if asked.cloud_provider == "magnum" else ABOUT)
    given = ", ".join(asked.nodes + asked.node_group_auto_discovery) or "the node groups' own bounds"
    log(f"Cloud provider {asked.cloud_provider}, cluster {asked.cluster_name}, {given}")
    try:
        Autoscaler(asked).run()
    except (OSError, KeyError) as error:
        log(f"{type(error).__name__}: {error}", level="F")
        sys.exit(255)


if __name__ == "__main__":
    main()
