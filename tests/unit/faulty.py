"""A proxy on loopback that spoils requests on their way to a fake service, over real sockets."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Spoil = Literal["reset before", "reset after", "cut body", "cut json", "hang"]
"""Reset before or after the service did its work; send half of the body, or half of the JSON as the whole; never answer."""


@dataclass(frozen=True)
class Status:
    """An answer in place of the service's: the request does not reach it, unless it is `done`."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    done: bool = False


class Proxy:
    """`faults`: what happens to the next requests of a method, one after the other; then they pass."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, 0
        self.faults: dict[str, list[Spoil | Status]] = {}
        self.seen: list[str] = []
        """Method and path of every request."""
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy to the service on this loopback port."""
    made = Proxy(target)

    class Handler(BaseHTTPRequestHandler):
        def handle_request(self) -> None:
            made.seen.append(f"{self.command} {self.path.partition('?')[0]}")
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            faults = made.faults.get(self.command)
            fault = faults.pop(0) if faults else None
            if fault == "hang":
                made.released.wait(10)
                return
            if fault == "reset before":
                return self.reset()
            if isinstance(fault, Status) and not fault.done:
                return self.reply(fault.status, fault.headers, b"")
            service = http.client.HTTPConnection("127.0.0.1", made.target, timeout=10)
            service.request(self.command, self.path, data, {k: v for k, v in self.headers.items() if k != "Connection"})
            answer = service.getresponse()
            body = answer.read()
            service.close()
            if isinstance(fault, Status):
                return self.reply(fault.status, fault.headers, b"")
            headers = {name: value for name, value in answer.getheaders() if name.lower() != "content-length"}
            if fault == "reset after":
                return self.reset()
            if fault == "cut json":
                body = body[: len(body) // 2]
            self.reply(answer.status, headers, body, missing=len(body) // 2 if fault == "cut body" else 0)

        def reply(self, status: int, headers: dict[str, str], body: bytes, missing: int = 0) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body)), "Connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) - missing])

        def reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.rfile.close()
            self.wfile = open("/dev/null", "wb")  # noqa: SIM115  # closed by the base class

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.handle_error = True, lambda *_: None  # type: ignore[method-assign]  # resets are meant
    made.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield made
    finally:
        made.released.set()
        server.shutdown()
        server.server_close()
