"""The hub at a standstill: while something is done to its volume, or because it moves to another deployment.

A hub that moves has a mark that says where it goes. That is on its namespace, so it stays whatever becomes of the release.
`up` does not start a hub that has one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from zerojhub.hub import pods
from zerojhub.kube.explain import is_available
from zerojhub.kube.kinds import DEPLOYMENT, NAMESPACE, POD
from zerojhub.text import plural
from zerojhub.waiting import NotYet, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.text import Say

MARK = "zerojhub.io/moved-to"
"""The annotation with the name of the deployment that the hub moves to, or has moved to."""
STOP_TIMEOUT = 120
"""Seconds for the hub's pod to stop."""
START_TIMEOUT = 300
"""Seconds for the hub to respond again."""


@asynccontextmanager
async def standstill(kube: Kube, namespace: str, release: str, say: Say) -> AsyncIterator[None]:
    """Within: the hub does not run; users' servers do. It is started again whatever happens, or by `up` if this program is
    killed.

    TimedOut if it does not stop, or does not start again.
    """
    name = (await pods.deployment(kube, namespace, release))["metadata"]["name"]
    try:
        await kube.merge(DEPLOYMENT, name, namespace, {"spec": {"replicas": 0}})
        await _wait_until_stopped(kube, namespace, release, say)
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await kube.merge(DEPLOYMENT, name, namespace, {"spec": {"replicas": 1}})
    await _wait_until_started(kube, namespace, release, say)


async def moved_to(kube: Kube, namespace: str) -> str | None:
    """The deployment that the hub of the namespace moves to, or has moved to; None if it stays."""
    there = await kube.get(NAMESPACE, namespace)
    return there["metadata"].get("annotations", {}).get(MARK) if there else None


async def mark(kube: Kube, namespace: str, target: str | None) -> None:
    """Record that the hub moves to that deployment, or with None that it stays."""
    if await moved_to(kube, namespace) != target:
        await kube.annotate(NAMESPACE, namespace, moved_to=target)


async def stop_hub(kube: Kube, namespace: str, release: str) -> None:
    """Have no pod of the hub run. There is none yet if its installation was interrupted."""
    for there in await kube.list(DEPLOYMENT, namespace, labels=f"release={release},component=hub"):
        if not pods.is_stopped(there):
            await kube.merge(DEPLOYMENT, there["metadata"]["name"], namespace, {"spec": {"replicas": 0}})


async def _wait_until_stopped(kube: Kube, namespace: str, release: str, say: Say) -> None:
    async def look() -> bool | NotYet:
        left = await kube.list(POD, namespace, labels=f"release={release},component=hub")
        return NotYet(f"waiting for {plural(len(left), 'pod')} of the hub to stop") if left else True

    await wait_until(look, timeout=STOP_TIMEOUT, pause=(0.3, 1), say=say)


async def _wait_until_started(kube: Kube, namespace: str, release: str, say: Say) -> None:
    async def look() -> bool | NotYet:
        return is_available(await pods.deployment(kube, namespace, release)) or NotYet("waiting for the hub to start")

    await wait_until(look, timeout=START_TIMEOUT, pause=(0.5, 2), say=say)
