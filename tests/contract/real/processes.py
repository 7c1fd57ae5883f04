"""Programs that run for as long as the tests need them: no shell, output in a file each, ended by their ids."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

SECONDS = 180
"""How long anything may take to get ready, on a machine that does other things too."""


class Processes:
    """Starts programs in a folder; what still runs when the block ends, is ended."""

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
        """Start a program. Its output goes to the file NAME.log, and its children are of its process group."""
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
        """Wait for programs that end by themselves. Raises RuntimeError for one that failed."""
        for process in processes:
            if process.wait(SECONDS):
                raise RuntimeError(self._last_words(process))

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait until something that the programs do is done. Raises RuntimeError when one of them fails meanwhile."""
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
