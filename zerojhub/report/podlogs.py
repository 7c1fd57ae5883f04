"""The lines of several pods on standard output, told apart by whose they are."""

from __future__ import annotations

import os
import sys

COLOURS = (36, 33, 32, 35, 34, 31)
"""Of ANSI, in the order in which pods get them."""


class PodLog:
    """Prints lines, each after the name of its pod once there is more than one; in colour on a terminal."""

    def __init__(self, *, several: bool = False):
        self._several = several
        self._sources: dict[str, int] = {}
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def __call__(self, source: str, line: str) -> None:
        colour = self._sources.setdefault(source, COLOURS[len(self._sources) % len(COLOURS)])
        if not self._several and len(self._sources) == 1:
            print(line, flush=True)
            return
        name = f"\x1b[{colour}m{source}\x1b[0m" if self._coloured else source
        print(f"{name} | {line}", flush=True)
