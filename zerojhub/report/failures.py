"""What the program prints when a command fails, has to try again or is interrupted, on standard error."""

from __future__ import annotations

import sys

from zerojhub.errors import ZeroJHubError
from zerojhub.report.plain import print
from zerojhub.text import one_line


def show_error(error: ZeroJHubError) -> None:
    """An error, or several of them: one per line, whatever a service or a file has put into its text."""
    for line in error.lines:
        indent = " " * (len(line) - len(line.lstrip(" ")))
        print(f"error: {indent}{one_line(line)}", file=sys.stderr)


def show_traceback(text: str) -> None:
    """A traceback, for -v."""
    print(text, end="", file=sys.stderr)


def show_fault(text: str) -> None:
    """A fault that is retried, in a command without progress."""
    print(text, file=sys.stderr)


def show_note(text: str) -> None:
    """Something that the user should know, in a command that reports one step only."""
    print(text, file=sys.stderr)


def show_stopped(text: str) -> None:
    """That the command was interrupted; the text says what that means."""
    print(f"stopped: {text}", file=sys.stderr)
