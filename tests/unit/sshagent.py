"""A real SSH agent with keys in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import until


@contextmanager
def ssh_agent(socket: Path, keys: Iterable[bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within: the agent at `socket`, with these private keys in OpenSSH's format, is the one that programs use."""
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as running:

        def is_ready() -> bool:
            assert running.poll() is None
            return socket.exists()

        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        try:
            until(is_ready, pause=0.02)
            for key in keys:
                subprocess.run(["ssh-add", "-q", "-"], input=key, check=True, timeout=10)
            yield
        finally:
            running.terminate()
