"""Programs that run as long as the tests need them: without a shell, each with a log file, stopped by PID."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

SECONDS = 180
"""Seconds that anything may take to become ready on a busy machine."""


class Processes:
    """Starts programs in a folder, and stops the remaining ones when the block ends."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []
        self.names: dict[int, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # At once: nothing of theirs is wanted any more, and some take long to say goodbye.
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def start(
        self, name: str, *argv: str | Path, env: dict[str, str], pass_fds: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        """Start a program in a process group of its own, with its output in NAME.log."""
        with open(self.log(name), "ab") as log:
            process = subprocess.Popen(
                argv,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        self.running.append(process)
        self.names[process.pid] = name
        return process

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def finish(self, *processes: subprocess.Popen[bytes]) -> None:
        """Wait for programs to finish. Raises RuntimeError if one fails."""
        for process in processes:
            if process.wait(SECONDS):
                raise RuntimeError(self._last_words(process))

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait for a condition that the programs bring about. Raises RuntimeError if one of them fails first."""
        end = time.monotonic() + SECONDS
        while not ready():
            for process in self.running:
                if process.poll():
                    raise RuntimeError(self._last_words(process))
            if time.monotonic() > end:
                raise RuntimeError(f"not ready within {SECONDS} s; see the logs in {self.folder}")
            time.sleep(0.05)

    def _last_words(self, process: subprocess.Popen[bytes]) -> str:
        name = self.names[process.pid]
        return f"{name} ended with {process.returncode}:\n{self.log(name).read_text(errors='replace')[-2000:]}"
