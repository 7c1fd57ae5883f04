"""A new CA for a cluster that runs, as Magnum's own rotation goes: all sign anew, and pods come up with the new one."""

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
    """Returns when everything has it, and Deployments and DaemonSets have been told to restart. Raises GroundError."""
    machines = [machine for machine, _ in cluster.nodes.values() if machine.alive]
    deadline = time.monotonic() + TIMEOUT
    cluster.certify()
    cluster.api.trust(cluster.ca)
    await asyncio.gather(*(cluster.start_master(each) for each in machines if each.spec in cluster.spec.masters))
    await cluster.wait_for_api(deadline)
    await asyncio.gather(*(cluster.start_kubelet(machine) for machine in machines))
    await asyncio.gather(*(cluster.wait_for_node(machine.spec) for machine in machines))
    while not await _told(cluster):
        if time.monotonic() > deadline:
            raise GroundError(f"the pods of {cluster.spec.name} cannot know its new CA after {TIMEOUT} s")
        await asyncio.sleep(0.5)
    await _restart(cluster)


async def _told(cluster: Cluster) -> bool:
    """Does each namespace hold the new CA for its pods?"""
    only = {"fieldSelector": "metadata.name=kube-root-ca.crt"}
    listed = await cluster.api.get("/api/v1/configmaps", **only) or {"items": []}
    return bool(listed["items"]) and all(item["data"]["ca.crt"] == cluster.ca for item in listed["items"])


async def _restart(cluster: Cluster) -> None:
    """Whoever read the old CA when it started reads the new one when it starts again."""
    stamp = {"kubectl.kubernetes.io/restartedAt": datetime.datetime.now(datetime.UTC).isoformat()}
    change = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    for kind in ("deployments", "daemonsets"):
        for item in (await cluster.api.get(f"/apis/apps/v1/{kind}") or {"items": []})["items"]:
            where = item["metadata"]
            await cluster.api.merge(f"/apis/apps/v1/namespaces/{where['namespace']}/{kind}/{where['name']}", change)
