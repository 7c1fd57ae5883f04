"""Cordon, drain and uncordon nodes."""

from __future__ import annotations

import asyncio
import time

from zerojhub.practice.machines.kubeapi import KubeAPI, Object

TIMEOUT = 60
"""Seconds after which pods that are held by a disruption budget, or do not terminate, are left alone."""


async def cordon(api: KubeAPI, node: str, *, off: bool = False) -> None:
    """Keep new pods off the node; with `off`, allow them again."""
    await api.merge(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None if off else True}})


async def drain(api: KubeAPI, node: str) -> None:
    """Evict the pods of a cordoned node, and wait until they are gone and their volumes are detached.

    Cluster API waits for the volumes too: Kubernetes takes six minutes to detach one whose node is gone.
    """
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        listed = await api.get("/api/v1/pods", fieldSelector=f"spec.nodeName={node}") or {"items": []}
        pods = [pod for pod in listed["items"] if not _stays(pod)]
        about = await api.get(f"/api/v1/nodes/{node}") or {"status": {}}
        if not pods and not about["status"].get("volumesAttached"):
            return
        for pod in pods:
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            metadata = {"name": name, "namespace": namespace}
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
            if "deletionTimestamp" not in pod["metadata"]:
                await api.create(f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", eviction)
        await asyncio.sleep(1)


def _stays(pod: Object) -> bool:
    """Whether draining can ignore the pod."""
    owners = pod["metadata"].get("ownerReferences", [])
    finished = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    going = "deletionTimestamp" in pod["metadata"]
    return (finished and not going) or any(owner["kind"] in ("DaemonSet", "Node") for owner in owners)
