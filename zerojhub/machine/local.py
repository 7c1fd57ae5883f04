"""This machine, on which Helm runs on the API road."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import tempfile
from pathlib import Path

import anyio

from zerojhub.errors import CommandTimeout, MachineError
from zerojhub.machine import Result, failure
from zerojhub.masking import SECRET_NAME


def environment() -> dict[str, str]:
    """This program's environment for others that it runs: without the person's secrets, which are for OpenStack."""
    return {name: value for name, value in os.environ.items() if not SECRET_NAME.search(name)}


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
        repeatable: bool = False,
    ) -> Result:
        command = ["sudo", "-n", "--", *argv] if sudo and os.geteuid() else argv
        try:
            # In a session of its own, it can be ended together with its children.
            process = await anyio.open_process(command, env=environment(), start_new_session=True)
        except OSError as error:
            raise MachineError(f"{argv[0]}: {error.strerror}", where=self.name) from None
        try:
            with anyio.fail_after(timeout):
                result = await _converse(process, input or b"")
        except TimeoutError:
            raise CommandTimeout(
                f"{argv[0]} took more than {timeout:g} s and was terminated", where=self.name
            ) from None
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)
        if check and result.code:
            raise MachineError(f"{shlex.join(argv)}: {failure(result)}", where=self.name)
        return result

    async def read(self, path: str, *, sudo: bool = False) -> bytes:
        return (await self.run(["cat", "--", path], sudo=sudo)).stdout

    async def write(self, path: str, data: bytes, *, mode: int = 0o644, sudo: bool = False) -> None:
        # mkstemp creates it with mode 0600: nobody can read a secret before the file has its final mode.
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
        raise MachineError(f"{host}:{port} needs no forward from this machine", where=self.name)

    async def close(self) -> None:
        pass


async def _end(process: anyio.abc.Process) -> None:
    """Terminate the process and its children if they still run; gently first, so that they can clean up."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            with anyio.move_on_after(5):
                await process.wait()
            os.killpg(process.pid, signal.SIGKILL)
    await process.aclose()


async def _converse(process: anyio.abc.Process, input: bytes) -> Result:
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin and stdout and stderr  # open_process connects all three to pipes
    output, errors = bytearray(), bytearray()

    async def drain(stream: anyio.abc.ByteReceiveStream, into: bytearray) -> None:
        async for data in stream:
            into += data

    async def feed() -> None:
        # A command that exits without reading its input breaks the pipe; what counts is its exit code.
        with contextlib.suppress(anyio.BrokenResourceError):
            await stdin.send(input)
        await stdin.aclose()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drain, stdout, output)
        tasks.start_soon(drain, stderr, errors)
        tasks.start_soon(feed)
    return Result(await process.wait(), bytes(output), bytes(errors))
