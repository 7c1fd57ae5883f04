"""ASGI middleware that lets requests fail as the faults of the practice cloud say.

All services share a port that stays open, so a refused connection is one that is closed without an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zerojhub.practice.faults import STATUSES, TOKENS, Fault, Faults, What, refusal, reset


class Inject:
    """Lets requests fail.

    `service_of` names the service of a request, or returns None for a request that no fault may touch. `error` makes its
    service's own response to an internal error, and `end_token` ends the token of a request.
    """

    def __init__(
        self,
        app: ASGIApp,
        faults: Faults,
        service_of: Callable[[Scope], str | None],
        error: Callable[[str], Response],
        end_token: Callable[[Scope, What], None],
    ):
        self.app, self.faults, self.service_of = app, faults, service_of
        self.error, self.end_token = error, end_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = self.service_of(scope) if scope["type"] == "http" and self.faults.active else None
        fault = self.faults.meet(service, scope["method"], scope["path"]) if service else None
        if not service or not fault:
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {}).update(service=service, fault=fault.what)
        if fault.what in STATUSES:
            await self._refusal(service, fault)(scope, receive, send)
        elif fault.what is What.refused:
            _transport(receive).close()
            await _gone(receive)
        elif fault.what is What.reset_before:
            while (await receive()).get("more_body"):
                pass
            reset(_transport(receive))
            await _gone(receive)
        elif fault.what is What.reset_after:
            await self._answer(scope, receive)
            reset(_transport(receive))
            await _gone(receive)
        elif fault.what in (What.truncated_body, What.truncated_json):
            await self._truncate(fault, scope, receive, send)
        elif fault.what is What.hang:
            await _gone(receive)
        else:
            if fault.what in TOKENS:
                self.end_token(scope, fault.what)
            if fault.what is What.slow:
                await asyncio.sleep(fault.delay)
            await self.app(scope, receive, send)

    def _refusal(self, service: str, fault: Fault) -> Response:
        if fault.what is What.error:
            response = self.error(service)
        else:
            kind, body = refusal(service, fault.status)
            response = Response(body, fault.status, media_type=kind)
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """The app's whole answer: how it starts, and the body."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, keep)
        return messages[0], b"".join(message.get("body", b"") for message in messages[1:])

    async def _truncate(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        start, body = await self._answer(scope, receive)
        half = body[: len(body) // 2]
        complete = not body or fault.what is What.truncated_json
        if body and complete:
            length = (b"content-length", str(len(half)).encode())
            start["headers"] = [*(each for each in start["headers"] if each[0].lower() != length[0]), length]
        await send(start)
        await send({"type": "http.response.body", "body": half, "more_body": not complete})
        if not complete:
            _transport(receive).close()
            await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(receive: Receive) -> asyncio.Transport:
    """The connection of a request. ASGI does not give it away, but uvicorn's `receive` is a method of what has it."""
    cycle: Any = receive
    return cycle.__self__.transport
