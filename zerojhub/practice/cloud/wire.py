"""How an OpenStack API is served: routes, authentication, microversions, paging, error responses."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zerojhub.practice.cloud.access_rules import permits
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.ground import GroundError

if TYPE_CHECKING:
    from zerojhub.practice.cloud.conductor import Conductor
    from zerojhub.practice.cloud.store import Store, Token
    from zerojhub.practice.ground import Ground

log = logging.getLogger(__name__)

TRUE, FALSE = {"1", "t", "true", "on", "y", "yes"}, {"0", "f", "false", "off", "n", "no"}
"""The strings that OpenStack accepts as booleans (oslo.utils, strutils)."""
INSIDE = "inside"
"""The client's address of requests that one service sends to another."""
AUTHENTICATION_REQUIRED = "The request you have made requires authentication."
UNAUTHENTICATED = {"error": {"code": 401, "title": "Unauthorized", "message": AUTHENTICATION_REQUIRED}}


class Call(Request):
    """One request, with the cloud's records. `data` is the JSON body, None if there is none."""

    data: Any = None

    @property
    def store(self) -> Store:
        return self.app.state.store

    @property
    def ground(self) -> Ground:
        return self.app.state.ground

    @property
    def conductor(self) -> Conductor:
        return self.app.state.conductor

    @property
    def token(self) -> Token:
        return self.state.token

    @property
    def project(self) -> str:
        """The ID of the token's project. Raises Refusal (401) if it has none."""
        if self.token.project is None:
            raise Refusal(401, AUTHENTICATION_REQUIRED)
        return self.token.project

    @property
    def is_admin(self) -> bool:
        """Does the user have the role `admin`?"""
        return self.token.user in self.store.administrators

    @property
    def origin(self) -> str:
        """Scheme, host and port as the client used them, for links in responses."""
        return f"{self.url.scheme}://{self.headers.get('host', self.url.netloc)}"

    @property
    def keystone(self) -> str:
        """The WWW-Authenticate header of a 401."""
        return f'Keystone uri="{self.origin}/identity/v3"'

    def inner(self, key: str) -> dict[str, Any]:
        """The object under a key of the body, as in {"server": {…}}. Raises Refusal (400)."""
        if not isinstance(self.data, dict) or not isinstance(self.data.get(key), dict):
            raise Refusal(400, f"Invalid input for field/attribute {key}. A JSON object is expected.")
        return self.data[key]


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Endpoint:
    """A route with its handler; `status` is that of a success, and a `public` route needs no token."""

    methods: str
    path: str
    handler: Handler
    status: int
    public: bool


class Routes(list[Endpoint]):
    """Some of a service's routes: `@routes("GET", "/v2.1/flavors")` adds the handler below it."""

    def __call__(
        self, methods: str, path: str, *, status: int = 200, public: bool = False
    ) -> Callable[[Handler], Handler]:
        """Serve METHODS (separated by spaces) of the path; `public` needs no token."""

        def add(handler: Handler) -> Handler:
            self.append(Endpoint(methods, path, handler, status, public))
            return handler

        return add

    def forbid(self, requests: dict[str, str], message: str) -> None:
        """Refuse (403) requests that only administrators may make.

        `requests` maps "METHOD /path" to the policy, which replaces `{}` in the message.
        """
        for request, policy in requests.items():

            async def refuse(call: Call, policy: str = policy) -> None:
                raise Refusal(403, message.format(policy))

            self(*request.split())(refuse)


class Service:
    """One OpenStack API under its root path.

    `to_response` makes the service's own error response from a refusal. `negotiate`, where the API has microversions,
    checks the requested one and returns the headers that go with it; `headers` are those of every answer. `elsewhere`
    are routes that are not below the root.
    """

    def __init__(
        self,
        types: tuple[str, ...],
        root: str,
        to_response: Callable[[Refusal], Response],
        parts: Iterable[Routes],
        *,
        negotiate: Callable[[Call], dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        elsewhere: Sequence[Route] = (),
    ):
        self.types, self.root, self.to_response, self.negotiate = types, root, to_response, negotiate
        self.headers, self.elsewhere = headers or {}, elsewhere
        self.parts = tuple(parts)

    def routes(self) -> list[Route]:
        """The routes below the root, with a catch-all for unknown paths at the end."""

        async def not_found(call: Call) -> None:
            raise Refusal(404, "The resource could not be found.")

        every = "GET HEAD POST PUT PATCH DELETE"
        rest = [Endpoint(every, path, not_found, 200, False) for path in ("", "/{path:path}")]
        # Fixed paths before those with parameters.
        endpoints = (endpoint for part in self.parts for endpoint in part)
        ordered = sorted(endpoints, key=lambda endpoint: endpoint.path.count("{"))
        return [self._route(endpoint) for endpoint in [*ordered, *rest]]

    def _route(self, endpoint: Endpoint) -> Route:
        async def answer(request: Request) -> Response:
            call = Call(request.scope, request.receive)
            return await self._answer(call, endpoint.handler, endpoint.status, endpoint.public)

        return Route(self.root + endpoint.path, answer, methods=endpoint.methods.split())

    async def _answer(self, call: Call, handler: Handler, status: int, public: bool) -> Response:
        call.scope["state"]["service"] = self.types[0]
        token = call.store.valid_token(call.headers.get("x-auth-token", ""))
        if token and (public or permits(token, self.types, call.method, call.url.path.removeprefix(self.root))):
            call.scope["state"].update(token=token, user=call.store.users[token.holder]["name"])
        elif not public:
            return JSONResponse(UNAUTHENTICATED, 401, {"WWW-Authenticate": call.keystone, **self.headers})
        headers: dict[str, str] = {}
        try:
            headers = self.negotiate(call) if self.negotiate else {}
            # Only JSON bodies are parsed: an uploaded image must not be held in memory.
            if re.search(r"\bjson(-patch)?$", call.headers.get("content-type", "").split(";")[0]):
                try:
                    call.data = json.loads(await call.body() or "null")
                except ValueError:
                    raise Refusal(400, "The server could not comply with the request: malformed JSON.") from None
            answer = await handler(call)
        except Refusal as refusal:
            response = self._refused(call, refusal)
            if refusal.status == 401:
                response.headers["WWW-Authenticate"] = call.keystone
            # A refused microversion does not appear in the headers.
            headers = refusal.headers if refusal.status == 406 else headers
        except GroundError as error:
            response = self._refused(call, Refusal(500, str(error)))
        except Exception:
            log.exception("%s %s", call.method, call.url.path)
            message = "The server has either erred or is incapable of performing the request."
            response = self._refused(call, Refusal(500, message))
        else:
            if isinstance(answer, Response):
                response = answer
            elif answer is None:
                response = Response(status_code=204 if status == 200 else status)
            else:
                response = JSONResponse(answer, status)
        for name, value in {**self.headers, **headers}.items():
            response.headers.setdefault(name, value)
        return response

    def _refused(self, call: Call, refusal: Refusal) -> Response:
        refusal.request_id = call.scope["state"]["request_id"]
        return self.to_response(refusal)


def rank(value: Any) -> tuple[bool, Any]:
    """Sort key of a value: None first, numbers and strings as they are, everything else as a string."""
    return value is not None, value if isinstance(value, str | int | float) else str(value)


def paged(call: Call, records: list[dict], *, key: str = "id", most: int = 1000) -> tuple[list[dict], str | None]:
    """The page selected by `limit` and `marker`, and the query string of the next page, if any.

    Sorts by `sort_key` and `sort_dir`, or by `sort=key:dir`. Raises Refusal (400) for an invalid limit or marker.
    """
    query = call.query_params
    sort_key, _, direction = query.get("sort", "").split(",")[0].partition(":")
    sort_key, direction = query.get("sort_key", sort_key), query.get("sort_dir", direction)
    if sort_key and records and sort_key in records[0]:
        records = sorted(records, key=lambda record: rank(record.get(sort_key)), reverse=direction == "desc")
    try:
        limit = min(int(query.get("limit") or most), most)
    except ValueError:
        raise Refusal(400, f"Invalid input for query parameters limit. Value: {query['limit']}.") from None
    if limit < 0:
        raise Refusal(400, f"Invalid input for query parameters limit. Value: {limit}.")
    if marker := query.get("marker"):
        ids = [str(record[key]) for record in records]
        if marker not in ids:
            raise Refusal(400, f"marker [{marker}] not found")
        records = records[ids.index(marker) + 1 :]
    part = records[:limit] if limit else records
    if not part or len(part) == len(records) or not limit:
        return part, None
    rest = "".join(f"{name}={value}&" for name, value in query.multi_items() if name not in ("limit", "marker"))
    return part, f"{rest}limit={limit}&marker={part[-1][key]}"


def collection(call: Call, name: str, records: list[dict]) -> dict[str, Any]:
    """A page in the form of Nova, Neutron, Cinder and Octavia: {name: […], "name_links": […]}."""
    part, following = paged(call, records)
    body: dict[str, Any] = {name: part}
    if following:
        body[f"{name}_links"] = [{"rel": "next", "href": f"{call.origin}{call.url.path}?{following}"}]
    return body


def change_quota(call: Call, service: str, key: str) -> dict[str, Any]:
    """Set the limits in the body. On the practice cloud every user may."""
    limits = call.store.quotas[service]
    try:
        limits |= {name: int(value) for name, value in call.inner(key).items() if name in limits}
    except (TypeError, ValueError):
        raise Refusal(400, "Invalid input for a quota: a whole number is expected.") from None
    return {key: limits}
