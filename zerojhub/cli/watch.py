"""status --watch: look again and again, and show it: a board on a terminal, elsewhere a status for each change."""

from __future__ import annotations

import sys
import time
from typing import NoReturn

import anyio

from zerojhub import running
from zerojhub.cluster.survey import survey
from zerojhub.errors import ZeroJHubError
from zerojhub.report.board import Board, Changes, Look
from zerojhub.report.results import Output
from zerojhub.run import Run, Silent
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


async def _look(run: Run) -> Look:
    """Look in a run of its own with the same credentials: what an earlier look found may be gone."""
    fresh = Run(run.deployment, Silent(), run.cloud, run.ask_passphrase)
    try:
        found = await running.look(fresh)
        return Look(found.statuses, found.url, await survey(found.run, found.run.get(Access), found.url), found.drift)
    finally:
        await fresh.close()
