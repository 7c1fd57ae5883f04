"""Results on standard output: text for people, JSON or YAML for programs."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from zerojhub.errors import UserError
from zerojhub.report.plain import print, print_data, print_foreign
from zerojhub.text import nearest, printable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Row = Mapping[str, object] | DataclassInstance
    """A row of a table: an API's object, or one of our dataclasses."""


FORMULA = re.compile(r"[=+\-@](?!\d*\.?\d*$)")
"""How text begins that a spreadsheet would compute. Numbers and a lone sign are none."""


class Output(StrEnum):
    """The output format (`-o`)."""

    table = "table"
    json = "json"
    yaml = "yaml"


class ListOutput(StrEnum):
    """The output format of a list that spreadsheets are made from."""

    table = "table"
    json = "json"
    yaml = "yaml"
    csv = "csv"


def show(result: object, output: Output, people: Callable[[], None]) -> None:
    """Print the result as JSON or YAML, or call `people` to print it as text.

    The result consists of mappings, sequences, dataclasses and scalars; anything else (paths, times) is printed as a string.
    """
    if output is Output.table:
        people()
        return
    text = json.dumps(result, indent=2, default=_plain)
    if output is Output.json:
        print_data(f"{text}\n")
    else:
        from zerojhub import yamlfile

        print_data(yamlfile.dump(json.loads(text)))


def show_line(result: object, output: Output, line: str) -> None:
    """The result, or as text one line."""
    show(result, output, lambda: print(line))


def show_table(rows: Sequence[Row], columns: Sequence[str], output: Output, *, empty: str = "none") -> None:
    """The rows in full, or as text a table with these columns (see `table`)."""
    show(rows, output, lambda: table(rows, columns, empty=empty))


@dataclass(frozen=True)
class Listing:
    """How a list is printed: with `-o` in which format, with `-c` which fields."""

    output: ListOutput = ListOutput.table
    columns: Sequence[str] = ()


def show_rows(rows: Sequence[Mapping[str, object]], columns: Sequence[str], listing: Listing) -> None:
    """The objects in full as JSON or YAML, and with these columns as text or CSV; or only the fields that were chosen.

    UserError for a field that none of them has.
    """
    known = dict.fromkeys([*columns, *(key for row in rows for key in row)])
    for name in listing.columns:
        if name not in known:
            meant = nearest(name, list(known))
            hint = f"did you mean {meant!r}?" if meant else f"fields: {', '.join(known)}"
            raise UserError(f"no field {name!r} in the list", where="-c", hint=hint)
    chosen = listing.columns or columns
    if listing.output is ListOutput.csv:
        _write_csv(chosen, ([row.get(name) for name in chosen] for row in rows))
        return
    shown = [{name: row.get(name) for name in chosen} for row in rows] if listing.columns else rows
    show(shown, Output(listing.output.value), lambda: table(rows, chosen))


def _write_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    lines = ([_csv_cell(cell) for cell in row] for row in rows)
    csv.writer(sys.stdout, lineterminator="\n").writerows([columns, *lines])


def _csv_cell(value: object) -> object:
    """Mappings and lists as JSON, which programs can read; text so that no spreadsheet takes it for a formula."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    if not isinstance(value, str):
        return value
    return f"'{printable(value)}" if FORMULA.match(value) else printable(value)


def show_list(
    rows: Sequence[DataclassInstance], fields: Sequence[str], output: ListOutput, people: Callable[[], None]
) -> None:
    """The rows as CSV with a column for each of the fields, or as `show` prints them."""
    if output is not ListOutput.csv:
        show(rows, Output(output.value), people)
        return
    _write_csv(fields, ([_cell(row, name) for name in fields] for row in rows))


def note(line: str) -> None:
    """A line for people that is not a result, such as the next step."""
    print(line)


def show_text(text: str) -> None:
    """What another program has written, such as a log."""
    print_foreign(text, end="")


def show_pem(pem: str, output: Output) -> None:
    """A certificate, as text the one that other programs read."""
    show({"pem": pem}, output, lambda: print_data(f"{pem.rstrip()}\n"))


def show_bytes(stdout: bytes, stderr: bytes) -> None:
    """What another program printed."""
    for stream, content in ((sys.stdout, stdout), (sys.stderr, stderr)):
        stream.buffer.write(content)
        stream.flush()


def show_done(item: Mapping[str, object], output: Output, what: str) -> None:
    """The item, or as text what was done: `what` is as in "created cluster"."""
    show_line(item, output, f"{what} {item['name']} ({item['uuid']})")


def show_deleted_ones(kind: str, items: Sequence[Mapping[str, object]], output: Output) -> None:
    """That they were deleted, a line each. As data a list, or one object for one of them."""
    lines = "\n".join(f"deleted {kind} {item['name']}" for item in items)
    show_line(one_or_all([{"deleted": item["uuid"]} for item in items]), output, lines)


def one_or_all(results: Sequence[object]) -> object:
    """The only result, or the list of them."""
    return results[0] if len(results) == 1 else results


def show_drift(drift: Sequence[str]) -> None:
    """On standard error, next to the answer: how what is running differs from the deployment file."""
    for line in drift:
        print(f"differs from the deployment: {line}", file=sys.stderr)


def show_fields(item: Mapping[str, object], output: Output) -> None:
    """One API object, as text with a line per field."""
    show(item, output, lambda: print_fields(item))


def print_fields(item: Mapping[str, object], *, leave_out: Sequence[str] = ()) -> None:
    """A table of the object's fields, without its links to itself."""
    rows = [{"field": key, "value": value} for key, value in item.items() if key not in ("links", *leave_out)]
    table(rows, ("field", "value"))


def table(rows: Sequence[Row], columns: Sequence[str], *, empty: str = "none") -> None:
    """Print rows as aligned columns without frames, which `cut`, `grep` and screen readers handle well.

    `empty` is printed if there are no rows. On a terminal each line is cut at its right edge.
    """
    if not rows:
        print(empty)
        return
    lines = [[column.upper() for column in columns]]
    lines += [[printable(_cell(row, column)) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    edge = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()[:edge])


def _cell(row: Row, column: str) -> str:
    value = row.get(column) if isinstance(row, Mapping) else getattr(row, column)
    return "" if value is None else str(value)


def _plain(value: object) -> Any:
    """What `json` asks for a value that it cannot encode."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return str(value)
