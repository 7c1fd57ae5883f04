"""The errors that users see: a small tree, each error one line with an exit code.

The message says what is wrong, `where` says where (file:line, a machine, an API's request ID), `hint` says what to do.
`details` are more lines, such as the end of a log; their leading spaces are kept.
Only the command line's entry point prints them.
"""

from __future__ import annotations

from collections.abc import Sequence


class ZeroJHubError(Exception):
    """The command failed (exit code 1)."""

    exit_code = 1

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None, details: Sequence[str] = ()):
        super().__init__(message)
        self.message, self.where, self.hint, self.details = message, where, hint, details

    @property
    def lines(self) -> list[str]:
        """`where: message`, and the details. `(hint)` is at the end of the last line."""
        lines = [f"{self.where}: {self.message}" if self.where else self.message, *self.details]
        return [*lines[:-1], f"{lines[-1]} ({self.hint})"] if self.hint else lines

    def __str__(self) -> str:
        return "\n".join(self.lines)


class UserError(ZeroJHubError):
    """The user's input is invalid; nothing was created (exit code 2)."""

    exit_code = 2


class Problems(UserError):
    """Several errors reported together, one per line (exit code 2)."""

    def __init__(self, problems: Sequence[ZeroJHubError]):
        self.problems: list[ZeroJHubError] = []
        for problem in problems:
            self.problems += problem.problems if isinstance(problem, Problems) else [problem]
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @property
    def lines(self) -> list[str]:
        return [line for problem in self.problems for line in problem.lines]


class CloudError(ZeroJHubError):
    """An OpenStack request failed or was refused (exit code 1).

    `status` is the HTTP status, None when there was no response; `where` names the service and the request ID.
    """

    def __init__(self, message: str, *, status: int | None = None, where: str | None = None, hint: str | None = None):
        super().__init__(message, where=where, hint=hint)
        self.status = status


class Unavailable(CloudError):
    """An OpenStack service kept failing: another attempt later may succeed (exit code 1)."""


class MachineError(ZeroJHubError):
    """A command failed on the master or on this machine (exit code 1)."""


class CommandTimeout(MachineError):
    """A command on the master or on this machine took too long, and was terminated (exit code 1)."""


class Interrupted(ZeroJHubError):
    """The user interrupted the command; the message says what keeps running (exit code 130)."""

    exit_code = 130
