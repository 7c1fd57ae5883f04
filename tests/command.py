"""Runs commands of zerojhub in this process, where starting takes no time."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest import mock

from zerojhub import cli


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.stderr.splitlines() if line.startswith("error:")]


def run(*command: str, code: int | None = None, stdin: str = "") -> Ended:
    """Run `zerojhub …` in the current directory, without a terminal, and hold it to its exit code where one is given."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["zerojhub", *command]),
        mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        try:
            cli.main()
        except SystemExit as left:
            ended = left.code
    assert isinstance(ended, int)
    assert code is None or ended == code, f"exit code {ended}\n{stdout.getvalue()}\n{stderr.getvalue()}"
    return Ended(ended, stdout.getvalue(), stderr.getvalue())
