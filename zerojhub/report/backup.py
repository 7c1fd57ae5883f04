"""Backups: how old they are, what is in them, and what became of restoring and checking them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from zerojhub.backup.installed import Snapshot, Verified
from zerojhub.backup.state import Status, elapsed_days
from zerojhub.report.plain import print
from zerojhub.report.results import ListOutput, Output, show, show_line, show_list, table
from zerojhub.text import minute, plural


def show_backup_status(found: Status, output: Output) -> None:
    """The age of everybody's last backup, and the next time."""

    def people() -> None:
        rows = [
            dataclasses.asdict(each)
            | {
                "last_good": minute(each.last_good) if each.last_good else "never",
                "age": None if each.age_seconds is None else elapsed_days(each.age_seconds),
                "mb": _megabytes(each.bytes),
                "new_mb": _megabytes(each.added),
                "problem": "; ".join(
                    filter(None, ["overdue" * each.overdue, "no volume" * (not each.claim), each.problem])
                ),
            }
            for each in found.owners
        ]
        table(rows, ("owner", "last_good", "age", "files", "mb", "new_mb", "problem"), empty="nobody has a backup yet")
        for problem in found.problems:
            print(f"warning: {problem}")
        print(f"to {found.to}: {found.line()}{', one is running' if found.running else ''}")

    show(found, output, people)


def show_snapshots(found: Sequence[Snapshot], output: ListOutput) -> None:
    """A line per backup."""
    rows = [
        dataclasses.asdict(each)
        | {"time": minute(each.time), "mb": _megabytes(each.bytes), "new_mb": _megabytes(each.added)}
        for each in found
    ]
    fields = [field.name for field in dataclasses.fields(Snapshot)]
    columns = ("owner", "time", "id", "files", "mb", "new_mb")
    show_list(found, fields, output, lambda: table(rows, columns, empty="no backups"))


@dataclasses.dataclass(frozen=True)
class FileRow:
    """A file in a backup."""

    path: str
    type: str
    bytes: int
    changed: str


def show_files(chosen: Mapping[str, Any], found: Sequence[Mapping[str, Any]], output: ListOutput) -> None:
    """A line per file."""
    rows = [FileRow(**each) for each in found]
    columns = [field.name for field in dataclasses.fields(FileRow)]

    def people() -> None:
        print(f"backup {chosen['id']} of {minute(chosen['time'])}")
        table(rows, columns, empty="no files")

    show_list(rows, columns, output, people)


def show_restored(user: str | None, found: Mapping[str, Any], output: Output) -> None:
    """What was restored, and where it is."""
    of = f"from backup {found['id']} of {minute(found['time'])}"
    if user is None:
        line = f"restored the hub's accounts {of}\nnext: zerojhub hub check"
    else:
        where = f"to folder {found['into']} of {user}" if found.get("into") else f"over what {user} had"
        size = f"{plural(found['files'], 'file')} ({found['bytes'] / 2**20:.1f} MB)"
        line = f"restored {size} {where}, {of}"
    show_line({"user": user, **found}, output, line)


def show_verified(found: Sequence[Verified], output: Output) -> None:
    """Whether the backups are good."""

    def people() -> None:
        rows = [dataclasses.asdict(each) | {"time": each.time and minute(each.time)} for each in found]
        table(rows, ("owner", "time", "read", "sample", "same", "problem"), empty="no backups")
        bad = [each.owner for each in found if each.problem]
        print(f"NOT GOOD: {', '.join(bad)}" if bad else f"good: the backups of {plural(len(found), 'owner')}")

    show(list(found), output, people)


def show_pruned(found: Sequence[Mapping[str, Any]], output: Output) -> None:
    """How many backups there are now."""
    show(list(found), output, lambda: table(found, ("owner", "before", "after"), empty="no backups"))


def _megabytes(number: int | None) -> str | None:
    return None if number is None else f"{number / 2**20:.1f}"
