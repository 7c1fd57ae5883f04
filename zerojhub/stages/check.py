"""The proof: someone logs in, their server starts, and a cell runs."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.stages.access import Access
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.chart import Chart
from zerojhub.stages.endpoint import Endpoint
from zerojhub.stages.values import Values

if TYPE_CHECKING:
    from zerojhub.hub.client import HubClient
    from zerojhub.journey import Hub
    from zerojhub.kube.explain import Trouble

USER = "zerojhub-check"
"""Whoever checks the hub; made for it, and deleted with their volume."""
EVENT = re.compile(r"(?P<time>[-\dT:]{19})\S*Z \[\w+\] (?P<text>.*)", re.S)
"""How KubeSpawner words an event of the pod: `2026-01-31T10:00:00Z [Normal] Pulling image "…"`."""
START = 600
"""Seconds for a first server: a node may have to pull the image."""


class Check(Stage):
    """Prove the hub: log in, start a server, run a cell, stop it.

    Done once for each revision of the release, as a user `zerojhub-check` that is deleted with its volume; never skipped on
    trust, and `zerojhub hub check` does it again.
    """

    name = "check"
    needs = (Endpoint,)

    async def look(self, hub: Hub) -> Found | Missing:
        hub_deployment = await _hub_deployment(hub)
        annotations = hub_deployment["metadata"].get("annotations") or {}
        if annotations.get("zerojhub.io/checked-revision") == str(hub[Chart].revision):
            return Found(annotations.get("zerojhub.io/checked", "checked"))
        return Missing(f"revision {hub[Chart].revision} has not been tried yet")

    async def do(self, hub: Hub, state: Missing | Wrong) -> None:
        from zerojhub.hub.client import HubClient

        async with HubClient(hub[Endpoint], hub[Chart].secrets.api_token) as client:
            try:
                detail = await _prove(hub, client)
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(60), contextlib.suppress(ZeroJHubError):
                    await _clean(hub, client)
        await _remember(hub, checked_revision=str(hub[Chart].revision), checked=detail)


async def forget(hub: Hub) -> None:
    """Have the next look find the hub unproven."""
    await _remember(hub, checked_revision=None)


async def _remember(hub: Hub, **annotations: str | None) -> None:
    """On the hub's own Deployment: what was found goes with the release that it was found of."""
    name = (await _hub_deployment(hub))["metadata"]["name"]
    await hub[Access].kube.annotate("apps/v1/Deployment", name, hub[Chart].namespace, **annotations)


async def _prove(hub: Hub, client: HubClient) -> str:
    """The whole way of a user, with the time that each part of it took."""
    from zerojhub.hub.client import HubClient
    from zerojhub.hub.kernel import run_cell
    from zerojhub.hub.login import log_in
    from zerojhub.hub.values import shared_password

    times: list[str] = []

    @contextlib.contextmanager
    def timed(what: str):
        started = time.monotonic()
        yield
        times.append(f"{what} {time.monotonic() - started:.1f} s")

    await _clean(hub, client)
    await client.create_user(USER)
    password = shared_password(hub[Values].merged)
    if password is not None:
        hub.say("logging in")
        with timed("log in"):
            await log_in(client.url, USER, password or "any")
    with timed("server"):
        await _start(hub, client)
    hub.say("running a cell")
    with timed("cell"):
        server_url = urljoin(client.url, (await client.user(USER))["servers"][""]["url"])
        async with HubClient(server_url, await client.create_token(USER, seconds=600)) as server:
            said = await run_cell(server, "print(6 * 7)")
    if said.strip() != "42":
        raise ZeroJHubError(f"a cell that should print 42 printed {said!r}")
    hub.say("stopping the server")
    with timed("stop"):
        await client.stop_server(USER)
    return ", ".join(times)


async def _start(hub: Hub, client: HubClient) -> None:
    """Start the server, saying how it goes; a failure with what Kubernetes says of its pod."""
    from zerojhub.hub.client import HubError
    from zerojhub.tasks import gather

    seen: list[Trouble] = []
    watching = anyio.CancelScope()

    async def start() -> None:
        try:
            hub.say("asking for a server")
            await client.start_server(USER)
            since = (await client.user(USER))["servers"][""]["started"]
            async for message in client.progress(USER, timeout=START):
                if text := _news(message, since):
                    hub.say(f"server: {text}")
        finally:
            watching.cancel()

    try:
        await gather(start(), _watch(hub, seen, watching))
    except (HubError, _InVain) as error:
        lines = "".join(f"\n  {trouble}" for trouble in seen)
        raise ZeroJHubError(f"{error.message}{lines}", hint="the hub's log: `zerojhub hub logs`") from None


class _InVain(ZeroJHubError):
    """What keeps the server from starting does not pass."""


def _news(message: str, since: str) -> str | None:
    """What an event of the pod says; None for one of an earlier pod of the same name, which KubeSpawner tells again."""
    event = EVENT.fullmatch(message)
    if not event:
        return message
    return event["text"] if event["time"] >= since[: len(event["time"])] else None


async def _watch(hub: Hub, seen: list[Trouble], scope: anyio.CancelScope) -> None:
    """Keep in `seen` what is wrong with the user's pod: the hub deletes a pod that fails, and its story with it."""
    from zerojhub.kube.client import KubeError
    from zerojhub.kube.explain import Patience, why_not_ready

    patience = Patience()
    # KubeSpawner's label has the name as it is or, until its version 7, with its dash escaped.
    labels = f"hub.jupyter.org/username in ({USER},{USER.replace('-', '-2d')})"
    with scope:
        while True:
            await anyio.sleep(2)
            with contextlib.suppress(KubeError):
                seen[:] = await why_not_ready(hub[Access].kube, hub[Chart].namespace, labels) or seen
            if patience.is_over(seen):
                raise _InVain(f"the server of {USER} does not start")


async def _clean(hub: Hub, client: HubClient) -> None:
    """Take the user away, with their server and volume; quiet when there is nothing."""
    from zerojhub.kube.volumes import USERNAME

    if await client.user(USER):
        await client.stop_server(USER)
        await client.delete_user(USER)
    kube, namespace = hub[Access].kube, hub[Chart].namespace
    for claim in await kube.list("v1/PersistentVolumeClaim", namespace):
        if (claim["metadata"].get("annotations") or {}).get(USERNAME) == USER:
            await kube.delete("v1/PersistentVolumeClaim", claim["metadata"]["name"], namespace)


async def _hub_deployment(hub: Hub) -> dict:
    release = hub[Chart]
    labels = f"release={release.name},component=hub"
    found = await hub[Access].kube.list("apps/v1/Deployment", release.namespace, labels=labels)
    if not found:
        raise ZeroJHubError(f"release {release.name} has no hub")
    return found[0]
