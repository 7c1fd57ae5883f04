"""An in-memory cluster for code that uses Kubernetes through `zerojhub.kube.client`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio

from zerojhub.clocks import Clock
from zerojhub.kube.client import Kube, KubeError
from zerojhub.kube.kinds import NODE, POD
from zerojhub.retry import OutcomeUnknown, of_status

Objects = list[dict[str, Any]]


class Cluster(Kube):
    """Objects by kind. `before_list` is called before every list request, so that a test can let time pass."""

    def __init__(self, **objects: Objects) -> None:
        self.objects = objects
        self.clock = Clock()
        self.applied: Objects = []
        self.deleted: list[str] = []
        self.refusals: dict[str, int] = {}
        """Pod -> the status code that rejects its eviction."""
        self.changes: dict[str, Objects] = {}
        """Kind -> what a watch sees."""
        self.before_list: Callable[[], None] = lambda: None

    @property
    def address(self):
        return "127.0.0.1", 1  # where nothing listens

    async def list(self, kind, namespace=None, *, labels="", fields=""):
        self.before_list()
        found = self.objects.get(kind.rpartition("/")[2], [])
        if namespace:
            found = [each for each in found if each["metadata"].get("namespace") == namespace]
        for wanted in filter(None, labels.split(",")):
            key, _, value = wanted.partition("=")
            found = [each for each in found if _fits(each["metadata"].get("labels", {}), key, value)]
        if fields:
            key, _, value = fields.removeprefix("spec.").partition("=")
            found = [each for each in found if each["spec"].get(key) == value]
        return list(found)

    async def watch(self, kind, namespace, *, labels="", fields="", since=""):
        for change in self.changes.get(kind.rpartition("/")[2], []):
            yield change
        await anyio.sleep_forever()

    async def get(self, kind, name, namespace=None):
        found = [each for each in await self.list(kind, namespace) if each["metadata"]["name"] == name]
        return found[0] if found else None

    async def apply(self, manifest):
        self.applied.append(manifest)

    async def merge(self, kind, name, namespace, change):
        self.applied.append({"kind": kind, "name": name, "namespace": namespace, **change})
        return change

    async def delete(self, kind, name, namespace=None, *, wait=0, dependents_first=False):
        self.deleted.append(name)
        objects = self.objects.get(kind.rpartition("/")[2], [])
        objects[:] = [each for each in objects if each["metadata"]["name"] != name]

    async def force_delete(self, pod, namespace):
        await self.delete(POD, pod, namespace)

    async def evict(self, pod, namespace):
        if status := self.refusals.get(pod):
            refused = KubeError("refused", status=status)
            raise OutcomeUnknown(fault, refused) if (fault := of_status("Kubernetes", status, {})) else refused
        await self.delete(POD, pod, namespace)

    async def logs(self, namespace, pod, container=None, *, lines=100, previous=False, attempts=5):
        return f"{pod}/{container}{' before' if previous else ''}"

    async def follow(self, namespace, pod, container):
        yield f"{pod}/{container}"

    def cordons(self) -> Objects:
        """The changes applied to nodes."""
        return [each for each in self.applied if each["kind"] == NODE.rpartition("/")[2]]


class Changing(Cluster):
    """One whose nodes change as they are patched, and whose Deployment is available once it is applied."""

    conflicts = 0
    """How many patches somebody else anticipates."""

    async def apply(self, manifest):
        await super().apply(manifest)
        if manifest["kind"] == "Deployment":
            status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
            manifest["metadata"]["generation"] = 1
            self.objects["Deployment"] = [manifest | {"status": status}]

    async def merge(self, kind, name, namespace, change):
        if self.conflicts:
            self.conflicts -= 1
            raise KubeError("conflict", status=409)
        nodes = self.objects["Node"]
        [index] = [index for index, each in enumerate(nodes) if each["metadata"]["name"] == name]
        nodes[index] = patched(nodes[index], change)


def patched(node: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The node as Kubernetes has it after the merge patch."""

    def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in (old | new).items() if value is not None}

    meta = node["metadata"]
    labels = merged(meta["labels"], patch["metadata"]["labels"])
    notes = merged(meta["annotations"], patch["metadata"]["annotations"])
    return {"metadata": meta | {"labels": labels, "annotations": notes}, "spec": patch["spec"]}


def _fits(labels: dict[str, str], key: str, value: str) -> bool:
    if key.endswith("!"):
        return labels.get(key[:-1]) != value
    return key in labels and (not value or labels[key] == value)
