"""Reports on workshops and their exercises."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub.report.results import Output, note, show, table

if TYPE_CHECKING:
    from zerojhub.workshops.base import Outcome, Workshop


def show_workshops(workshops: Sequence[type[Workshop]], output: Output) -> None:
    """The workshops, with the minutes that each takes."""
    rows = [
        {"number": each.number, "title": each.title(), "minutes": each.minutes, "exercises": len(each.exercises)}
        for each in workshops
    ]
    show(rows, output, lambda: table(rows, ("number", "title", "minutes", "exercises")))


def show_started(workshop: type[Workshop], folder: Path) -> None:
    """Where the workshop's page and files are."""
    note(f"workshop {workshop.number}: {workshop.title()}. Files are in {folder.name}/")


def show_outcomes(outcomes: Sequence[Outcome], output: Output) -> None:
    """Which exercises are done, and why the others are not."""
    rows = [
        {
            "exercise": outcome.exercise,
            "state": "done" if outcome.done else "not yet",
            "what": outcome.what,
            "detail": outcome.detail,
        }
        for outcome in outcomes
    ]
    show(rows, output, lambda: table(rows, ("exercise", "state", "what", "detail")))
