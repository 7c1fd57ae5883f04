"""Rotate the CA of a running cluster as Magnum does: reissue all certificates, then restart pods with the new CA."""

from __future__ import annotations

import asyncio
import datetime
import time
from typing import TYPE_CHECKING

from zerojhub.practice.ground import GroundError

if TYPE_CHECKING:
    from zerojhub.practice.machines.cluster import Cluster

TIMEOUT = 180


async def rotate(cluster: Cluster) -> None:
    """Return once every component has the new CA, and Deployments and DaemonSets are restarting. Raises GroundError."""
    machines = [machine for machine, _ in cluster.nodes.values() if machine.alive]
    deadline = time.monotonic() + TIMEOUT
    cluster.certify()
    cluster.api.trust(cluster.ca)
    await asyncio.gather(*(cluster.start_master(each) for each in machines if each.spec in cluster.spec.masters))
    await cluster.wait_for_api(deadline)
    await asyncio.gather(*(cluster.start_kubelet(machine) for machine in machines))
    await asyncio.gather(*(cluster.wait_for_node(machine.spec) for machine in machines))
    while not await _distributed(cluster):
        if time.monotonic() > deadline:
            raise GroundError(f"the new CA of {cluster.spec.name} did not reach every namespace within {TIMEOUT} s")
        await asyncio.sleep(0.5)
    await _restart(cluster)


async def _distributed(cluster: Cluster) -> bool:
    """Whether every namespace has the new CA for its pods."""
    only = {"fieldSelector": "metadata.name=kube-root-ca.crt"}
    listed = await cluster.api.get("/api/v1/configmaps", **only) or {"items": []}
    return bool(listed["items"]) and all(item["data"]["ca.crt"] == cluster.ca for item in listed["items"])


async def _restart(cluster: Cluster) -> None:
    """Restart all workloads: they read the CA only when they start."""
    stamp = {"kubectl.kubernetes.io/restartedAt": datetime.datetime.now(datetime.UTC).isoformat()}
    change = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    for kind in ("deployments", "daemonsets"):
        for item in (await cluster.api.get(f"/apis/apps/v1/{kind}") or {"items": []})["items"]:
            where = item["metadata"]
            await cluster.api.merge(f"/apis/apps/v1/namespaces/{where['namespace']}/{kind}/{where['name']}", change)
