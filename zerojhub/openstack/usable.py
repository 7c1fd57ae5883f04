"""Whether a cluster that Magnum has given up can be worked with all the same: its own API and its nodes are asked."""

from __future__ import annotations

from zerojhub.errors import ZeroJHubError
from zerojhub.kube.nodes import is_ready
from zerojhub.openstack import kubeconfig, magnum
from zerojhub.openstack.session import Cloud


async def verdict(cloud: Cloud, cluster: magnum.Cluster) -> str:
    """In a few words: that it is usable, with how many nodes, or why it is not."""
    if not cluster.get("api_address"):
        return "not usable: it has no API yet"
    try:
        async with kubeconfig.connected(cloud, cluster) as kube:
            nodes = await kube.list("v1/Node")
    except ZeroJHubError:
        return "not usable: its API does not answer"
    ready = [node for node in nodes if is_ready(node)]
    return f"{'usable all the same' if ready else 'not usable'}: its API answers, {len(ready)} of {len(nodes)} nodes are ready"
