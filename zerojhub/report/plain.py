"""Text for people's terminals, which nothing in it controls: names come from clouds, clusters, files and users."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from zerojhub.text import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment


def print(*words: object, end: str = "\n", file: TextIO | None = None, flush: bool = False) -> None:
    """As Python's own, which the modules of this package do not use."""
    builtins.print(*(printable(str(word), lines=True) for word in words), end=end, file=file, flush=flush)


def print_data(text: str) -> None:
    """Print text for programs, as it is."""
    builtins.print(text, end="")


def print_foreign(text: str, *, end: str = "\n", flush: bool = False) -> None:
    """Print what another program has written: as it is for a program, and for a terminal with its colours alone."""
    shown = printable(text, lines=True, colours=True) if sys.stdout.isatty() else text
    builtins.print(shown, end=end, flush=flush)


def console(**options: Any) -> Console:
    """A console of Rich's whose text controls nothing; the options are those of Rich."""
    return _console_class()(**options)


@cache
def _console_class() -> type[Console]:
    from rich.console import Console
    from rich.segment import Segment

    class PlainConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else printable(text, lines=True), style, control)

    return PlainConsole
