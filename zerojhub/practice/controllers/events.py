"""Events: what a controller has to say about an object, where people look for it (kubectl describe)."""

from __future__ import annotations

import datetime
import uuid

from zerojhub.practice.machines.kubeapi import KubeAPI, Object


async def record(api: KubeAPI, source: str, about: Object, reason: str, message: str, *, warning: bool = False) -> None:
    """Raises GroundError."""
    metadata = about["metadata"]
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {
        "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": about["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "reason": reason,
        "message": message[:1000],
        "type": "Warning" if warning else "Normal",
        "source": {"component": source},
        "reportingComponent": source,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
    await api.create(f"/api/v1/namespaces/{metadata['namespace']}/events", event)
