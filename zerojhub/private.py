"""Files with secrets, which only their owner may read."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from zerojhub.errors import Problems, UserError, ZeroJHubError

VARIABLE = re.compile(r"(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)")


def read(path: Path) -> str:
    """The text of the file. UserError if it cannot be read, or if others can read it, too."""
    try:
        mode, text = path.stat().st_mode, path.read_text()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise UserError("is not text", where=str(path)) from None
    if mode & 0o077:
        raise UserError("others may read it", where=str(path), hint=f"chmod 600 {path.name}")
    return text


def variables(path: Path, prefixes: Collection[str], purpose: str) -> dict[str, str]:
    """The values in a file of lines `NAME=VALUE`, whose names begin with one of the prefixes. Problems with each other line.

    `purpose`: what the variables are for. Quotes around a value are not part of it.
    """
    found: dict[str, str] = {}
    problems: list[ZeroJHubError] = []
    for number, line in enumerate(read(path).splitlines(), 1):
        where, text = f"{path}:{number}", line.strip()
        if not text or text.startswith("#"):
            continue
        match = VARIABLE.fullmatch(text)
        if match is None:
            problems.append(UserError("is not of the form NAME=VALUE", where=where))
        elif not match[1].startswith(tuple(prefixes)):
            known = ", ".join(f"{each}…" for each in prefixes)
            problems.append(UserError(f"{match[1]} is no variable for {purpose}", where=where, hint=known))
        else:
            found[match[1]] = re.sub(r"""^(["'])(.*)\1$""", r"\2", match[2].strip())
    if problems:
        raise Problems(problems)
    return found
