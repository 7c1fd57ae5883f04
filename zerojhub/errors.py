"""Everything that can go wrong, as a small tree: each error is one line and one exit code.

A message says what is wrong, `where` says where (file:line, or an API's request id), `hint` says what to do.
The command line prints it once, at the root; nothing else catches it to print it.
"""


class ZeroJHubError(Exception):
    """What was asked for could not be done (exit code 1)."""

    exit_code = 1

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None):
        super().__init__(message)
        self.message, self.where, self.hint = message, where, hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class UserError(ZeroJHubError):
    """What the user gave is wrong, and nothing was created (exit code 2)."""

    exit_code = 2


class Problems(UserError):
    """Several mistakes found in one look, listed together (exit code 2)."""

    def __init__(self, problems: list[ZeroJHubError]):
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class CloudError(ZeroJHubError):
    """OpenStack refused or failed a request; `where` names the service and its request id (exit code 1)."""

    def __init__(self, message: str, *, status: int | None = None, **more: str | None):
        super().__init__(message, **more)
        self.status = status


class MachineError(ZeroJHubError):
    """A command on the master, or on this machine, failed (exit code 1)."""


class Interrupted(ZeroJHubError):
    """The person stopped the command; the message says what goes on without it (exit code 130)."""

    exit_code = 130
