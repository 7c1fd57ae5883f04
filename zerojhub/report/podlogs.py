"""Log lines of pods on standard output, each with the name of its pod if there are several."""

from __future__ import annotations

import os
import sys

COLOURS = (36, 33, 32, 35, 34, 31)
"""ANSI colour codes, in the order in which pods get them."""


class PodLog:
    """Prints lines as they come, prefixed with the pod's name if there are several; in colour on a terminal.

    `several`: several pods are expected, so even the first one is named.
    """

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
