"""What the program prints when a command fails or is interrupted, on standard error."""

from __future__ import annotations

import sys


def show_error(error: Exception) -> None:
    """An error, or several of them: one per line."""
    for line in str(error).splitlines():
        print(f"error: {line}", file=sys.stderr)


def show_stopped(text: str) -> None:
    """That the command was interrupted; the text says what that means."""
    print(f"stopped: {text}", file=sys.stderr)
