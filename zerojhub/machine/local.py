"""This machine, where commands run on the API road."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import tempfile
from pathlib import Path

import anyio

from zerojhub.errors import MachineError
from zerojhub.machine import Result


class LocalMachine:
    """The machine that this program runs on."""

    name = "this machine"

    async def run(
        self,
        argv: list[str],
        *,
        input: bytes | None = None,
        sudo: bool = False,
        timeout: float = 60,
        check: bool = True,
    ) -> Result:
        command = ["sudo", "-n", "--", *argv] if sudo and os.geteuid() else argv
        try:
            # In a session of its own, it ends with its children.
            process = await anyio.open_process(command, start_new_session=True)
        except OSError as error:
            raise MachineError(f"{argv[0]}: {error.strerror}", where=self.name) from None
        try:
            with anyio.fail_after(timeout):
                result = await _converse(process, input or b"")
        except TimeoutError:
            raise MachineError(f"{argv[0]} took more than {timeout:g} s and was ended", where=self.name) from None
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)
        if check and result.code:
            said = (result.stderr or result.stdout).decode(errors="replace").strip().splitlines()
            why = said[-1] if said else f"exit code {result.code}"
            raise MachineError(f"{shlex.join(argv)}: {why}", where=self.name)
        return result

    async def read(self, path: str, *, sudo: bool = False) -> bytes:
        return (await self.run(["cat", "--", path], sudo=sudo)).stdout

    async def write(self, path: str, data: bytes, *, mode: int = 0o644, sudo: bool = False) -> None:
        # mkstemp makes it 0600: nobody reads a secret between its being written and its getting its mode.
        handle, there = tempfile.mkstemp()
        try:
            with open(handle, "wb") as file:
                file.write(data)
            await self.put(Path(there), path, mode=mode, sudo=sudo)
        finally:
            os.unlink(there)

    async def put(self, source: Path, path: str, *, mode: int = 0o644, sudo: bool = False) -> None:
        await self.run(["install", "-D", f"--mode={mode:o}", "--", str(source), path], sudo=sudo, timeout=300)

    async def forward(self, host: str, port: int) -> int:
        if host in ("localhost", "127.0.0.1"):
            return port
        raise MachineError(f"{host}:{port} is reached from here as it is, without a forward", where=self.name)

    async def close(self) -> None:
        pass


async def _end(process: anyio.abc.Process) -> None:
    """End what still runs: asked to first, so that it can leave things in order."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            with anyio.move_on_after(5):
                await process.wait()
            os.killpg(process.pid, signal.SIGKILL)
    await process.aclose()


async def _converse(process: anyio.abc.Process, input: bytes) -> Result:
    output, errors = bytearray(), bytearray()

    async def drain(stream: anyio.abc.ByteReceiveStream, into: bytearray) -> None:
        async for data in stream:
            into += data

    async def feed() -> None:
        # A command that ends without reading its input breaks the pipe: its exit code tells, not this.
        with contextlib.suppress(anyio.BrokenResourceError):
            await process.stdin.send(input)
        await process.stdin.aclose()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drain, process.stdout, output)
        tasks.start_soon(drain, process.stderr, errors)
        tasks.start_soon(feed)
    return Result(await process.wait(), bytes(output), bytes(errors))
