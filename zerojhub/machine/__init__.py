"""Where commands run: on the master over SSH, or on this machine. The two roads differ only here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Result:
    """A finished command."""

    code: int
    stdout: bytes
    stderr: bytes


class Machine(Protocol):
    """A Linux machine that runs commands, given as argv lists and not as shell text.

    Every method raises MachineError: all of them when the machine cannot be reached, `run` also for a non-zero exit code
    (unless check=False) and for a command that takes longer than `timeout` seconds.

    `repeatable`: running the command twice has the same effect as running it once. It is run again if the connection breaks;
    any other then raises OutcomeUnknown, and has been ended.
    """

    name: str

    async def run(
        self,
        argv: list[str],
        *,
        input: bytes | None = None,
        sudo: bool = False,
        timeout: float = 60,
        check: bool = True,
        repeatable: bool = False,
    ) -> Result: ...

    async def read(self, path: str, *, sudo: bool = False) -> bytes: ...

    async def write(self, path: str, data: bytes, *, mode: int = 0o644, sudo: bool = False) -> None: ...

    async def put(self, source: Path, path: str, *, mode: int = 0o644, sudo: bool = False) -> None:
        """Copy a file to the machine."""
        ...

    async def forward(self, host: str, port: int) -> int:
        """A loopback port on this machine that leads to host:port as seen from that machine, until `close`."""
        ...

    async def close(self) -> None: ...


def failure(result: Result) -> str:
    """Why the command failed: the last line of its standard error (or output), else its exit code."""
    lines = (result.stderr or result.stdout).decode(errors="replace").strip().splitlines()
    if not lines:
        return f"exit code {result.code}"
    if "sudo: a password is required" in lines[-1]:
        return "sudo requires a password for this user"
    return lines[-1]
