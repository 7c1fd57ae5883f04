"""How an OpenStack API is served here: its routes, who is asking, and its own way of saying no."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zerojhub.practice.apis.access import permits
from zerojhub.practice.apis.refusal import Refusal
from zerojhub.practice.ground import GroundError
from zerojhub.practice.profile import SERVED

if TYPE_CHECKING:
    from zerojhub.practice.apis.cloud import Cloud, Token
    from zerojhub.practice.apis.conductor import Conductor
    from zerojhub.practice.ground import Ground

log = logging.getLogger(__name__)

TRUE, FALSE = {"1", "t", "true", "on", "y", "yes"}, {"0", "f", "false", "off", "n", "no"}
"""The words that OpenStack takes for yes and no (strutils of oslo.utils)."""
UNAUTHENTICATED = {
    "error": {
        "code": 401,
        "title": "Unauthorized",
        "message": "The request you have made requires authentication.",
    }
}


class Call(Request):
    """One request, with the cloud it is about. `data` is the JSON body, or None when there is none."""

    data: Any = None

    @property
    def cloud(self) -> Cloud:
        return self.app.state.cloud

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
        """The id of the project that the token is for."""
        if self.token.project is None:
            raise Refusal(401, UNAUTHENTICATED["error"]["message"])
        return self.token.project

    @property
    def origin(self) -> str:
        """Scheme, host and port as the client wrote them: links lead back the way it came."""
        return f"{self.url.scheme}://{self.headers.get('host', self.url.netloc)}"

    @property
    def keystone(self) -> str:
        """Where a 401 says that tokens are to be had."""
        return f'Keystone uri="{self.origin}/identity/v3"'

    def inner(self, key: str) -> dict[str, Any]:
        """The object that a body wraps in its own name, as {"server": {…}}."""
        if not isinstance(self.data, dict) or not isinstance(self.data.get(key), dict):
            raise Refusal(400, f"Invalid input for field/attribute {key}. A JSON object is expected.")
        return self.data[key]


Handler = Callable[[Call], Awaitable[Any]]


class Service:
    """One OpenStack API under its path prefix.

    `say_no` makes the service's own error response; `versions`, where the API has microversions, checks the one that
    is asked for and returns the headers that its answers carry; `headers` are those of every answer.
    """

    def __init__(
        self,
        name: str,
        prefix: str,
        say_no: Callable[[Refusal], Response],
        versions: Callable[[Call], dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ):
        self.name, self.prefix, self.say_no, self.versions = name, prefix, say_no, versions
        self.headers = headers or {}
        self.types = [kind for kind, root in SERVED.items() if root == prefix]
        self._routes: list[Route] = []

    def route(
        self, methods: str, path: str, *, status: int = 200, public: bool = False
    ) -> Callable[[Handler], Handler]:
        """Serve METHODS (separated by spaces) of the path; `public` needs no token."""

        def register(handler: Handler) -> Handler:
            async def endpoint(request: Request) -> Response:
                return await self._answer(Call(request.scope, request.receive), handler, status, public)

            self._routes.append(Route(self.prefix + path, endpoint, methods=methods.split()))
            return handler

        return register

    def routes(self) -> list[Route]:
        """Every route, and last the one for whatever has none."""

        async def nothing_here(call: Call) -> None:
            raise Refusal(404, "The resource could not be found.")

        async def endpoint(request: Request) -> Response:
            return await self._answer(Call(request.scope, request.receive), nothing_here, 200, False)

        every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
        rest = [Route(self.prefix + path, endpoint, methods=every) for path in ("", "/{path:path}")]
        # What is written out goes before what any word fits.
        return [*sorted(self._routes, key=lambda route: route.path.count("{")), *rest]

    async def _answer(self, call: Call, handler: Handler, status: int, public: bool) -> Response:
        call.scope["state"]["service"] = self.name
        token = call.cloud.valid_token(call.headers.get("x-auth-token", ""))
        if token and (public or permits(token, self.types, call.method, call.url.path.removeprefix(self.prefix))):
            call.scope["state"].update(token=token, user=call.cloud.users[token.holder]["name"])
        elif not public:
            return JSONResponse(UNAUTHENTICATED, 401, {"WWW-Authenticate": call.keystone, **self.headers})
        headers: dict[str, str] = {}
        try:
            headers = self.versions(call) if self.versions else {}
            # An image is no JSON, and not to be held in memory; a list of changes to one says so in its type's name.
            if re.search(r"\bjson(-patch)?$", call.headers.get("content-type", "").split(";")[0]):
                try:
                    call.data = json.loads(await call.body() or "null")
                except ValueError:
                    raise Refusal(400, "The server could not comply with the request: malformed JSON.") from None
            answer = await handler(call)
        except Refusal as refusal:
            response = self.say_no(refusal)
            if refusal.status == 401:
                response.headers["WWW-Authenticate"] = call.keystone
            # A version that is not to be had is not said to be spoken.
            headers = refusal.headers if refusal.status == 406 else headers
        except GroundError as error:
            response = self.say_no(Refusal(500, str(error)))
        except Exception:
            log.exception("%s %s", call.method, call.url.path)
            response = self.say_no(
                Refusal(500, "The server has either erred or is incapable of performing the request.")
            )
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


def rank(value: Any) -> tuple[bool, Any]:
    """Where a value stands in a sorted list: nothing first, numbers and texts as they are."""
    return value is not None, value if isinstance(value, str | int | float) else str(value)


def paged(call: Call, records: list[dict], *, key: str = "id", most: int = 1000) -> tuple[list[dict], str | None]:
    """The page that `limit` and `marker` ask for, and the query string of the next one, if there is one.

    Sorts by `sort_key` and `sort_dir`, or by `sort=key:dir`, when asked to. Raises Refusal (400) for a limit or a
    marker that makes no sense.
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
        ids = [record[key] for record in records]
        if marker not in ids:
            raise Refusal(400, f"marker [{marker}] not found")
        records = records[ids.index(marker) + 1 :]
    part = records[:limit] if limit else records
    if not part or len(part) == len(records) or not limit:
        return part, None
    rest = "".join(f"{name}={value}&" for name, value in query.multi_items() if name not in ("limit", "marker"))
    return part, f"{rest}limit={limit}&marker={part[-1][key]}"


def collection(call: Call, name: str, records: list[dict]) -> dict[str, Any]:
    """A page as Nova, Neutron, Cinder and Octavia wrap it: {name: […], "name_links": […]}."""
    part, following = paged(call, records)
    body: dict[str, Any] = {name: part}
    if following:
        body[f"{name}_links"] = [{"rel": "next", "href": f"{call.origin}{call.url.path}?{following}"}]
    return body


def change_quota(call: Call, service: str, key: str) -> dict[str, Any]:
    """Set the limits that the body, under its key, names. On a cloud of one's own everyone may."""
    limits = call.cloud.quotas[service]
    try:
        limits |= {name: int(value) for name, value in call.inner(key).items() if name in limits}
    except (TypeError, ValueError):
        raise Refusal(400, "Invalid input for a quota: a whole number is expected.") from None
    return {key: limits}
