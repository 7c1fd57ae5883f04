"""JupyterHub's REST API: is it up, who is there, start and stop servers."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import anyio

from zerojhub.errors import ZeroJHubError

if TYPE_CHECKING:
    import httpx


class HubError(ZeroJHubError):
    """The hub refused a request, failed, or does not answer (exit code 1)."""


class HubClient:
    """A hub at its URL (with its base path), spoken to with a token. Every method raises HubError; times are seconds."""

    def __init__(self, url: str, token: str | None = None):
        import httpx

        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"token {token}"} if token else {}
        self._client = httpx.AsyncClient(headers=self.headers, timeout=httpx.Timeout(30, connect=10))

    async def __aenter__(self) -> HubClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def is_healthy(self) -> bool:
        """Does the hub answer, through its proxy?"""
        return (await self.request("GET", "/hub/health", check=False, timeout=5)).status_code == 200

    async def users(self) -> list[dict[str, Any]]:
        """Everyone, over all pages."""
        found, page = [], 100
        while True:
            answer = await self.request("GET", "/hub/api/users", params={"offset": len(found), "limit": page})
            found += (more := answer.json())
            if len(more) < page:
                return found

    async def user(self, name: str) -> dict[str, Any] | None:
        """The user with their servers, None when there is none of the name."""
        answer = await self.request("GET", f"/hub/api/users/{name}", check=False)
        return None if answer.status_code == 404 else self._checked(answer).json()

    async def create_user(self, name: str) -> None:
        await self.request("POST", f"/hub/api/users/{name}")

    async def delete_user(self, name: str) -> None:
        """Quiet when there is none."""
        answer = await self.request("DELETE", f"/hub/api/users/{name}", check=False)
        if answer.status_code != 404:
            self._checked(answer)

    async def create_token(self, name: str, *, seconds: int) -> str:
        """A token of the user's own, that ends by itself."""
        body = {"expires_in": seconds, "note": "zerojhub check"}
        return (await self.request("POST", f"/hub/api/users/{name}/tokens", json=body)).json()["token"]

    async def restore_routes(self) -> None:
        """Have the proxy told again where each user's server is (scope `proxy`)."""
        await self.request("POST", "/hub/api/proxy")

    async def start_server(self, name: str) -> None:
        """Ask for the user's server; `progress` tells how it goes."""
        answer = await self.request("POST", f"/hub/api/users/{name}/server", check=False, timeout=60)
        if answer.status_code != 400 or "already running" not in answer.text:
            self._checked(answer)

    async def progress(self, name: str, *, timeout: float) -> AsyncIterator[str]:
        """What the hub says while the server starts, until it is ready. HubError when it fails, or is not in time."""
        async for event in self._events(f"/hub/api/users/{name}/server/progress", timeout):
            if event.get("failed"):
                raise HubError(f"the server of {name} did not start: {event.get('message', '')}")
            if event.get("ready"):
                return
            if message := event.get("message"):
                yield message
        raise HubError(f"the hub said nothing more of the server of {name}")

    async def stop_server(self, name: str, *, timeout: float = 120) -> None:
        """Stop the user's server and wait until it is gone; quiet when it does not run."""
        deadline = time.monotonic() + timeout
        answer = await self.request("DELETE", f"/hub/api/users/{name}/server", check=False, timeout=60)
        if answer.status_code not in (400, 404):  # 400: it is not running, or is being stopped already
            self._checked(answer)
        while user := await self.user(name):
            if not user.get("servers") and not user.get("pending"):
                return
            if time.monotonic() > deadline:
                raise HubError(f"the server of {name} still runs {timeout:g} s after it was stopped")
            await anyio.sleep(0.2)

    async def request(
        self, method: str, path: str, *, check: bool = True, timeout: float | None = None, **more: Any
    ) -> httpx.Response:
        import httpx

        limits = {"timeout": timeout} if timeout else {}
        try:
            answer = await self._client.request(method, self.url + path, **limits, **more)
        except httpx.TransportError as error:
            raise HubError(f"no answer: {error or type(error).__name__}", where=self.url) from None
        return self._checked(answer) if check else answer

    async def _events(self, path: str, timeout: float) -> AsyncIterator[dict[str, Any]]:
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
            raise HubError(f"no answer: {error or type(error).__name__}", where=self.url) from None

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if not answer.is_error:
            return answer
        try:
            said = answer.json()["message"]
        except (ValueError, KeyError, TypeError):
            # Not the hub's API said it, but a page of it, or what stands before it.
            said = f"{answer.reason_phrase} ({answer.headers.get('server', 'the proxy')})"
        where = f"{answer.request.method} {answer.request.url}"
        raise HubError(f"the hub says {answer.status_code}: {said}", where=where)
