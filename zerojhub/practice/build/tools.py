"""Run programs for a build: with logs and line-by-line output, and stopped together with the build."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, as_completed
from pathlib import Path

from zerojhub.practice.ground import GroundError


def finish(jobs: Iterable[Future[None]]) -> None:
    """Wait for all jobs, then raise the first failure: a part that fails does not abort independent parts."""
    failed = [error for job in as_completed(jobs) if (error := job.exception())]
    if failed:
        raise failed[0]


class Tools:
    """Runs programs for one build, from several threads."""

    def __init__(self, logs: Path):
        self._logs = logs
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False
        logs.mkdir(parents=True, exist_ok=True)

    def run(
        self,
        argv: list[str],
        log: str,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        line: Callable[[str], None] | None = None,
    ) -> str:
        """The program's output (both streams); each line also goes to `line`. Raises GroundError if it fails."""
        path = self._logs / f"{log}.log"
        with self._lock:
            if self._stopped:
                raise GroundError("the build was stopped")
            try:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    cwd=cwd,
                    env={**os.environ, **(env or {})},
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise GroundError(f"{argv[0]} is not installed on this machine") from None
            self._running.add(process)
        printed = []
        with path.open("a") as out:
            out.write(f"$ {' '.join(argv)}\n")
            for each in process.stdout or ():
                out.write(each)
                printed.append(each.rstrip("\n"))
                if line:
                    line(printed[-1])
        code = process.wait()
        with self._lock:
            self._running.discard(process)
        if code:
            last = next((each for each in reversed(printed) if each.strip()), "no output")
            raise GroundError(f"{argv[0]} failed: {last[:300]} (see {path})")
        return "\n".join(printed)

    def stop(self) -> None:
        """Stop all running programs, and start no more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                try:
                    os.killpg(process.pid, signal.SIGTERM)
                except ProcessLookupError:
                    continue
