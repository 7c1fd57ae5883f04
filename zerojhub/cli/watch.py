"""status --watch: look again and again, and show it: a board on a terminal, elsewhere a status for each change."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from typing import NoReturn

import anyio

from zerojhub import journey
from zerojhub.cli.journey import show_status
from zerojhub.errors import ZeroJHubError
from zerojhub.operations.survey import survey
from zerojhub.report.board import Board, Hidden, Look
from zerojhub.report.results import Output

EVERY = 2.0
"""Seconds from one look to the next, or as long as a look takes."""


async def watch_status(hub: journey.Hub, output: Output) -> NoReturn:
    """Until it is interrupted. A mistake of the user's ends it at the first look; what breaks later is shown, and looked at
    again."""
    look = await _look(hub)
    with Board() if output is Output.table and sys.stdout.isatty() else Changes(output) as shown:
        while True:
            shown.show(look)
            started = time.monotonic()
            try:
                look = await _look(hub)
            except ZeroJHubError as error:
                look = Look(look.standings, look.url, look.survey, trouble=str(error))
            await anyio.sleep(max(0.0, EVERY - (time.monotonic() - started)))


class Changes(AbstractContextManager):
    """A status whenever it is another one than before."""

    def __init__(self, output: Output):
        self._output, self._told = output, None

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, look: Look) -> None:
        now = ([(standing.state, standing.detail) for standing in look.standings], look.trouble)
        if now == self._told:
            return
        self._told = now
        if look.trouble:
            print(f"error: {look.trouble}", file=sys.stderr)
            return
        if self._output is Output.yaml:
            print("---")
        show_status(look.url, look.standings, self._output)
        sys.stdout.flush()


async def _look(hub: journey.Hub) -> Look:
    """With a hub of its own, on the same credentials: what was found before may be gone."""
    afresh = journey.Hub(hub.deployment, Hidden(quiet=True))
    afresh.cloud = hub.cloud
    try:
        standings = await journey.look(afresh)
        return Look(standings, afresh.url(), await survey(afresh))
    finally:
        await afresh.close()
