"""Words and lines for people: plurals, durations, the nearest known word."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

Say = Callable[[str], None]
"""Reports in one line what is being done right now."""


def plural(number: int, noun: str) -> str:
    """1 node, 2 nodes."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def elapsed(seconds: float) -> str:
    """0.4 s, 12 s, 3 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def one_line(text: str) -> str:
    """The text with every run of white space, line breaks included, as one space, and nothing that moves a cursor."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(text.split()))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; None when nothing is close."""
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return close[0] if close else None
