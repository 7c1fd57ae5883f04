"""status --watch: look again and again, and show it: a board on a terminal, elsewhere a status for each change."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from typing import NoReturn

import anyio

from zerojhub import running
from zerojhub.cluster.survey import survey
from zerojhub.errors import ZeroJHubError
from zerojhub.report.board import Board, Hidden, Look
from zerojhub.report.results import Output
from zerojhub.report.stages import show_status
from zerojhub.run import Run
from zerojhub.stages import Access

EVERY = 2.0
"""Seconds from one look to the next, unless a look takes longer."""


async def watch_status(run: Run, output: Output) -> NoReturn:
    """Show the status until interrupted. The user's mistakes end it at the first look; later failures are shown."""
    look = await _look(run)
    with Board() if output is Output.table and sys.stdout.isatty() else Changes(output) as shown:
        while True:
            shown.show(look)
            started = time.monotonic()
            try:
                look = await _look(run)
            except ZeroJHubError as error:
                look = Look(look.statuses, look.url, look.survey, look.drift, trouble=str(error))
            await anyio.sleep(max(0.0, EVERY - (time.monotonic() - started)))


class Changes(AbstractContextManager["Changes"]):
    """Prints a status whenever it differs from the one before."""

    def __init__(self, output: Output):
        self._output = output
        self._printed: tuple[object, ...] | None = None

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, look: Look) -> None:
        now = (*((status.state, status.detail) for status in look.statuses), look.trouble)
        if now == self._printed:
            return
        self._printed = now
        if look.trouble:
            print(f"error: {look.trouble}", file=sys.stderr)
            return
        if self._output is Output.yaml:
            print("---")
        show_status(look.url, look.statuses, look.drift, self._output)
        sys.stdout.flush()


async def _look(run: Run) -> Look:
    """Look in a run of its own with the same credentials: what an earlier look found may be gone."""
    fresh = Run(run.deployment, Hidden(quiet=True), run.cloud)
    try:
        found = await running.look(fresh)
        return Look(found.statuses, found.url, await survey(found.run, found.run.get(Access), found.url), found.drift)
    finally:
        await fresh.close()
