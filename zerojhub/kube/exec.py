"""Running a program in a container, with a terminal or without, over the API's WebSocket.

Each message begins with the number of its channel (k8s.io/apimachinery, pkg/util/remotecommand).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol

from typing_extensions import TypedDict

from zerojhub.answers import Unexpected, checked
from zerojhub.kube.client import KubeError, StatusDetails
from zerojhub.tasks import task_group

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from zerojhub.kube.client import Kube

STDIN, STDOUT, STDERR, STATUS, SIZE = range(5)
PROTOCOL = "v4.channel.k8s.io"


class Terminal(Protocol):
    """Where the program's input comes from, and its output goes."""

    interactive: bool
    """It has keys and a size. Without, the program has no input."""

    async def read(self) -> bytes: ...
    def write(self, data: bytes, *, error: bool) -> None: ...
    def sizes(self) -> AsyncIterator[tuple[int, int]]:
        """Columns and lines: now, and whenever they change."""
        ...


class Ended(TypedDict, total=False):
    """How the program ended."""

    status: str
    """Success or Failure."""
    reason: str
    message: str
    details: StatusDetails | None


async def execute(
    kube: Kube, namespace: str, pod: str, container: str, command: Sequence[str], terminal: Terminal
) -> int:
    """Run the command until it ends; its exit code. Raises KubeError."""
    from websockets.exceptions import InvalidStatus, WebSocketException

    attach = str(terminal.interactive).lower()
    query = [("container", container), ("stdout", "true"), ("stdin", attach), ("tty", attach)]
    query += [("stderr", "true")] * (not terminal.interactive) + [("command", word) for word in command]
    where = f"pod {pod}"
    try:
        async with (
            kube.websocket(f"/api/v1/namespaces/{namespace}/pods/{pod}/exec", query, PROTOCOL) as channel,
            task_group() as tasks,
        ):
            if terminal.interactive:
                tasks.start_soon(_send_keys, channel, terminal)
                tasks.start_soon(_send_sizes, channel, terminal)
            code = None
            async for message in channel:
                data = message.encode() if isinstance(message, str) else message
                number, data = data[:1], data[1:]
                if number in (bytes([STDOUT]), bytes([STDERR])):
                    terminal.write(data, error=number == bytes([STDERR]))
                elif number == bytes([STATUS]):
                    code = _code(data, where)
                    break
            tasks.cancel_scope.cancel()
    except InvalidStatus as refused:
        said = refused.response.body.decode(errors="replace")[:300] if refused.response.body else ""
        raise KubeError(
            f"cannot run a program: HTTP {refused.response.status_code} {said}".rstrip(),
            status=refused.response.status_code,
            where=where,
        ) from None
    except (WebSocketException, OSError) as error:
        raise KubeError(f"the connection was lost: {error}", where=where) from None
    if code is None:
        raise KubeError("the connection was closed before the program ended", where=where)
    return code


async def _send_keys(channel: ClientConnection, terminal: Terminal) -> None:
    while data := await terminal.read():
        await channel.send(bytes([STDIN]) + data)


async def _send_sizes(channel: ClientConnection, terminal: Terminal) -> None:
    async for columns, lines in terminal.sizes():
        await channel.send(bytes([SIZE]) + json.dumps({"Width": columns, "Height": lines}).encode())


def _code(data: bytes, where: str) -> int:
    try:
        ended: Ended = checked(json.loads(data), Ended)
    except (ValueError, Unexpected):
        raise KubeError("the API did not say how the program ended", where=where) from None
    if ended.get("status") == "Success":
        return 0
    for cause in (ended.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause.get("message", "1"))
    raise KubeError(ended.get("message") or "the program did not run", where=where)
