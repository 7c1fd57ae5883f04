"""Running a program in a container: a WebSocket server stands in for the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve

from zerojhub.kube.client import Kube, KubeError
from zerojhub.kube.exec import PROTOCOL, execute


class Keyboard:
    """Types `keys`, and records what is shown."""

    def __init__(self, *keys: bytes, interactive: bool = True) -> None:
        self.interactive, self.keys, self.shown = interactive, list(keys), b""
        self.errors = b""

    async def read(self) -> bytes:
        return self.keys.pop(0) if self.keys else b""

    def write(self, data: bytes, *, error: bool) -> None:
        if error:
            self.errors += data
        else:
            self.shown += data

    async def sizes(self) -> AsyncIterator[tuple[int, int]]:
        yield 80, 24


SUCCESS = b'\x03{"status": "Success"}'
CODE = b'\x03{"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}'


def executed(keyboard: Keyboard, answers: Sequence[bytes], wait_for: int = 0) -> tuple[int, list[bytes], list[Any]]:
    """The exit code, what was sent, and the query. The server answers after `wait_for` messages."""
    sent: list[bytes] = []
    query: list[Any] = []

    async def handle(connection: ServerConnection) -> None:
        assert connection.request
        query.extend(parse_qsl(urlsplit(connection.request.path).query))
        query.append(connection.request.headers["authorization"])
        for _ in range(wait_for):
            sent.append(bytes(await connection.recv(decode=False)))
        for answer in answers:
            await connection.send(answer)

    async def work() -> int:
        async with serve(handle, "127.0.0.1", 0, subprotocols=[PROTOCOL]) as server:  # type: ignore[list-item]  # a str at run time
            port = next(iter(server.sockets)).getsockname()[1]
            headers = {"authorization": "Bearer word"}
            client = httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, verify=False
            )
            kube = Kube(client, None)
            try:
                return await execute(kube, "class", "pod-1", "data", ["ls", "a b"], keyboard)
            finally:
                await kube.close()

    return anyio.run(work), sent, query


def test_keys_and_the_size_go_to_the_program_and_its_output_comes_back():
    keyboard = Keyboard(b"ls\r")
    code, sent, query = executed(keyboard, [b"\x01out", b"\x01put", SUCCESS], wait_for=2)
    assert (code, keyboard.shown) == (0, b"output")
    assert sorted(sent) == [b"\x00ls\r", b'\x04{"Width": 80, "Height": 24}']
    assert ("command", "ls") in query
    assert ("command", "a b") in query
    assert ("tty", "true") in query
    assert query[-1] == "Bearer word"


def test_without_a_terminal_there_is_only_output_and_the_exit_code():
    keyboard = Keyboard(interactive=False)
    code, sent, query = executed(keyboard, [b"\x01yes", b"\x02no", CODE])
    assert (code, keyboard.shown, keyboard.errors, sent) == (7, b"yes", b"no", [])
    assert ("stderr", "true") in query


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([], "closed before the program ended"),
        ([b"\x03nonsense"], "did not say how"),
        ([b'\x03{"status": "Failure", "message": "no such file: zsh"}'], "no such file: zsh"),
    ],
)
def test_a_program_that_did_not_end_is_an_error(answers, message):
    with pytest.raises(KubeError, match=message):
        executed(Keyboard(interactive=False), answers)


def test_a_refusal_is_an_error_with_its_reason():
    def refuse(connection: ServerConnection, request: Any) -> Any:
        return connection.respond(403, "pods is forbidden\n")

    async def handle(connection: ServerConnection) -> None: ...

    async def work() -> None:
        async with serve(handle, "127.0.0.1", 0, process_request=refuse) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=False)
            kube = Kube(client, None)
            await execute(kube, "class", "pod-1", "data", ["ls"], Keyboard(interactive=False))

    with pytest.raises(KubeError, match="403 pods is forbidden"):
        anyio.run(work)
