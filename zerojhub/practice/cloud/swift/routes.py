"""Requests to the object store, passed on to the real Swift, which starts with the first one.

Requests to its own API are below its root. Those of the S3 API can have any path, since a bucket's name is the first part
of it: they are known by their signature, by which Swift, too, tells them from its own.
"""

from __future__ import annotations

import re

import httpx
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from zerojhub.practice.cloud import swift
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.swift import errors
from zerojhub.practice.cloud.wire import Service
from zerojhub.practice.ground import GroundError

OWN_HEADERS = (b"connection", b"date", b"expect", b"keep-alive", b"transfer-encoding", b"x-openstack-request-id")
"""Headers that belong to a connection, or that the practice cloud sets itself."""


class Forward:
    """Passes requests on to Swift: with the path as it was sent, because S3 signs it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["service"] = swift.TYPES[0]
        response = await _answer(Request(scope, receive))
        await response(scope, receive, send)


async def _answer(request: Request) -> Response:
    store = request.app.state.store
    if token := store.valid_token(request.headers.get("x-auth-token", "")):
        request.scope["state"]["user"] = store.users[token.holder]["name"]
    account = store.users.named("swift")[0]["id"]
    try:
        url = await request.app.state.ground.object_store(store.passwords[account])
    except GroundError as error:
        return errors.to_response(Refusal(503, str(error)))
    path = request.scope["raw_path"].removeprefix(swift.ROOT.encode())
    if query := request.scope["query_string"]:
        path += b"?" + query
    target = httpx.URL(url).copy_with(raw_path=path)
    headers = [header for header in request.scope["headers"] if header[0] not in OWN_HEADERS]
    transport = httpx.AsyncHTTPTransport(verify=False)
    try:
        answer = await transport.handle_async_request(
            httpx.Request(request.method, target, headers=headers, content=request.stream(), extensions={"timeout": {}})
        )
    except httpx.TransportError as error:
        await transport.aclose()
        return errors.to_response(Refusal(503, f"the object store does not respond: {error}"))
    response = StreamingResponse(answer.stream, answer.status_code, background=BackgroundTask(transport.aclose))
    response.raw_headers = [
        (name.lower(), value) for name, value in answer.headers.raw if name.lower() not in OWN_HEADERS
    ]
    return response


class S3(Route):
    """Every path, of requests with a signature of AWS."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if is_s3(scope) else (Match.NONE, {})


def is_s3(scope: Scope) -> bool:
    """Is it a request to the S3 API, signed in its headers or in its query?"""
    headers = dict(scope.get("headers", ()))
    query = scope.get("query_string", b"")
    return re.match(rb"AWS[ 4]", headers.get(b"authorization", b"")) is not None or b"X-Amz-Signature=" in query


SERVICE = Service(
    swift.TYPES,
    swift.ROOT,
    errors.to_response,
    (),
    elsewhere=(S3("/{path:path}", Forward()), Route(f"{swift.ROOT}/{{path:path}}", Forward())),
)
