"""Reports on cron jobs: lists, schedules, and when each runs next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from zerojhub.report.plain import print
from zerojhub.report.results import Output, show, show_line, table
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.kube.crons import CronJobRow
    from zerojhub.kube.schedule import Schedule

COLUMNS = ("name", "schedule", "suspended", "active", "last_run", "last_state", "next_run", "words")
TIME = "%Y-%m-%d %H:%M %Z"


def show_crons(crons: Sequence[CronJobRow], output: Output) -> None:
    """The cron jobs with their last and next runs."""
    rows = [asdict(row) | {"suspended": "yes" if row.suspended else ""} for row in crons]
    show(crons, output, lambda: table(rows, COLUMNS, empty="no cron jobs"))


def show_created(name: str, namespace: str, schedule: Schedule, times: Sequence[datetime], output: Output) -> None:
    """The schedule in words, and its next times."""
    data = {
        "name": name,
        "namespace": namespace,
        "schedule": schedule.text,
        "words": schedule.words(),
        "clock": schedule.clock(),
        "next_runs": [each.isoformat() for each in times],
    }

    def people() -> None:
        print(f"created cron job {name}: {schedule.words()} ({schedule.clock()})")
        print("next runs: " + ", ".join(f"{each:{TIME}}" for each in times))

    show(data, output, people)


def show_suspended(name: str, namespace: str, next_run: datetime | None, output: Output, *, suspended: bool) -> None:
    """Whether the cron job is suspended now and, if it is not, when it runs next."""
    data = {"name": name, "namespace": namespace, "suspended": suspended, "next_run": next_run}
    after = f"; next: {next_run:{TIME}}" if next_run else ""
    show_line(data, output, f"{'suspended' if suspended else 'resumed'} cron job {name}{after}")


def show_deleted(name: str, namespace: str, jobs: Sequence[str], output: Output) -> None:
    """That the cron job was deleted, with these jobs."""
    line = f"deleted cron job {name}, its {plural(len(jobs), 'job')} and their pods"
    show_line({"deleted": name, "namespace": namespace, "jobs": jobs}, output, line)
