"""Running a tool of the image build, with what it prints kept in a log."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from zerojhub.practice.ground import GroundError


def run(argv: list[str], log: Path, *, env: Mapping[str, str] | None = None, timeout: float = 600) -> None:
    """Run it, in seconds at most; raises GroundError with the last line it printed."""
    with log.open("a") as output:
        try:
            ended = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                timeout=timeout,
            )
        except FileNotFoundError:
            raise GroundError(f"{argv[0]} is not installed on this machine") from None
        except subprocess.TimeoutExpired:
            raise GroundError(f"{argv[0]} was not done after {timeout:.0f} s: see {log}") from None
    if ended.returncode:
        printed = log.read_text(errors="replace").strip().splitlines()
        raise GroundError(f"{argv[0]} failed: {printed[-1][:200] if printed else 'it printed nothing'} (see {log})")
