"""The proof that a hub works: a user logs in, starts a server, runs a cell and stops the server.

The user is created for it and deleted with their volume. The result is kept on the hub's own Deployment, so it disappears
with the release that it was about.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urljoin

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.hub import pods
from zerojhub.hub.client import HubClient, HubError
from zerojhub.hub.kernel import run_cell
from zerojhub.hub.login import log_in
from zerojhub.kube import kinds
from zerojhub.kube.client import KubeError
from zerojhub.kube.explain import Patience, why_not_ready
from zerojhub.kube.labels import USERNAME
from zerojhub.tasks import gather
from zerojhub.text import Say, one_line
from zerojhub.waiting import NotYet, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.explain import Trouble

USER = "zerojhub-check"
CELL, PRINTS = "print(6 * 7)", "42"
START_TIMEOUT = 600
"""Seconds for the server to start: its node may have to pull the image."""
WATCH_INTERVAL = 2
"""Seconds between two looks at the pod."""
CLEAN_TIMEOUT = 60
"""Seconds for deleting the user after a failure."""
EVENT = re.compile(r"(?P<time>[-\dT:]{19})\S*Z \[\w+\] (?P<text>.*)", re.S)
"""KubeSpawner's wording of a pod's event: `2026-01-31T10:00:00Z [Normal] Pulling image "…"`."""

API_ERROR = re.compile(
    r"\(\d{3}\)\s*Reason: (?P<reason>[^\n]*)\s*HTTP response headers: [^\n]*(\s*HTTP response body: (?P<body>.*))?",
    re.S,
)
"""An error of the Kubernetes API as its Python client prints it, headers included."""


Also: TypeAlias = Callable[[HubClient], Awaitable[None]]
"""What is done with a client for the user's server."""


@dataclass(frozen=True)
class Proof:
    """How many seconds each step took."""

    log_in_seconds: float | None
    """None if logging in was skipped: the hub has no password that zerojhub knows."""
    server_seconds: float
    cell_seconds: float
    stop_seconds: float
    login: str | None = None
    """What could be seen of the login where it was skipped, and what could not."""

    def seconds(self) -> dict[str, float]:
        """The seconds of each step that was tried, by its name."""
        names = (field.name for field in fields(self) if field.name.endswith("_seconds"))
        steps = {name.removesuffix("_seconds").replace("_", " "): getattr(self, name) for name in names}
        return {step: seconds for step, seconds in steps.items() if seconds is not None}

    def __str__(self) -> str:
        """log in 0.1 s, server 4.4 s, cell 0.8 s, stop 2.2 s; and what is known of the login."""
        steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in self.seconds().items())
        return "; ".join(filter(None, [steps, self.login]))


async def recorded(kube: Kube, namespace: str, release: str, revision: int) -> Proof | None:
    """The proof of this revision of the release; None if it has not been proven."""
    annotations = (await pods.deployment(kube, namespace, release))["metadata"].get("annotations", {})
    if annotations.get("zerojhub.io/checked-revision") != str(revision):
        return None
    try:
        return Proof(**json.loads(annotations["zerojhub.io/checked"]))
    except (KeyError, ValueError, TypeError):
        return None


async def record(kube: Kube, namespace: str, release: str, revision: int, proof: Proof) -> None:
    """Keep the proof with this revision of the release."""
    name = (await pods.deployment(kube, namespace, release))["metadata"]["name"]
    checked = json.dumps(asdict(proof))
    await kube.annotate(kinds.DEPLOYMENT, name, namespace, checked_revision=str(revision), checked=checked)


async def forget(kube: Kube, namespace: str, release: str) -> None:
    """Drop the proof, so that the hub counts as unproven."""
    name = (await pods.deployment(kube, namespace, release))["metadata"]["name"]
    await kube.annotate(kinds.DEPLOYMENT, name, namespace, checked_revision=None, checked=None)


async def prove(
    client: HubClient, kube: Kube, namespace: str, *, password: str | None, say: Say, also: Also | None = None
) -> Proof:
    """Go through all steps as a new user, and delete that user whatever happens.

    `client` has the token of our hub service. `password` is the one that lets any name in: empty if any password does, None
    to skip the login form. `also` is done while the server runs, with a client for it. Raises ZeroJHubError for the first
    step that fails.
    """
    try:
        return await _steps(client, kube, namespace, password, say, also)
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLEAN_TIMEOUT), contextlib.suppress(ZeroJHubError):
            await clean(client, kube, namespace)


async def clean(client: HubClient, kube: Kube, namespace: str) -> None:
    """Delete the user with their server and volume, if there are any."""
    if await client.user(USER):
        await client.stop_server(USER)
        await client.delete_user(USER)
    for claim in await kube.list(kinds.PERSISTENT_VOLUME_CLAIM, namespace):
        if claim["metadata"].get("annotations", {}).get(USERNAME) == USER:
            await kube.delete(kinds.PERSISTENT_VOLUME_CLAIM, claim["metadata"]["name"], namespace)


async def _steps(
    client: HubClient, kube: Kube, namespace: str, password: str | None, say: Say, also: Also | None
) -> Proof:
    seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def timed(step: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        seconds[step] = round(time.monotonic() - started, 3)

    await clean(client, kube, namespace)
    await client.create_user(USER)
    if password is not None:
        say("logging in")
        with timed("log in"):
            await log_in(client.url, USER, password or "any")
    with timed("server"):
        await _start_server(client, kube, namespace, say)
    say("running a cell")
    async with await _server(client) as server:
        with timed("cell"):
            await _run_cell(server)
        if also:
            await also(server)
    say("stopping the server")
    with timed("stop"):
        await client.stop_server(USER)
    return Proof(seconds.get("log in"), seconds["server"], seconds["cell"], seconds["stop"])


async def _server(client: HubClient) -> HubClient:
    """A client for the server that runs, with a token of its user."""
    user = await client.user(USER)
    if user is None or "" not in user.servers:
        raise ZeroJHubError(f"the server of {USER} stopped right after it had started")
    token = await client.create_token(USER, seconds=600)
    return HubClient(urljoin(client.url, user.servers[""].url), token)


async def _run_cell(server: HubClient) -> None:
    printed = await run_cell(server, CELL)
    if printed.strip() != PRINTS:
        raise ZeroJHubError(f"the cell `{CELL}` printed {printed!r}, not {PRINTS}")


class _Stuck(ZeroJHubError):
    """What keeps the server from starting will not go away."""


async def _start_server(client: HubClient, kube: Kube, namespace: str, say: Say) -> None:
    """Start the server, reporting the hub's messages. A failure includes what Kubernetes says about the pod."""
    seen: list[Trouble] = []
    watching = anyio.CancelScope()

    async def start() -> None:
        try:
            say("requesting a server")
            await client.start_server(USER)
            user = await client.user(USER)
            server = user and user.servers.get("")
            since = server.started if server and server.started else ""
            async for message in client.progress(USER, timeout=START_TIMEOUT):
                if text := news(message, since):
                    say(f"server: {text}")
        finally:
            watching.cancel()

    try:
        await gather(start(), _watch_pod(kube, namespace, seen, watching))
    except (HubError, _Stuck) as error:
        lines = [f"  {line}" for trouble in seen for line in str(trouble).splitlines()]
        hint = "see the hub's log: zerojhub hub logs"
        raise ZeroJHubError(refusal(error.message), hint=hint, details=lines) from None


def refusal(text: str) -> str:
    """The text in one line, with what the Kubernetes API answered to the hub cut to the API's own message."""

    def message(found: re.Match[str]) -> str:
        try:
            return str(json.loads(found["body"])["message"])
        except (ValueError, TypeError, KeyError):  # not the API's, but of something in front of it
            return found["reason"]

    return one_line(API_ERROR.sub(message, text))


def news(message: str, since: str) -> str | None:
    """The text of a progress message; None for an event before `since` (ISO 8601).

    KubeSpawner repeats the events of earlier pods of the same name.
    """
    event = EVENT.fullmatch(message)
    if not event:
        return message
    return event["text"] if event["time"] >= since[: len(event["time"])] else None


async def _watch_pod(kube: Kube, namespace: str, seen: list[Trouble], scope: anyio.CancelScope) -> None:
    """Keep in `seen` what is wrong with the user's pod, because the hub deletes a pod that fails. Raises _Stuck."""
    patience = Patience()
    # KubeSpawner's label holds the name as it is or, before version 7, with the dash escaped.
    labels = f"hub.jupyter.org/username in ({USER},{USER.replace('-', '-2d')})"

    async def look() -> NotYet:
        with contextlib.suppress(KubeError):
            seen[:] = await why_not_ready(kube, namespace, labels) or seen
        if patience.is_over(seen):
            raise _Stuck(f"the server of user {USER} did not start")
        return NotYet()

    with scope:
        await anyio.sleep(WATCH_INTERVAL)
        await wait_until(look, pause=(WATCH_INTERVAL, WATCH_INTERVAL))
