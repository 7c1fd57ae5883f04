"""The hub at a standstill: not running, while something is done to its volume. Users' servers keep running."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from zerojhub.hub import pods
from zerojhub.kube.explain import is_available
from zerojhub.kube.kinds import DEPLOYMENT, POD
from zerojhub.text import plural
from zerojhub.waiting import NotYet, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.text import Say

STOP_TIMEOUT = 120
"""Seconds for the hub's pod to stop."""
START_TIMEOUT = 300
"""Seconds for the hub to respond again."""


@asynccontextmanager
async def standstill(kube: Kube, namespace: str, release: str, say: Say) -> AsyncIterator[None]:
    """Within: the hub does not run. It is started again whatever happens; if this program is killed, `up` starts it.

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


async def _wait_until_stopped(kube: Kube, namespace: str, release: str, say: Say) -> None:
    async def look() -> bool | NotYet:
        left = await kube.list(POD, namespace, labels=f"release={release},component=hub")
        return NotYet(f"waiting for {plural(len(left), 'pod')} of the hub to stop") if left else True

    await wait_until(look, timeout=STOP_TIMEOUT, pause=(0.3, 1), say=say)


async def _wait_until_started(kube: Kube, namespace: str, release: str, say: Say) -> None:
    async def look() -> bool | NotYet:
        return is_available(await pods.deployment(kube, namespace, release)) or NotYet("waiting for the hub to start")

    await wait_until(look, timeout=START_TIMEOUT, pause=(0.5, 2), say=say)
