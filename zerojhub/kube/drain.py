"""Draining a node before it is removed: cordon it, then evict its pods as their disruption budgets allow."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.kube.client import KubeError
from zerojhub.kube.kinds import POD
from zerojhub.kube.labels import ENDED
from zerojhub.kube.pods import user_of
from zerojhub.retry import OutcomeUnknown
from zerojhub.text import plural
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Pod
    from zerojhub.text import Say

PATIENCE = 300
"""Seconds for the pods to leave a node."""


async def pods_of(kube: Kube, node: str) -> list[Pod]:
    """The pods that draining evicts: not finished ones, nor those of DaemonSets, nor static ones."""
    return [pod for pod in await kube.list(POD, fields=f"spec.nodeName={node}") if _is_evicted(pod)]


async def users_on(kube: Kube, node: str) -> list[str]:
    """The users whose servers run on the node."""
    return sorted(user for pod in await pods_of(kube, node) if (user := user_of(pod)))


async def cordon(kube: Kube, node: str, *, on: bool = True) -> None:
    """Keep new pods off the node, or let the scheduler use it again."""
    spec = {"unschedulable": True} if on else {}
    await kube.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}, "spec": spec})


async def drain(kube: Kube, node: str, say: Say) -> None:
    """Cordon the node and evict its pods.

    Raises ZeroJHubError if some are still there after PATIENCE; then, as after any other failure, the node is uncordoned.
    """
    await cordon(kube, node)
    try:
        await _evict_all(kube, node, say)
    except BaseException:
        with anyio.CancelScope(shield=True), anyio.move_on_after(10), contextlib.suppress(KubeError):
            await cordon(kube, node, on=False)
        raise


async def _evict_all(kube: Kube, node: str, say: Say) -> None:
    left: list[str] = []
    why = ""

    async def evict() -> bool | NotYet:
        nonlocal why
        pods = await pods_of(kube, node)
        left[:] = [pod["metadata"]["name"] for pod in pods]
        for pod in pods:
            try:
                await kube.evict(pod["metadata"]["name"], pod["metadata"]["namespace"])
            except OutcomeUnknown as lost:
                # Its disruption budget does not allow it yet (429), or the answer was lost: the next look tells.
                why = f": {lost.message}"
            except KubeError as error:
                if error.status != 404:  # already gone
                    raise
        return NotYet(f"node {node}: evicting {plural(len(left), 'pod')} ({left[0]} …)") if left else True

    try:
        await wait_until(evict, timeout=PATIENCE, pause=(1, 1), say=say)
    except TimedOut:
        raise ZeroJHubError(
            f"{', '.join(left)} did not leave node {node} within {PATIENCE} s{why}", hint="see kubectl describe pod"
        ) from None


def _is_evicted(pod: Pod) -> bool:
    meta = pod["metadata"]
    owners = {owner["kind"] for owner in meta.get("ownerReferences", [])}
    is_static = "kubernetes.io/config.mirror" in meta.get("annotations", {})
    return not is_static and "DaemonSet" not in owners and pod["status"]["phase"] not in ENDED
