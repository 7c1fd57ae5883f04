"""Whether a pod fits on a node, as the scheduler decides: taints, node selectors and affinity, resources."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

SUFFIXES: dict[str, Fraction | int] = {"m": Fraction(1, 1000), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
SUFFIXES |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
EXPENDABLE = -10
"""Pods with a lower priority do not cause a scale-up."""


def quantity(text: str) -> Fraction:
    """Parse a Kubernetes quantity: `500m`, `1Gi`, `2`, `1e3`."""
    for length in (2, 1):
        if text[-length:] in SUFFIXES:
            return Fraction(text[:-length]) * SUFFIXES[text[-length:]]
    return Fraction(text)


def requests(pod: dict) -> dict[str, Fraction]:
    """The pod's requests: the sum of its containers, or the largest init container."""
    total: dict[str, Fraction] = {}
    for container in pod["spec"]["containers"]:
        for name, text in _asked(container).items():
            total[name] = total.get(name, Fraction(0)) + quantity(text)
    for container in pod["spec"].get("initContainers", []):
        for name, text in _asked(container).items():
            total[name] = max(total.get(name, Fraction(0)), quantity(text))
    return total | {"pods": Fraction(1)}


def _asked(container: dict) -> dict[str, str]:
    return container.get("resources", {}).get("requests", {})


class Room:
    """An existing or simulated node, and its free resources."""

    def __init__(self, labels: dict[str, str], taints: Iterable[dict], free: dict[str, Fraction], name: str = ""):
        self.name, self.labels, self.taints, self.free = name, labels, list(taints), free

    @classmethod
    def of(cls, node: dict, pods: Iterable[dict]) -> Room:
        free = {name: quantity(text) for name, text in node["status"]["allocatable"].items()}
        taints = [taint for taint in node["spec"].get("taints", []) if taint["effect"] != "PreferNoSchedule"]
        room = cls(node["metadata"].get("labels", {}), taints, free, node["metadata"]["name"])
        for pod in pods:
            room.take(pod)
        return room

    def copy(self) -> Room:
        return Room(self.labels, self.taints, dict(self.free), self.name)

    def take(self, pod: dict) -> None:
        for name, amount in requests(pod).items():
            self.free[name] = self.free.get(name, Fraction(0)) - amount

    def refusal(self, pod: dict) -> str | None:
        """The scheduler's reason why the pod does not fit; None if it fits."""
        for taint in self.taints:
            if not any(_tolerates(each, taint) for each in pod["spec"].get("tolerations", [])):
                return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
        if not self._wanted(pod["spec"]):
            return "node(s) didn't match Pod's node affinity/selector"
        lacking = [name for name, amount in requests(pod).items() if amount > self.free.get(name, Fraction(0))]
        return f"Insufficient {lacking[0]}" if lacking else None

    def _wanted(self, spec: dict) -> bool:
        selector = spec.get("nodeSelector", {})
        if any(self.labels.get(key) != value for key, value in selector.items()):
            return False
        affinity = spec.get("affinity", {}).get("nodeAffinity", {})
        required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
        terms = required["nodeSelectorTerms"] if required else [{}]
        return any(all(self._holds(each) for each in term.get("matchExpressions", [])) for term in terms)

    def _holds(self, expression: dict) -> bool:
        there = self.labels.get(expression["key"])
        match expression["operator"]:
            case "In":
                return there in expression["values"]
            case "NotIn":
                return there not in expression["values"]
            case "Exists":
                return there is not None
            case _:
                return there is None


def _tolerates(toleration: dict, taint: dict) -> bool:
    if toleration.get("effect") not in (None, taint["effect"]) or toleration.get("key") not in (None, taint["key"]):
        return False
    return toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", "")


def is_waiting(pod: dict) -> bool:
    """Did the scheduler find no node for the pod?"""
    if pod["status"].get("phase") != "Pending" or pod["spec"].get("nodeName"):
        return False
    if "deletionTimestamp" in pod["metadata"] or (pod["spec"].get("priority") or 0) < EXPENDABLE:
        return False
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "PodScheduled" and each.get("reason") == "Unschedulable" for each in conditions)


def is_running(pod: dict) -> bool:
    return bool(pod["spec"].get("nodeName")) and pod["status"].get("phase") not in ("Succeeded", "Failed")


def owners(pod: dict) -> set[str]:
    return {owner["kind"] for owner in pod["metadata"].get("ownerReferences", [])}


def stays_with_node(pod: dict) -> bool:
    """Whether the pod belongs to the node: a pod of a DaemonSet, or a static pod."""
    return bool(owners(pod) & {"DaemonSet", "Node"})


def why_held(pod: dict) -> str | None:
    """The reason why the pod's node cannot be removed; None if the pod can be moved."""
    annotations = pod["metadata"].get("annotations", {})
    safe = annotations.get("cluster-autoscaler.kubernetes.io/safe-to-evict")
    if safe == "true":
        return None
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    if safe == "false":
        return f"pod {name} is annotated as not safe to evict"
    if not owners(pod):
        return f"pod {name} is not replicated"
    if pod["metadata"]["namespace"] == "kube-system":
        return f"pod {name} is a system pod without a disruption budget"
    if any("emptyDir" in volume or "hostPath" in volume for volume in pod["spec"].get("volumes", [])):
        return f"pod {name} has local storage"
    return None
