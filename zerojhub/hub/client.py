"""JupyterHub's REST API: health, users, and their servers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import GenericAlias
from typing import TYPE_CHECKING, Any, NotRequired
from urllib.parse import quote

from typing_extensions import TypedDict

from zerojhub import retry
from zerojhub.answers import Unexpected, checked
from zerojhub.errors import ZeroJHubError
from zerojhub.retry import Fault, Transient
from zerojhub.tls import hubs
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    import httpx

SERVICE = "hub"
"""As progress calls it."""
PAGE = 100
"""Users per page of the list."""


class HubError(ZeroJHubError):
    """A request to the hub failed or was refused; `status` (HTTP) is None if there was no response (exit code 1)."""

    def __init__(self, message: str, *, status: int | None = None, where: str | None = None, hint: str | None = None):
        super().__init__(message, where=where, hint=hint)
        self.status = status


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


class ServerModel(TypedDict, total=False):
    """A server, as the API has it."""

    url: str | None
    pending: str | None
    started: str | None


class UserModel(TypedDict):
    """A user, as the API has them."""

    name: str
    admin: NotRequired[bool | None]
    last_activity: NotRequired[str | None]
    pending: NotRequired[str | None]
    servers: NotRequired[dict[str, ServerModel] | None]


class TokenModel(TypedDict):
    """A new token."""

    token: str


class ProgressEvent(TypedDict, total=False):
    """An event of a starting server; `ready` and `failed` are set in the last one only."""

    message: str | None
    ready: bool
    failed: bool


class HubClient:
    """A client for the hub, or for one user's server, at its URL. Every method raises HubError; times are in seconds.

    Requests that fail with a transient fault are sent again as zerojhub/retry.py decides, at most `attempts` times.
    """

    def __init__(self, url: str, token: str | None = None, *, attempts: int = retry.ATTEMPTS):
        import httpx

        self.url, self._attempts = url.rstrip("/"), attempts
        self.headers = {"Authorization": f"token {token}"} if token else {}
        timeout = httpx.Timeout(20, connect=10)
        self._client = httpx.AsyncClient(headers=self.headers, timeout=timeout, verify=hubs())

    async def __aenter__(self) -> HubClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def is_healthy(self) -> bool:
        """Does the hub respond through its proxy? A single request: whoever waits for it asks again."""
        import httpx

        try:
            return (await self._client.get(f"{self.url}/hub/health", timeout=5)).status_code == 200
        except httpx.RequestError as error:
            raise _plain(self._no_response(error)) from None

    async def users(self) -> list[User]:
        """All users."""
        found: list[User] = []
        while True:
            query: dict[str, int | str] = {"offset": len(found), "limit": PAGE}
            page = [_user(each) for each in await self.json("GET", "/hub/api/users", of=_USERS, params=query)]
            found += page
            if len(page) < PAGE:
                return found

    async def user(self, name: str) -> User | None:
        """The user with their servers, or None."""
        found = await self.json("GET", _path(name), of=UserModel, missing=404)
        return None if found is None else _user(found)

    async def create_user(self, name: str) -> None:
        """Add a user of a name that nobody else adds."""

        async def create() -> User:
            return _user(await self.json("POST", _path(name), of=UserModel, repeatable=False))

        await retry.settle(create, lambda: self.user(name))

    async def add_user(self, name: str) -> User | None:
        """Add a user as if they had logged in: the authenticator accepts the name, and may change it. None if they exist."""

        async def create() -> list[User] | None:
            body = {"usernames": [name]}
            added: list[UserModel] | None = await self.json(
                "POST", "/hub/api/users", of=_USERS, missing=409, body=body, repeatable=False
            )
            return None if added is None else [_user(each) for each in added]

        async def look() -> list[User] | None:
            user = await self.user(name)
            return [user] if user else None

        added = await retry.settle(create, look)
        return added[0] if added else None

    async def set_admin(self, name: str, admin: bool) -> None:
        """Make the user an administrator, or no longer one. Only a service that is an administrator itself may do that."""
        await self.request("PATCH", _path(name), body={"admin": admin})

    async def delete_user(self, name: str) -> None:
        """Delete a user, if there is one."""
        answer = await self.request("DELETE", _path(name), check=False, timeout=60)
        if answer.status_code != 404:
            self._checked(answer)

    async def create_token(
        self, name: str, *, seconds: int, note: str = "zerojhub check", password: str | None = None
    ) -> str:
        """A token of the user that expires after so many seconds.

        `password`: of the user, for a client without a token.
        """
        body: dict[str, object] = {"expires_in": seconds, "note": note}
        if password is not None:
            body["auth"] = {"username": name, "password": password}
        made: TokenModel = await self.json("POST", _path(name, "tokens"), of=TokenModel, body=body)
        return made["token"]

    async def restore_routes(self) -> None:
        """Have the hub send its proxy the routes to all servers (scope `proxy`)."""
        await self.request("POST", "/hub/api/proxy")

    async def start_server(self, name: str) -> None:
        """Request the user's default server; `progress` follows its start."""
        answer = await self.request("POST", _path(name, "server"), check=False, timeout=60)
        if answer.status_code != 400 or "already running" not in answer.text:
            self._checked(answer)

    async def progress(self, name: str, *, timeout: float) -> AsyncIterator[str]:
        """The hub's messages while the server starts, until it is ready. Raises HubError if it fails or takes too long."""
        seen = {""}

        async def rest() -> AsyncIterator[ProgressEvent]:
            """The events that were not seen yet: after a fault, the hub begins anew."""
            async for event in self._events(_path(name, "server/progress"), timeout):
                if event.get("failed") or event.get("ready") or event.get("message", "") not in seen:
                    yield event

        events = retry.Resumed(rest)
        while (event := await retry.attempts(events.next, repeatable=True, limit=self._attempts)) is not None:
            if event.get("failed"):
                raise HubError(f"the server of {name} failed to start: {event.get('message', '')}")
            if event.get("ready"):
                return
            if message := event.get("message"):
                seen.add(message)
                yield message

    async def stop_server(self, name: str, server: str = "", *, timeout: float = 120) -> None:
        """Stop the user's server of that name, if it is running, and wait until it has stopped."""
        path = _path(name, f"servers/{quote(server, safe='')}" if server else "server")
        answer = await self.request("DELETE", path, check=False, timeout=60)
        if answer.status_code not in (400, 404):  # 400: it is not running, or is already stopping
            self._checked(answer)

        async def look() -> bool | NotYet:
            user = await self.user(name)
            return NotYet() if user and (server in user.servers or (user.pending and not server)) else True

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
        repeatable: bool = True,
        decode: bool = False,
    ) -> httpx.Response:
        """Send a request with `body` as JSON. `check`: raise HubError for a response of 400 or above.

        `repeatable` as for `retry.attempts`; every request is, unless it says otherwise. `decode`: the body must be JSON.
        """
        import httpx

        limit = httpx.Timeout(timeout) if timeout else httpx.USE_CLIENT_DEFAULT

        async def attempt() -> httpx.Response:
            try:
                answer = await self._client.request(method, self.url + path, json=body, params=params, timeout=limit)
            except httpx.RequestError as error:
                raise self._no_response(error) from None
            if fault := retry.of_status(SERVICE, answer.status_code, answer.headers):
                raise Transient(fault, self._refusal(answer))
            if decode and answer.is_success and not _is_json(answer):
                raise Transient(Fault(SERVICE, retry.INCOMPLETE), HubError(retry.INCOMPLETE, where=self.url + path))
            return self._checked(answer) if check else answer

        return await retry.attempts(attempt, repeatable=repeatable, limit=self._attempts)

    async def json(self, method: str, path: str, *, of: Any, missing: int | None = None, **options: Any) -> Any:
        """The decoded answer, checked to be of that type (see `answers`); None for the status `missing`."""
        answer = await self.request(method, path, check=False, decode=True, **options)
        return None if answer.status_code == missing else self._expected(self._checked(answer).json(), of, path)

    def _expected(self, found: Any, kind: Any, path: str) -> Any:
        try:
            return checked(found, kind)
        except Unexpected as error:
            raise HubError(f"the hub answered something unexpected: {error}", where=self.url + path) from None

    async def _events(self, path: str, timeout: float) -> AsyncIterator[ProgressEvent]:
        """A stream of server-sent events, of which one is to be the last. Raises Transient."""
        import httpx

        try:
            async with self._client.stream("GET", self.url + path, timeout=httpx.Timeout(timeout)) as answer:
                if answer.is_error:
                    await answer.aread()
                    fault = retry.of_status(SERVICE, answer.status_code, answer.headers)
                    raise Transient(fault, self._refusal(answer)) if fault else self._refusal(answer)
                async for line in answer.aiter_lines():
                    if line.startswith("data:"):
                        yield self._expected(json.loads(line.removeprefix("data:")), ProgressEvent, path)
            # Whoever has read the last event does not ask for more.
            raise Transient(
                Fault(SERVICE, "connection closed"), HubError("the hub stopped reporting", where=self.url + path)
            )
        except httpx.RequestError as error:
            raise self._no_response(error) from None
        except ValueError:
            raise Transient(
                Fault(SERVICE, retry.INCOMPLETE), HubError(retry.INCOMPLETE, where=self.url + path)
            ) from None

    def _no_response(self, error: httpx.RequestError) -> HubError | Transient:
        fault = retry.of_exception(SERVICE, error)
        if fault is None:
            return HubError(f"no response: {error or type(error).__name__}", where=self.url)
        return Transient(fault, HubError(f"no response: {fault.answer}", where=self.url))

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_error:
            raise self._refusal(answer)
        return answer

    def _refusal(self, answer: httpx.Response) -> HubError:
        try:
            message = answer.json()["message"]
        except (ValueError, KeyError, TypeError):
            # Not from the hub's API, but an HTML page, or from a proxy in front of the hub.
            message = f"{answer.reason_phrase} ({answer.headers.get('server', 'the proxy')})"
        where = f"{answer.request.method} {answer.request.url}"
        return HubError(f"the hub responded {answer.status_code}: {message}", where=where, status=answer.status_code)


def _path(name: str, rest: str = "") -> str:
    """The path of what belongs to the user."""
    return f"/hub/api/users/{quote(name, safe='@')}{rest and '/'}{rest}"


def _plain(failure: HubError | Transient) -> ZeroJHubError:
    return failure.error if isinstance(failure, Transient) else failure


def _is_json(answer: httpx.Response) -> bool:
    try:
        answer.json()
    except (ValueError, RecursionError):
        return False
    return True


_USERS = GenericAlias(list, (UserModel,))


def _user(body: UserModel) -> User:
    servers = {
        name: UserServer(each.get("url") or "", each.get("pending"), each.get("started"))
        for name, each in (body.get("servers") or {}).items()
    }
    return User(body["name"], bool(body.get("admin")), body.get("last_activity"), body.get("pending"), servers)
