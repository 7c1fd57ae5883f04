"""JupyterHub's REST API: health, users, and their servers."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from zerojhub.errors import ZeroJHubError
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    import ssl

    import httpx

PAGE = 100
"""Users per page of the list."""


class HubError(ZeroJHubError):
    """A request to the hub failed or was refused, or there was no response (exit code 1)."""


@dataclass(frozen=True)
class UserServer:
    """A user's server that is running, starting or stopping."""

    url: str
    """Its path below the hub's host, such as `/user/ada/`."""
    pending: str | None
    """`spawn`, `stop` or `check` while the hub is at work on it."""
    started: str | None
    """When it was started (ISO 8601)."""


@dataclass(frozen=True)
class User:
    """A user of the hub."""

    name: str
    admin: bool
    last_activity: str | None
    """ISO 8601; None before the first login."""
    pending: str | None
    """`spawn` or `stop` while the hub is at work on the default server."""
    servers: dict[str, UserServer]
    """By name; the default server's name is empty."""


class ProgressEvent(TypedDict, total=False):
    """An event of a starting server; `ready` and `failed` are set in the last one only."""

    message: str
    ready: bool
    failed: bool


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The authorities that certificates may come from. Loading them takes 40 ms, which every new client would spend."""
    import httpx

    return httpx.create_ssl_context()


class HubClient:
    """A client for the hub, or for one user's server, at its URL. Every method raises HubError; times are in seconds."""

    def __init__(self, url: str, token: str | None = None):
        import httpx

        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"token {token}"} if token else {}
        timeout = httpx.Timeout(30, connect=10)
        self._client = httpx.AsyncClient(headers=self.headers, timeout=timeout, verify=_trusted())

    async def __aenter__(self) -> HubClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def is_healthy(self) -> bool:
        """Does the hub respond through its proxy?"""
        return (await self.request("GET", "/hub/health", check=False, timeout=5)).status_code == 200

    async def users(self) -> list[User]:
        """All users."""
        found: list[User] = []
        while True:
            answer = await self.request("GET", "/hub/api/users", params={"offset": len(found), "limit": PAGE})
            page = [_user(each) for each in answer.json()]
            found += page
            if len(page) < PAGE:
                return found

    async def user(self, name: str) -> User | None:
        """The user with their servers, or None."""
        answer = await self.request("GET", f"/hub/api/users/{name}", check=False)
        return None if answer.status_code == 404 else _user(self._checked(answer).json())

    async def create_user(self, name: str) -> None:
        """Add a user."""
        await self.request("POST", f"/hub/api/users/{name}")

    async def delete_user(self, name: str) -> None:
        """Delete a user, if there is one."""
        answer = await self.request("DELETE", f"/hub/api/users/{name}", check=False)
        if answer.status_code != 404:
            self._checked(answer)

    async def create_token(self, name: str, *, seconds: int) -> str:
        """A token of the user that expires after so many seconds."""
        body = {"expires_in": seconds, "note": "zerojhub check"}
        token: str = (await self.request("POST", f"/hub/api/users/{name}/tokens", body=body)).json()["token"]
        return token

    async def restore_routes(self) -> None:
        """Have the hub send its proxy the routes to all servers (scope `proxy`)."""
        await self.request("POST", "/hub/api/proxy")

    async def start_server(self, name: str) -> None:
        """Request the user's default server; `progress` follows its start."""
        answer = await self.request("POST", f"/hub/api/users/{name}/server", check=False, timeout=60)
        if answer.status_code != 400 or "already running" not in answer.text:
            self._checked(answer)

    async def progress(self, name: str, *, timeout: float) -> AsyncIterator[str]:
        """The hub's messages while the server starts, until it is ready. Raises HubError if it fails or takes too long."""
        async for event in self._events(f"/hub/api/users/{name}/server/progress", timeout):
            if event.get("failed"):
                raise HubError(f"the server of {name} failed to start: {event.get('message', '')}")
            if event.get("ready"):
                return
            if message := event.get("message"):
                yield message
        raise HubError(f"the hub stopped reporting on the server of {name} before it was ready")

    async def stop_server(self, name: str, *, timeout: float = 120) -> None:
        """Stop the user's default server, if it is running, and wait until it has stopped."""
        answer = await self.request("DELETE", f"/hub/api/users/{name}/server", check=False, timeout=60)
        if answer.status_code not in (400, 404):  # 400: it is not running, or is already stopping
            self._checked(answer)

        async def look() -> bool | NotYet:
            user = await self.user(name)
            return NotYet() if user and (user.servers or user.pending) else True

        try:
            await wait_until(look, timeout=timeout, pause=(0.2, 1))
        except TimedOut:
            raise HubError(f"the server of {name} is still running {timeout:g} s after it was stopped") from None

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, int | str] | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> httpx.Response:
        """Send a request with `body` as JSON. `check`: raise HubError for a response of 400 or above."""
        import httpx

        limit = httpx.Timeout(timeout) if timeout else httpx.USE_CLIENT_DEFAULT
        try:
            answer = await self._client.request(method, self.url + path, json=body, params=params, timeout=limit)
        except httpx.TransportError as error:
            raise HubError(f"no response: {error or type(error).__name__}", where=self.url) from None
        return self._checked(answer) if check else answer

    async def _events(self, path: str, timeout: float) -> AsyncIterator[ProgressEvent]:
        """A stream of server-sent events."""
        import httpx

        try:
            async with self._client.stream("GET", self.url + path, timeout=httpx.Timeout(timeout)) as answer:
                if answer.is_error:
                    await answer.aread()
                    self._checked(answer)
                async for line in answer.aiter_lines():
                    if line.startswith("data:"):
                        yield json.loads(line.removeprefix("data:"))
        except httpx.TransportError as error:
            raise HubError(f"no response: {error or type(error).__name__}", where=self.url) from None

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if not answer.is_error:
            return answer
        try:
            message = answer.json()["message"]
        except (ValueError, KeyError, TypeError):
            # Not from the hub's API, but an HTML page, or from a proxy in front of the hub.
            message = f"{answer.reason_phrase} ({answer.headers.get('server', 'the proxy')})"
        where = f"{answer.request.method} {answer.request.url}"
        raise HubError(f"the hub responded {answer.status_code}: {message}", where=where)


def _user(body: dict[str, Any]) -> User:
    servers = {
        name: UserServer(each.get("url") or "", each.get("pending"), each.get("started"))
        for name, each in (body.get("servers") or {}).items()
    }
    return User(body["name"], bool(body.get("admin")), body.get("last_activity"), body.get("pending"), servers)
