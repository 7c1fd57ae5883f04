"""Watch a hub while its cluster changes: for how long it was unreachable, and restore the routes to users' servers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import anyio

from zerojhub.hub import discovery
from zerojhub.hub.client import HubClient, HubError
from zerojhub.tasks import gather
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.reach import Reach

T = TypeVar("T")

INTERVAL = 0.5
"""Seconds between two requests."""
RECOVERY_TIMEOUT = 120
"""Seconds for a hub whose pods were moved to respond again."""
ROUTES_TIMEOUT = 30
"""Seconds for the hub to send its proxy the routes; after a minute it does so by itself."""


@dataclass
class Watch:
    """A hub's responses over time. `silent`: the seconds during which it did not respond."""

    url: str | None
    """None: there is no hub to watch."""
    token: str | None = None
    silent: float = 0.0
    _responds: bool = True
    _last: float = field(default_factory=time.monotonic)

    @classmethod
    async def of(cls, reach: Reach) -> Watch:
        """The first hub in the cluster that responds, at its load balancer or its node port, if there is one."""
        for service in await discovery.services(reach):
            url = discovery.url_of(reach, service)
            if url and await _is_healthy(url):
                return cls(url, await discovery.token_of(reach, service["metadata"]["namespace"]))
        return cls(None)

    async def during(self, work: Awaitable[T]) -> T:
        """Await the work while watching the hub, and return its result."""
        watching = anyio.CancelScope()

        async def working() -> T:
            result = await work
            watching.cancel()
            return result

        async def looking() -> None:
            with watching:
                await self._look()

        return (await gather(working(), looking()))[0]

    async def back(self) -> None:
        """Within `during`: wait until the hub responds and its proxy has the routes to users' servers, as far as it does.

        The routes are restored in any case: a proxy may have moved and come back between two looks.
        """
        await anyio.sleep(1)  # a terminating pod may still respond once
        with contextlib.suppress(TimedOut):
            await wait_until(self._responding, timeout=RECOVERY_TIMEOUT, pause=(0.1, 0.1))
        with contextlib.suppress(TimedOut):
            await wait_until(self._restore, timeout=ROUTES_TIMEOUT, pause=(0.5, 0.5))

    async def _responding(self) -> bool | NotYet:
        return True if self._responds else NotYet()

    async def _look(self) -> None:
        if not self.url:
            return
        import httpx

        async with httpx.AsyncClient(timeout=2, verify=False) as client:  # whether it responds is all that matters
            while True:
                try:
                    responds = (await client.get(f"{self.url.rstrip('/')}/hub/health")).is_success
                except httpx.TransportError:
                    responds = False
                if responds and not self._responds:
                    await self._restore()
                now = time.monotonic()
                self.silent += 0 if responds else now - self._last
                self._responds, self._last = responds, now
                await anyio.sleep(INTERVAL)

    async def _restore(self) -> bool | NotYet:
        """Have the hub send its proxy all routes: a proxy that moved has none, and the hub checks only once a minute.

        NotYet if the hub failed to, or has not yet found out which servers are running.
        """
        if not self.url or not self.token:
            return True
        with contextlib.suppress(HubError):  # tried again, and the hub does it by itself later
            async with HubClient(self.url, self.token, attempts=1) as hub:
                # A hub that just started has no route for a server until it has checked that the server is running.
                checking = any(
                    server.pending == "check" for user in await hub.users() for server in user.servers.values()
                )
                await hub.restore_routes()
                return NotYet() if checking else True
        return NotYet()


async def _is_healthy(url: str) -> bool:
    with contextlib.suppress(HubError):
        async with HubClient(url) as hub:
            return await hub.is_healthy()
    return False
