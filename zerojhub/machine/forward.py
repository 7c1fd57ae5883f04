"""A loopback port on this machine that leads, over an SSH connection, to a port as seen from the remote machine."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from zerojhub.errors import MachineError
from zerojhub.retry import Transient

if TYPE_CHECKING:
    import paramiko


class Forward:
    """Listens on 127.0.0.1:`port`; each connection becomes a direct-tcpip channel, until `stop`."""

    def __init__(self, connected: Callable[[], paramiko.Transport], host: str, port: int):
        """`connected` returns the SSH connection, which it makes again if it broke."""
        self._connected, self._target = connected, (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        """Start to accept connections. Raises paramiko.SSHException if the remote machine refuses to forward."""
        self._open(("127.0.0.1", 0)).close()
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        # close() alone does not wake a thread that is blocked in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _open(self, peer: tuple[str, int]) -> paramiko.Channel:
        return self._connected().open_channel("direct-tcpip", self._target, peer, timeout=10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, peer = self._listener.accept()
                threading.Thread(target=self._connect, args=(near, peer), daemon=True).start()

    def _connect(self, near: socket.socket, peer: tuple[str, int]) -> None:
        import paramiko

        # Either end may close at any time, and so may the whole SSH connection; then this ends, too.
        with (
            contextlib.suppress(paramiko.SSHException, OSError, EOFError, Transient, MachineError),
            near,
            self._open(peer) as far,
        ):
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()


def _pump(source: socket.socket | paramiko.Channel, sink: socket.socket | paramiko.Channel) -> None:
    # paramiko raises EOFError when the connection has ended.
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        sink.shutdown(socket.SHUT_WR)
