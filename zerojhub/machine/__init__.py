"""Where commands run: the master over SSH, or this machine. The two roads differ here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Result:
    """What a command answered."""

    code: int
    stdout: bytes
    stderr: bytes


class Machine(Protocol):
    """A Linux machine that commands are run on, as an argv list and never through a string-built shell.

    Every method raises MachineError: `run` for a non-zero exit code unless check=False, all of them when the machine
    cannot be reached. Times are seconds.
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
    ) -> Result: ...

    async def read(self, path: str, *, sudo: bool = False) -> bytes: ...

    async def write(self, path: str, data: bytes, *, mode: int = 0o644, sudo: bool = False) -> None: ...

    async def put(self, source: Path, path: str, *, mode: int = 0o644, sudo: bool = False) -> None:
        """Copy a file there (SFTP, over the connection there is)."""
        ...

    async def forward(self, host: str, port: int) -> int:
        """A port on this machine's loopback that reaches host:port as that machine sees it; lives as long as it."""
        ...

    async def close(self) -> None: ...
