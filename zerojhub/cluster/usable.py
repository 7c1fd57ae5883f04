"""A cluster's API with a kubeconfig made for the occasion, and whether a failed cluster can be used all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread

from zerojhub.errors import ZeroJHubError
from zerojhub.kube.client import Kube, KubeError, connect
from zerojhub.kube.kinds import NODE
from zerojhub.kube.nodes import is_ready
from zerojhub.openstack import kubeconfig
from zerojhub.openstack.magnum import Cluster
from zerojhub.openstack.session import Cloud

CONNECT_TIMEOUT = 5
"""Seconds for a cluster's API to answer for the first time."""


@asynccontextmanager
async def connected(cloud: Cloud, cluster: Cluster) -> AsyncIterator[Kube]:
    """The cluster's API. Raises CloudError, and KubeError when it does not answer from here."""
    config = await kubeconfig.make(cloud, cluster)
    kube = await anyio.to_thread.run_sync(connect, config)
    try:
        with anyio.move_on_after(CONNECT_TIMEOUT) as first:
            await kube.version()
        if first.cancelled_caught:
            where = cluster.get("api_address")
            raise KubeError(f"the Kubernetes API does not answer in {CONNECT_TIMEOUT} s", where=where)
        yield kube
    finally:
        await kube.close()


async def verdict(cloud: Cloud, cluster: Cluster) -> str:
    """In a few words: that the cluster is usable, with how many nodes, or why it is not."""
    if not cluster.get("api_address"):
        return "not usable: it has no API yet"
    try:
        ready, nodes = await _nodes(cloud, cluster)
    except ZeroJHubError:
        return "not usable: its API does not answer"
    usable = "usable all the same" if ready else "not usable"
    return f"{usable}: its API answers, {ready} of {nodes} nodes are ready"


async def is_complete(cloud: Cloud, cluster: Cluster) -> bool:
    """Does the cluster's API answer, with as many nodes ready as the cluster is to have?"""
    if not cluster.get("api_address"):
        return False
    try:
        ready, _ = await _nodes(cloud, cluster)
    except ZeroJHubError:
        return False
    return ready >= cluster["master_count"] + cluster["node_count"]


async def _nodes(cloud: Cloud, cluster: Cluster) -> tuple[int, int]:
    """How many of its nodes are ready, and how many there are."""
    async with connected(cloud, cluster) as kube:
        nodes = await kube.list(NODE)
    return sum(is_ready(node) for node in nodes), len(nodes)
