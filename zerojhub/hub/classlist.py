"""A class list: the user names in a CSV file, as learning platforms and spreadsheets write it."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from zerojhub import files
from zerojhub.errors import UserError

COLUMNS = {
    "username": ("username", "user", "login", "loginid", "sisloginid"),
    "name": ("name",),
    "email": ("email", "emailaddress", "mail"),
}
"""Columns that may have the names, best first, each with its spellings; only their letters count."""


@dataclass(frozen=True)
class ClassList:
    """The names, without blanks and repetitions, and where they are from, as in "column email"."""

    names: list[str]
    source: str


def read(path: Path) -> ClassList:
    """The names in the file. UserError if it cannot be read, or nothing in it looks like user names."""
    rows = [row for row in _rows(path) if any(cell.strip() for cell in row)]
    if not rows:
        raise UserError("there are no names in it", where=str(path))
    titles = [re.sub(r"[^a-z]", "", title.lower()) for title in rows[0]]
    chosen = [titles.index(word) for words in COLUMNS.values() for word in words if word in titles]
    if not chosen:
        if max(map(len, rows)) > 1:
            raise UserError(
                "none of its columns is called username, name or email",
                where=f"{path}:1",
                hint=f"rename one of {', '.join(title.strip() for title in rows[0])}, or keep that column alone",
            )
        return _checked(path, _names(rows, 0), "its only column (no header)")
    # People's own names are not user names: another column has those.
    column = next((each for each in chosen if not any(" " in name for name in _names(rows[1:], each))), chosen[0])
    return _checked(path, _names(rows[1:], column), f"column {rows[0][column].strip()}")


def _checked(path: Path, names: list[str], source: str) -> ClassList:
    if not names:
        raise UserError(f"there are no names in {source}", where=str(path))
    if wrong := next((name for name in names if re.search(r"[\s\"{}]", name)), None):
        hint = "add a column username or email"
        raise UserError(f"{wrong!r} in {source} is not a user name", where=str(path), hint=hint)
    return ClassList(names, source)


def _rows(path: Path) -> list[list[str]]:
    try:
        text = files.read(path).decode("utf-8-sig")
    except OSError as error:
        raise UserError(str(error.strerror).lower(), where=str(path)) from None
    except UnicodeDecodeError:
        raise UserError("not UTF-8", where=str(path), hint="save it as CSV UTF-8") from None
    if "\0" in text:
        raise UserError("not a CSV file", where=str(path), hint="save it as CSV UTF-8")
    first = text.lstrip().partition("\n")[0].strip()
    delimiter = max(",;\t|", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        # Excel tells itself the delimiter like this.
        return [row for row in rows if not (rows.line_num == 1 and first == f"sep={delimiter}")]
    except csv.Error as error:
        raise UserError(f"not a CSV file: {error}", where=f"{path}:{rows.line_num}") from None


def _names(rows: list[list[str]], column: int) -> list[str]:
    cells = (row[column].strip() for row in rows if len(row) > column)
    return list(dict.fromkeys(cell for cell in cells if cell))
