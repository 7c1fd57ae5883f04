"""A machine over SSH: one connection, its host key pinned, on which everything runs at once."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import shlex
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from zerojhub.errors import MachineError
from zerojhub.machine import Result
from zerojhub.machine.ssh_login import CONNECT, NoAnswer, Pins, Refused, log_in

if TYPE_CHECKING:
    import paramiko

    from zerojhub.machine.forward import Forward

GRACE = 15
"""Seconds for a refused login to be accepted after all: sshd answers before cloud-init has brought the user's keys."""
SESSIONS = 8
"""Commands at once; OpenSSH's sshd takes 10 sessions on a connection unless told otherwise."""


class SSHMachine:
    """A machine that is reached over SSH. Made by `SSHMachine.connect`."""

    def __init__(self, transport: paramiko.Transport, user: str, address: str):
        self.name = f"{user}@{address}"
        self._is_root = user == "root"
        self._transport = transport
        self._sessions = anyio.Semaphore(SESSIONS)
        self._forwards: list[Forward] = []

    @classmethod
    async def connect(
        cls,
        address: str,
        user: str,
        *,
        host_keys: list[str],
        key_files: list[Path] | None = None,
        port: int = 22,
        timeout: float = 120,
        forget: str = "from where it is kept",
        say: Callable[[str], None] = lambda text: None,
    ) -> SSHMachine:
        """Log in with the key files and the agent's keys, trying for `timeout` seconds while the machine comes up.

        `host_keys` are what the server may identify itself with: OpenSSH public key lines or `SHA256:…` fingerprints;
        `forget` is how a person removes them.
        Raises MachineError: no answer in time, another host key than those, or none of the keys is accepted.
        """
        name = f"{user}@{address}"
        attempt = partial(log_in, address, port, user, Pins.of(host_keys), key_files or [], forget)
        deadline, refused_since = time.monotonic() + timeout, None
        while True:
            try:
                transport = await anyio.to_thread.run_sync(attempt)
                return cls(transport, user, address)
            except Refused as error:
                refused_since = refused_since or time.monotonic()
                if time.monotonic() > min(deadline, refused_since + GRACE):
                    raise MachineError(str(error), where=name, hint=error.hint) from None
                say(f"{name}: {error}")
            except NoAnswer as error:
                if time.monotonic() > deadline:
                    hint = f"is port {port} open to this machine in the security group?"
                    raise MachineError(f"SSH does not answer: {error}", where=name, hint=hint) from None
                say(f"waiting for SSH of {address}: {error}")
            await anyio.sleep(1)

    @property
    def host_key(self) -> str:
        """What the server identified itself with, as an OpenSSH public key line."""
        key = self._transport.get_remote_server_key()
        return f"{key.get_name()} {key.get_base64()}"

    async def run(
        self,
        argv: list[str],
        *,
        input: bytes | None = None,
        sudo: bool = False,
        timeout: float = 60,
        check: bool = True,
    ) -> Result:
        # The far side's own timeout ends the command even when this connection is gone by then; the fraction of its
        # seconds is a mark to find it by.
        mark = f"{timeout:.0f}.{secrets.randbelow(10**9):09}"
        command = ["timeout", "--kill-after=5", mark, *argv]
        if sudo and not self._is_root:
            command = ["sudo", "-n", "--", *command]
        started = time.monotonic()
        async with self._sessions:
            channel = await self._thread(partial(self._transport.open_session, timeout=CONNECT))
            try:
                with anyio.fail_after(timeout + 2 * CONNECT):
                    result = await self._thread(partial(_converse, channel, shlex.join(command), input))
            except TimeoutError:
                raise MachineError("the connection is dead", where=self.name) from None
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True), anyio.move_on_after(CONNECT):
                    await self._end(mark, sudo)
                raise
            finally:
                channel.close()
        if result.code == -1:  # paramiko's word for no exit code
            raise MachineError(f"{argv[0]} was killed there, or the connection broke", where=self.name)
        if result.code == 124 and time.monotonic() - started >= timeout:
            raise MachineError(f"{argv[0]} took more than {timeout:g} s and was ended", where=self.name)
        if check and result.code:
            raise MachineError(f"{shlex.join(argv)}: {_why(result)}", where=self.name)
        return result

    async def _end(self, mark: str, sudo: bool) -> None:
        """End a command that nobody waits for any more: closing its channel does not."""
        kill = ["pkill", "-TERM", "-f", f"timeout --kill-after=5 {mark}"]
        if sudo and not self._is_root:
            kill = ["sudo", "-n", "--", *kill]
        channel = await self._thread(partial(self._transport.open_session, timeout=CONNECT))
        with contextlib.closing(channel):
            await self._thread(partial(_converse, channel, shlex.join(kill), None))

    async def read(self, path: str, *, sudo: bool = False) -> bytes:
        return (await self.run(["cat", "--", path], sudo=sudo)).stdout

    async def write(self, path: str, data: bytes, *, mode: int = 0o644, sudo: bool = False) -> None:
        async with self._upload(partial(_send_bytes, data)) as there:
            await self._install(there, path, mode, sudo)

    async def put(self, source: Path, path: str, *, mode: int = 0o644, sudo: bool = False) -> None:
        async with self._upload(partial(_send_file, source)) as there:
            wanted = await anyio.to_thread.run_sync(_sha256, source)
            arrived = (await self.run(["sha256sum", "--", there], timeout=300)).stdout.split()[0].decode()
            if arrived != wanted:
                raise MachineError(f"{source.name} arrived damaged: its SHA-256 is {arrived}", where=self.name)
            await self._install(there, path, mode, sudo)

    async def forward(self, host: str, port: int) -> int:
        from zerojhub.machine.forward import Forward

        forward = Forward(self._transport, host, port)
        self._forwards.append(forward)
        await self._thread(forward.start)
        return forward.port

    async def close(self) -> None:
        for forward in self._forwards:
            forward.stop()
        await anyio.to_thread.run_sync(self._transport.close)

    @contextlib.asynccontextmanager
    async def _upload(self, send: Callable[[paramiko.SFTPFile], None]):
        """The path of a file over there that only this user can read, for as long as it is being installed."""
        there = f"/tmp/.zerojhub-{secrets.token_hex(8)}"
        async with self._sessions:
            try:
                await self._thread(partial(_upload, self._transport, there, send))
            except OSError as error:
                raise MachineError(f"the file could not be sent: {error}", where=self.name) from None
        try:
            yield there
        finally:
            with anyio.CancelScope(shield=True):
                await self.run(["rm", "-f", "--", there], check=False)

    async def _install(self, there: str, path: str, mode: int, sudo: bool) -> None:
        await self.run(["install", "-D", f"--mode={mode:o}", "--", there, path], sudo=sudo)

    async def _thread(self, function):
        import paramiko

        try:
            return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)
        except (paramiko.SSHException, EOFError) as error:
            raise MachineError(f"the SSH connection failed: {error or 'closed'}", where=self.name) from None


def _converse(channel: paramiko.Channel, command: str, input: bytes | None) -> Result:
    """Run the command: all three streams flow at once, as either side may wait for the other."""
    errors: list[bytes] = []
    channel.exec_command(command)
    helpers = [
        threading.Thread(target=_drain, args=(channel.recv_stderr, errors), daemon=True),
        threading.Thread(target=_feed, args=(channel, input or b""), daemon=True),
    ]
    for helper in helpers:
        helper.start()
    output: list[bytes] = []
    _drain(channel.recv, output)
    helpers[0].join()
    return Result(channel.recv_exit_status(), b"".join(output), b"".join(errors))


def _drain(receive: Callable[[int], bytes], into: list[bytes]) -> None:
    while data := receive(1 << 17):
        into.append(data)


def _feed(channel: paramiko.Channel, data: bytes) -> None:
    # A command that ends without reading its input closes the channel: its exit code tells, not this.
    with contextlib.suppress(OSError, EOFError):
        channel.sendall(data)
        channel.shutdown_write()


def _upload(transport: paramiko.Transport, there: str, send: Callable[[paramiko.SFTPFile], None]) -> None:
    with transport.open_sftp_client() as sftp, sftp.open(there, "wbx") as file:
        file.chmod(0o600)
        file.set_pipelined(True)
        send(file)


def _send_bytes(data: bytes, file: paramiko.SFTPFile) -> None:
    file.write(data)


def _send_file(source: Path, file: paramiko.SFTPFile) -> None:
    with source.open("rb") as local:
        while block := local.read(1 << 18):
            file.write(block)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _why(result: Result) -> str:
    said = (result.stderr or result.stdout).decode(errors="replace").strip().splitlines()
    if not said:
        return f"exit code {result.code}"
    if "sudo: a password is required" in said[-1]:
        return "the user may not use sudo without a password there"
    return said[-1]
