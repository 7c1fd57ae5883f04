"""Run a program on this machine; a failure becomes a one-line error."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import DEVNULL, PIPE

from zerojhub.practice.ground import GroundError


async def run(*argv: str, input: str | None = None, timeout: float = 30, check: bool = True) -> str:
    """Return the program's output. Raises GroundError if it fails (unless check=False) or after `timeout` seconds."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=PIPE if input is not None else DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(input.encode() if input is not None else None), timeout)
    except (TimeoutError, asyncio.CancelledError) as stop:
        with contextlib.suppress(ProcessLookupError):  # it may just have exited
            process.kill()
        await process.wait()
        if isinstance(stop, asyncio.CancelledError):
            raise
        raise GroundError(f"{' '.join(argv)}: no answer within {timeout:g} s") from None
    if check and process.returncode:
        said = (err or out).decode(errors="replace").strip().splitlines()
        raise GroundError(f"{' '.join(argv)}: {said[-1] if said else f'exit code {process.returncode}'}")
    return out.decode(errors="replace")
