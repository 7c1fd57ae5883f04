"""Results, on standard output: a table for people, JSON or YAML for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any


class Output(StrEnum):
    """How results are printed (`-o`)."""

    table = "table"
    json = "json"
    yaml = "yaml"


def show(data: Any, output: Output, people: Callable[[], None]) -> None:
    """Print `data` as JSON or YAML, or let `people` print it for a person."""
    if output is Output.json:
        print(json.dumps(data, indent=2, default=str))
    elif output is Output.yaml:
        from ruamel.yaml import YAML

        yaml = YAML(typ="safe")
        yaml.default_flow_style = False
        yaml.dump(json.loads(json.dumps(data, default=str)), sys.stdout)
    else:
        people()


def show_done(item: dict[str, Any], output: Output, what: str) -> None:
    """The item, or for people what was done to it: `what` is as in "made cluster"."""
    show(item, output, lambda: print(f"{what} {item['name']} ({item['uuid']})"))


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, empty: str = "none") -> None:
    """Rows as a plain aligned table: no frames, so that `cut`, `grep` and screen readers get on with it.

    On a terminal the last column is cut at its right edge; in a pipe nothing is.
    """
    if not rows:
        print(empty)
        return
    import shutil

    lines = [[column.upper() for column in columns]]
    lines += [["" if row.get(column) is None else str(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    edge = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()[:edge])
