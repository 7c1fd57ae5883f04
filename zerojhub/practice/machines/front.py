"""A proxy in front of a server of the practice cloud while faults are to be injected into its requests.

It reads the head of each request, and then passes bytes on in both directions, so that streams and upgrades to other
protocols work as without it. A connection carries one request only: its head gets `Connection: close`. A connection whose
first bytes are not HTTP is passed on untouched.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from zerojhub.practice.faults import STATUSES, Fault, Faults, What, refusal, reset

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
T = TypeVar("T")

CLONE_NEWNET = 0x40000000
SO_ORIGINAL_DST = 80
TLS_HANDSHAKE = b"\x16"
ENOUGH = 5.0
"""Seconds in which an answer that is to be lost or cut short must be complete; a stream never is."""


@dataclass(frozen=True)
class Head:
    """The head of a request: its first line and its headers."""

    method: str
    path: str
    """Without the query."""
    lines: tuple[bytes, ...]

    @classmethod
    def read(cls, data: bytes) -> Head | None:
        """The head in these bytes, up to and including the empty line; None if they are not HTTP."""
        found = re.match(rb"([A-Z]+) ([^ ?\r\n]*)[^ \r\n]* HTTP/1\.[01]\r\n", data)
        if not found or not data.endswith(b"\r\n\r\n"):
            return None
        return cls(found[1].decode(), found[2].decode(errors="replace"), tuple(data[:-4].split(b"\r\n")))

    def changed(self, *more: bytes, version: bytes = b"1.1") -> bytes:
        """The head for the server behind: the connection ends with the answer, unless it changes its protocol.

        `more` replaces the headers of these names.
        """
        upgrade = any(line.lower().startswith(b"upgrade:") for line in self.lines)
        more = more if upgrade else (*more, b"Connection: close")
        names = tuple(line.partition(b":")[0].lower() + b":" for line in more)
        kept = (line for line in self.lines[1:] if not line.lower().startswith(names))
        return b"\r\n".join([self.lines[0][:-3] + version, *kept, *more, b"", b""])


class Front:
    """Serves connections until it is closed.

    `connect` opens a connection to the server behind, for one that came in. `identify` returns headers to add to the
    requests of a connection, and whether faults may touch them.
    """

    def __init__(
        self,
        service: str,
        faults: Faults,
        connect: Callable[[asyncio.StreamWriter], Awaitable[Streams]],
        identify: Callable[[asyncio.StreamWriter], tuple[list[bytes], bool]] = lambda _: ([], True),
    ):
        self.service, self.faults, self._connect, self._identify = service, faults, connect, identify

    async def listen(self, where: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, sock=where, ssl=tls)

    def close(self) -> None:
        """Accept no more connections; those that are open go on."""
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            data = await reader.readexactly(1)
            if data != TLS_HANDSHAKE:
                data += await reader.readuntil(b"\r\n\r\n")
            await self._answer(data, reader, writer)
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def _answer(self, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, fault = Head.read(data), None
        if head:
            headers, touched = self._identify(writer)
            fault = self.faults.meet(self.service, head.method, head.path) if touched else None
            data = head.changed(*headers)
        if not head or not fault:
            async with self._behind(writer) as behind:
                await _tunnel(data, (reader, writer), behind)
        elif fault.what in STATUSES:
            writer.write(_response(self.service, fault))
            await writer.drain()
        elif fault.what is What.reset_before:
            reset(writer.transport)
        elif fault.what is What.hang:
            await reader.read()
        elif fault.what is What.slow:
            await asyncio.sleep(fault.delay)
            async with self._behind(writer) as behind:
                await _tunnel(data, (reader, writer), behind)
        elif fault.what is not What.refused:
            async with self._behind(writer) as behind:
                # A server sends a body of known length, or to the end of the connection, to a client of HTTP 1.0.
                plain = head.changed(*headers, b"Accept-Encoding: identity", version=b"1.0")
                answer = await _whole(plain, reader, behind)
            if fault.what is What.reset_after:
                reset(writer.transport)
                return
            start, _, body = answer.partition(b"\r\n\r\n")
            length = len(body) // 2 if fault.what is What.truncated_json else len(body)
            lines = [line for line in start.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
            lines.append(f"Content-Length: {length}".encode())
            writer.write(b"\r\n".join([*lines, b"", body[: len(body) // 2]]))
            await writer.drain()

    @contextlib.asynccontextmanager
    async def _behind(self, writer: asyncio.StreamWriter) -> AsyncIterator[Streams]:
        streams = await self._connect(writer)
        try:
            yield streams
        finally:
            streams[1].close()


def _response(service: str, fault: Fault) -> bytes:
    kind, body = refusal(service, fault.status)
    lines = [
        f"HTTP/1.1 {fault.status} {HTTPStatus(fault.status).phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"Retry-After: {fault.retry_after}"] if fault.retry_after is not None else []
    return "\r\n".join([*lines, "Connection: close", "", body]).encode()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()


async def _tunnel(data: bytes, client: Streams, behind: Streams) -> None:
    """Send `data` to the server, and pass bytes on until either side closes its connection."""
    behind[1].write(data)
    pumps = [asyncio.create_task(_pump(client[0], behind[1])), asyncio.create_task(_pump(behind[0], client[1]))]
    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    for pump in pumps:
        pump.cancel()


async def _whole(data: bytes, client: asyncio.StreamReader, behind: Streams) -> bytes:
    """The server's whole answer, or what there is of it after ENOUGH."""
    behind[1].write(data)
    pump, answer = asyncio.create_task(_pump(client, behind[1])), b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ENOUGH):
            while more := await behind[0].read(1 << 16):
                answer += more
    pump.cancel()
    return answer


def original_destination(writer: asyncio.StreamWriter) -> tuple[str, int]:
    """Where a connection that iptables redirected was going."""
    option = writer.get_extra_info("socket").getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
    port, address = struct.unpack("!2xH4s8x", option)
    return socket.inet_ntoa(address), port


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens there; port 0: any."""
    # asyncio disables Nagle's algorithm only on sockets whose protocol is TCP.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    return made


def in_network_of(pid: int, make: Callable[[], T]) -> T:
    """Call `make` in the network namespace of a process. A socket made there stays there."""
    made: list[T] = []

    def enter() -> None:
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(namespace)
        made.append(make())

    # In a thread of its own, which ends with it: a thread belongs to one namespace.
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return made[0]
