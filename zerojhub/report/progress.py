"""Live progress on standard error: which steps are running, for how long, and what each is doing.

On a terminal the running steps are redrawn in place below the finished ones. Elsewhere each step is one line when it ends,
one more whenever it reports something new after a quiet spell, and one for each fault that is retried. Rich honours NO_COLOR.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from zerojhub.report.plain import console
from zerojhub.text import elapsed, one_line

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

QUIET_SPELL = 10.0
"""Seconds between two lines about the same running step, where lines cannot be redrawn."""

OUTCOMES = {
    "done": ("✓", "green"),
    "there": ("·", "dim"),
    "failed": ("✗", "red"),
    "removed": ("✓", "green"),
    "kept": ("·", "dim"),
}
"""How a step can end, with the mark and its colour."""


@dataclass
class Step:
    """A running step."""

    name: str
    detail: str = ""
    started: float = field(default_factory=time.monotonic)
    last_line: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


class Progress:
    """The steps of one command; a context manager. `quiet` prints failures only, `verbose` everything a step reports."""

    _shown: ClassVar[Progress | None] = None

    def __init__(self, *, quiet: bool = False, verbose: bool = False):
        self.quiet, self.verbose = quiet, verbose
        self._live: Live | None = None
        self._running: dict[str, Step] = {}
        self._width = 12

    def __enter__(self) -> Progress:
        self._console = console(file=sys.stderr, highlight=False, soft_wrap=True)
        if self._console.is_terminal and not self.quiet:
            from rich.live import Live

            self._live = Live(
                console=self._console,
                refresh_per_second=8,
                transient=True,
                get_renderable=self._board,
                redirect_stdout=sys.stdout.isatty(),  # only then do printed lines and the steps share a screen
            )
            self._live.start()
        Progress._shown = self
        return self

    def __exit__(self, *_: object) -> None:
        Progress._shown = None
        if self._live:
            self._live.stop()

    def start(self, name: str, detail: str = "") -> None:
        self._running[name] = Step(name, detail)

    def say(self, name: str, detail: str) -> None:
        """Report what the step is doing now."""
        step = self._running.get(name)
        if step is None or step.detail == detail:
            return
        step.detail = detail
        if not self.quiet and (self.verbose or time.monotonic() - step.last_line >= QUIET_SPELL):
            self._print(step)

    def warn(self, name: str, detail: str) -> None:
        """Report a fault at once, even with `quiet`: it is why the step takes longer."""
        if step := self._running.get(name):
            step.detail = detail
            self._print(step)

    def _print(self, step: Step) -> None:
        """What the step is doing now, where it cannot be redrawn."""
        if not self._live:
            step.last_line = time.monotonic()
            self._line("…", "dim", step.name, step.seconds, step.detail)

    def end(self, name: str, outcome: str, detail: str = "") -> float:
        """The step has ended; `outcome` is one of OUTCOMES. Returns how many seconds it took."""
        step = self._running.pop(name)
        if not self.quiet or outcome == "failed":
            self._line(*OUTCOMES[outcome], name, step.seconds, detail)
        return step.seconds

    def note(self, text: str) -> None:
        """Print a line that belongs to no step, even with `quiet`."""
        self._console.print(text, markup=False)

    def _line(self, mark: str, style: str, name: str, seconds: float, detail: str) -> None:
        self._console.print(self._row(mark, style, name, seconds, detail))

    def _row(self, mark: str, style: str, name: str, seconds: float, detail: str) -> Text:
        from rich.text import Text

        return Text.assemble((mark, style), f" {name:<{self._width}} {elapsed(seconds):>7}  ", one_line(detail))

    def _board(self) -> Group:
        from rich.console import Group

        spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(time.monotonic() * 8) % 10]
        rows = [self._row(spinner, "cyan", step.name, step.seconds, step.detail) for step in self._running.values()]
        for row in rows:
            row.no_wrap, row.overflow = True, "ellipsis"
        return Group(*rows)


@contextmanager
def paused() -> Iterator[None]:
    """Within: the live progress, if there is one, does not redraw the terminal."""
    live = Progress._shown and Progress._shown._live
    if live:
        live.stop()
    try:
        yield
    finally:
        if live:
            live.start()
