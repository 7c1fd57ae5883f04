"""Server actions, by their name in the request body. Each module has some."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from zerojhub.practice.cloud.nova.events import begin, finish
from zerojhub.practice.cloud.nova.records import mark_failed
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call
from zerojhub.practice.ground import GroundError

Action = Callable[[Call, Record, Record], Any]
ACCEPTED = 202


class Actions(dict[str, Action]):
    """Some of the actions: `@actions("os-stop")` adds the handler below it."""

    def __call__(self, name: str) -> Callable[[Action], Action]:
        def add(handler: Action) -> Action:
            self[name] = handler
            return handler

        return add


def accept(call: Call, server: Record, name: str, task: str, work: Callable[[], Awaitable[None]]) -> Response:
    """Accept the action (202): the server has this task until the work is done, and goes to ERROR if it fails."""
    event = begin(call.store, server, name, call.token.user, call.state.request_id)
    server["task_state"] = task

    async def do() -> None:
        try:
            await work()
        except GroundError as error:
            mark_failed(server, str(error))
            finish(event, "Error")
        else:
            finish(event)

    call.conductor.queue(server["id"], do)
    return Response(status_code=ACCEPTED)
