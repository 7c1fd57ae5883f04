"""The live board of `status --watch`: the hub's URL, its stages, and the servers with their users, redrawn in place."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerojhub.report.plain import console, print
from zerojhub.report.results import Output
from zerojhub.report.stages import show_status
from zerojhub.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from zerojhub.cluster.survey import Pod, Server, Survey
    from zerojhub.graph import StageStatus

MARKS = {
    "found": ("✓", "green"),
    "missing": ("·", "yellow"),
    "waiting": ("·", "dim"),
    "wrong": ("✗", "red"),
    "failed": ("✗", "red"),
}
GOOD = ("Ready", "ACTIVE", "CREATE_COMPLETE", "UPDATE_COMPLETE", "Running")


@dataclass(frozen=True)
class Look:
    """What one look found. `drift`: how the deployment differs; `trouble`: why the next look failed, if it did."""

    statuses: Sequence[StageStatus]
    url: str | None
    survey: Survey | None
    drift: Sequence[str] = ()
    trouble: str = ""


class Board:
    """A board on standard output, which is a terminal. A context manager; the last state stays on the screen."""

    def __init__(self) -> None:
        from rich.live import Live

        self._live = Live(console=console(highlight=False), auto_refresh=False, vertical_overflow="ellipsis")

    def __enter__(self) -> Board:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, look: Look) -> None:
        """Redraw the board."""
        from rich.console import Group
        from rich.text import Text

        survey = look.survey
        parts: list[RenderableType] = [_head(survey), Text(), _stages(look.statuses)]
        if survey and survey.servers:
            parts += [Text(), _servers(survey.servers)]
        if survey and survey.waiting:
            parts += [Text(), Text.assemble(("waiting for a node  ", "dim"), _pods(survey.waiting))]
        if look.trouble:
            parts += [Text(), Text(look.trouble, style="red")]
        parts += [
            Text(),
            Text(f"{time.strftime('%H:%M:%S')} · Ctrl-C stops watching; the hub keeps running", style="dim"),
        ]
        self._live.update(Group(*parts), refresh=True)


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


def _head(survey: Survey | None) -> Text:
    from rich.text import Text

    if survey is None:
        return Text("no cluster yet", style="bold")
    color = "red" if survey.cluster_state.endswith("FAILED") else "green" if survey.cluster_state in GOOD else "yellow"
    return Text.assemble(
        (survey.url or f"{survey.name}: no URL yet", "bold"),
        f"   {plural(len(survey.users), 'user server')} running\n",
        (f"cluster {survey.cluster}", "dim"),
        f"  {survey.kubernetes or ''}  ",
        (survey.cluster_state, color),
    )


def _stages(statuses: Sequence[StageStatus]) -> Table:
    from rich.text import Text

    table = _columns(4)
    for status in statuses:
        mark, style = MARKS[status.state]
        cells = ((mark, style), (status.stage.name, ""), (status.state, style), (status.detail, "dim"))
        table.add_row(*(Text(*cell) for cell in cells))
    return table


def _servers(servers: Sequence[Server]) -> Table:
    from rich.text import Text

    table = _columns(6, wrap=True)
    table.add_row(*(Text(title, "dim") for title in ("", "SERVER", "STATE", "FLAVOR", "ADDRESS", "PODS")))
    for server in servers:
        style = "green" if server.state in GOOD else "yellow"
        mark = "▣" if server.role == "master" else "□"
        cells = ((mark, style), (server.name, ""), (server.state, style), (server.flavor or "", "dim"))
        table.add_row(*(Text(*cell) for cell in cells), Text(server.addresses, "dim"), _pods(server.pods))
    return table


def _columns(number: int, *, wrap: bool = False) -> Table:
    """Columns without frames; the last one is cut at the terminal's edge, or wrapped."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(number - 1):
        table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=not wrap, overflow="ellipsis", ratio=1)
    return table


def _pods(pods: Sequence[Pod]) -> Text:
    """Users by name, the hub's own pods by kind; those that are not running with their state."""
    from rich.text import Text

    words = Text()
    for pod in sorted(pods, key=lambda pod: (pod.user is not None, pod.user or pod.kind)):
        up = pod.state in GOOD
        words.append(pod.user or pod.kind, style="cyan" if pod.user else "bold")
        words.append("  " if up else f" ({pod.state.lower()})  ", style="" if up else "yellow")
    return words
