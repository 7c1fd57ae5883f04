"""This terminal, handed to a program in a pod."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import anyio

from zerojhub.report.progress import paused


class Terminal:
    """Standard input and output. `interactive`: both are a terminal."""

    def __init__(self) -> None:
        self.interactive = sys.stdin.isatty() and sys.stdout.isatty()

    async def read(self) -> bytes:
        """What has been typed."""
        await anyio.wait_readable(sys.stdin.fileno())
        return os.read(sys.stdin.fileno(), 1 << 16)

    def write(self, data: bytes, *, error: bool) -> None:
        stream = sys.stderr if error else sys.stdout
        stream.buffer.write(data)
        stream.flush()

    async def sizes(self) -> AsyncIterator[tuple[int, int]]:
        with anyio.open_signal_receiver(signal.SIGWINCH) as changes:
            yield _size()
            async for _ in changes:
                yield _size()

    @contextmanager
    def raw(self) -> Iterator[None]:
        """Within: every key goes to the program, Ctrl-C included, and nothing else is drawn."""
        with paused():
            if not self.interactive:
                yield
                return
            import termios
            import tty

            before = termios.tcgetattr(sys.stdin)
            tty.setraw(sys.stdin)
            try:
                yield
            finally:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _size() -> tuple[int, int]:
    columns, lines = shutil.get_terminal_size()
    return columns, lines
