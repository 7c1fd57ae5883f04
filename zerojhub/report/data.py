"""The volumes of users and of the hub: a table, a spreadsheet, and what became of one."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

from zerojhub.data.copy import Copied
from zerojhub.data.grow import Grown
from zerojhub.data.inventory import Item
from zerojhub.report.plain import print
from zerojhub.report.results import ListOutput, Output, show_line, show_list, table
from zerojhub.text import minute

COLUMNS = ("owner", "state", "size_gb", "used_gb", "last_used", "attached_to", "claim", "volume")


def show_items(items: Sequence[Item], output: ListOutput) -> None:
    """A line per volume, or per claim without one."""
    fields = [field.name for field in dataclasses.fields(Item)]
    rows = [
        dataclasses.asdict(each)
        | {
            "used_gb": None if each.used_bytes is None else f"{each.used_bytes / 2**30:.1f}",
            "last_used": each.last_used and minute(each.last_used),
        }
        for each in items
    ]
    show_list(items, fields, output, lambda: table(rows, COLUMNS, empty="no volumes"))


def show_doomed(items: Sequence[Item]) -> None:
    """What is about to be deleted, on standard error."""
    for each in items:
        size = f"{each.size_gb} GB" if each.size_gb else "no volume"
        names = [f"{kind} {name}" for kind, name in (("volume", each.volume), ("claim", each.claim)) if name]
        print("  ".join([each.owner, size, ", ".join(names), each.state]), file=sys.stderr)


def show_removed(user: str, items: Sequence[Item], output: Output) -> None:
    """That it is gone."""
    names = ", ".join(f"{each.volume or each.claim}" for each in items)
    gb = sum(each.size_gb or 0 for each in items)
    show_line({"user": user, "deleted": items}, output, f"deleted {names}, {gb} GB of {user}")


def show_adopted(volume: str, owner: str, problem: str | None, output: Output) -> None:
    """Whose it is now; `problem`: why they do not have it yet."""
    result = {"volume": volume, "owner": owner, "given_back": problem is None, "problem": problem}
    show_line(result, output, f"volume {volume} is {owner}'s" + (f"; {problem}" if problem else ""))


def show_grown(grown: Grown, output: Output) -> None:
    """How large it is now."""
    show_line(grown, output, f"claim {grown.claim}, {grown.size_gb} GB: {grown.outcome}")


def show_copied(copied: Copied, output: Output) -> None:
    """Where the files are now."""
    line = f"copied {copied.kilobytes / 1024:.0f} MB of {copied.source} to folder {copied.folder} of {copied.target}"
    show_line(copied, output, line)
