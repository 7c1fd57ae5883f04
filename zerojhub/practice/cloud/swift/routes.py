"""Requests to the object store, passed on to the real Swift, which starts with the first one.

Requests to its own API are below its root. Those of the S3 API can have any path, since a bucket's name is the first part
of it: they are known by their signature, by which Swift, too, tells them from its own.
"""

from __future__ import annotations

import re

import httpx
from starlette.requests import ClientDisconnect, Request
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
    """Passes requests on to Swift: with the path below `root` as it was sent, because S3 signs it."""

    def __init__(self, root: str):
        self.root = root.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["service"] = swift.TYPES[0]
        async with httpx.AsyncHTTPTransport(verify=False) as transport:
            response = await _answer(Request(scope, receive), scope["raw_path"].removeprefix(self.root), transport)
            await response(scope, receive, send)


async def _answer(request: Request, path: bytes, transport: httpx.AsyncHTTPTransport) -> Response:
    store = request.app.state.store
    if token := store.valid_token(request.headers.get("x-auth-token", "")):
        request.scope["state"]["user"] = store.users[token.holder]["name"]
    account = store.users.named("swift")[0]["id"]
    try:
        url = await request.app.state.ground.object_store(store.passwords[account])
    except GroundError as error:
        return errors.to_response(Refusal(503, str(error)))
    if query := request.scope["query_string"]:
        path += b"?" + query
    target = httpx.URL(url).copy_with(raw_path=path)
    headers = [header for header in request.scope["headers"] if header[0] not in OWN_HEADERS]
    has_body = any(name in request.headers for name in ("content-length", "transfer-encoding"))
    content = request.stream() if has_body else None
    try:
        answer = await transport.handle_async_request(
            httpx.Request(request.method, target, headers=headers, content=content, extensions={"timeout": {}})
        )
    except ClientDisconnect:
        return Response()  # for nobody
    except httpx.TransportError as error:
        return errors.to_response(Refusal(503, f"the object store does not respond: {error}"))
    response = StreamingResponse(answer.stream, answer.status_code)
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
    elsewhere=(S3("/{path:path}", Forward("")), Route(f"{swift.ROOT}/{{path:path}}", Forward(swift.ROOT))),
)
