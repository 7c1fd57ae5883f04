"""A hub while its cluster changes: how long nobody could reach it, and the ways to its users' servers put back at once."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import anyio

from zerojhub.hub.client import HubClient, HubError
from zerojhub.hub.values import SERVICE
from zerojhub.tasks import gather

if TYPE_CHECKING:
    from zerojhub.kube.reach import Reach

Result = TypeVar("Result")
PATIENCE = 120
"""Seconds for a hub whose pods were moved to answer again."""
RESTORING = 30
"""Seconds for it to tell its proxy the ways; after a minute it does so by itself."""


@dataclass
class Watch:
    """A hub's answers over time. `silent`: the seconds that it went without one."""

    url: str | None
    token: str | None = None
    silent: float = 0.0
    _answers: bool = True
    _last: float = field(default_factory=time.monotonic)

    @classmethod
    async def of(cls, reach: Reach) -> Watch:
        """The cluster's hub: at its load balancer, or a port of the master. There may be none that answers."""
        for service in await reach.kube.list("v1/Service", labels="component=proxy-public"):
            url = address_of(reach, service)
            if url and await _is_healthy(url):
                return cls(url, await token_of(reach, service["metadata"]["namespace"]))
        return cls(None)

    async def during(self, work: Awaitable[Result]) -> Result:
        """What the work returns; the hub is asked twice a second meanwhile."""
        watching = anyio.CancelScope()

        async def working() -> Result:
            result = await work
            watching.cancel()
            return result

        async def looking() -> None:
            with watching:
                await self._look()

        return (await gather(working(), looking()))[0]

    async def back(self) -> None:
        """Within `during`: wait for a hub that went silent, for PATIENCE at most, and for the ways to its users' servers.

        These are asked for in any case: a proxy can be moved between two looks, and be back at the second.
        """
        with anyio.move_on_after(PATIENCE):
            await anyio.sleep(1)  # a pod that leaves answers for a last time
            while not self._answers:
                await anyio.sleep(0.1)
        with anyio.move_on_after(RESTORING):
            while self.url and not await self._restore():
                await anyio.sleep(0.5)

    async def _look(self) -> None:
        if not self.url:
            return
        import httpx

        async with httpx.AsyncClient(timeout=2, verify=False) as client:  # only whether it answers is of interest
            while True:
                try:
                    good = (await client.get(f"{self.url.rstrip('/')}/hub/health")).is_success
                except httpx.TransportError:
                    good = False
                if good and not self._answers:
                    await self._restore()
                now = time.monotonic()
                self.silent += 0 if good else now - self._last
                self._answers, self._last = good, now
                await anyio.sleep(0.5)

    async def _restore(self) -> bool:
        """Have the proxy told the ways that the hub knows: moved, it knows none, and the hub looks only once a minute.

        False when the hub did not do it, or is yet to learn of servers that run.
        """
        if not self.token:
            return True
        with contextlib.suppress(HubError):  # then again, or the hub does it by itself, later
            async with HubClient(self.url, self.token) as hub:
                # A hub that has just started tells no way to a server that it has not yet seen running.
                unsure = any(
                    server.get("pending") == "check"
                    for user in await hub.users()
                    for server in (user.get("servers") or {}).values()
                )
                await hub.restore_routes()
                return not unsure
        return False


def address_of(reach: Reach, service: dict) -> str | None:
    port = service["spec"]["ports"][0]
    for ingress in service["status"].get("loadBalancer", {}).get("ingress") or []:
        return f"http://{ingress.get('ip') or ingress['hostname']}:{port['port']}"
    if reach.address and port.get("nodePort"):
        return f"http://{reach.address}:{port['nodePort']}"
    return None


async def _is_healthy(url: str) -> bool:
    with contextlib.suppress(HubError):
        async with HubClient(url) as hub:
            return await hub.is_healthy()
    return False


async def token_of(reach: Reach, namespace: str) -> str | None:
    """Our service's token, where z2jh keeps it; None for a hub that we did not install."""
    for secret in await reach.kube.list("v1/Secret", namespace, labels="component=hub"):
        if kept := (secret.get("data") or {}).get(f"hub.services.{SERVICE}.apiToken"):
            return base64.b64decode(kept).decode()
    return None
