"""Emptying a node before it goes: no new pods, and those there evicted as their disruption budgets allow."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.kube.client import Kube, KubeError

PATIENCE = 300
"""Seconds for the pods of a node to go."""
USER_SERVER = "singleuser-server"


def server_id(node: dict) -> str:
    """Nova's UUID of the node's server, from its provider ID (openstack:///UUID, or with a region before it)."""
    provider = node["spec"].get("providerID") or ""
    return provider.rpartition("/")[2] or node["status"]["nodeInfo"]["systemUUID"].lower()


def is_ready(node: dict) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def pods_of(kube: Kube, node: str) -> list[dict]:
    """The pods that draining moves: all but finished ones, DaemonSets' and static ones."""
    return [pod for pod in await kube.list("v1/Pod", fields=f"spec.nodeName={node}") if _moves(pod)]


async def users_on(kube: Kube, node: str) -> list[str]:
    """Whose servers run on the node."""
    pods = await pods_of(kube, node)
    servers = [pod for pod in pods if pod["metadata"].get("labels", {}).get("component") == USER_SERVER]
    return sorted(
        pod["metadata"].get("annotations", {}).get("hub.jupyter.org/username", pod["metadata"]["name"])
        for pod in servers
    )


async def cordon(kube: Kube, node: str, *, on: bool = True) -> None:
    """Keep new pods off the node, or let them on again."""
    spec = {"unschedulable": True} if on else {}
    await kube.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}, "spec": spec})


async def drain(kube: Kube, node: str, say: Callable[[str], None]) -> None:
    """Cordon the node and evict its pods. ZeroJHubError when one does not go in time; then the node takes pods again."""
    await cordon(kube, node)
    try:
        await _evict_all(kube, node, say)
    except BaseException:
        with anyio.CancelScope(shield=True), anyio.move_on_after(10), contextlib.suppress(KubeError):
            await cordon(kube, node, on=False)
        raise


async def _evict_all(kube: Kube, node: str, say: Callable[[str], None]) -> None:
    deadline = time.monotonic() + PATIENCE
    while pods := await pods_of(kube, node):
        names = [pod["metadata"]["name"] for pod in pods]
        if time.monotonic() > deadline:
            raise ZeroJHubError(
                f"{', '.join(names)} did not leave node {node} in {PATIENCE} s", hint="kubectl describe them"
            )
        say(f"node {node}: {len(names)} pods are leaving ({names[0]} …)")
        for pod in pods:
            try:
                await kube.evict(pod["metadata"]["name"], pod["metadata"]["namespace"])
            except KubeError as error:
                if error.status not in (404, 429):  # gone already; a disruption budget says not yet
                    raise
        await anyio.sleep(1)


def _moves(pod: dict) -> bool:
    owners = {owner["kind"] for owner in pod["metadata"].get("ownerReferences", [])}
    static = "kubernetes.io/config.mirror" in pod["metadata"].get("annotations", {})
    return not static and "DaemonSet" not in owners and pod["status"].get("phase") not in ("Succeeded", "Failed")
