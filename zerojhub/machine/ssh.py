"""A machine over SSH: one connection with a pinned host key, which all commands share."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import shlex
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from zerojhub.errors import CommandTimeout, MachineError
from zerojhub.machine import Result, failure
from zerojhub.machine.keys import PrivateKey
from zerojhub.machine.ssh_login import CONNECT, NoAnswer, Pins, Refused, log_in
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    import paramiko

    from zerojhub.machine.forward import Forward
    from zerojhub.text import Say

T = TypeVar("T")

GRACE = 15
"""Seconds for a refused login to be accepted after all: sshd starts before cloud-init has installed the user's keys."""
SESSIONS = 8
"""Concurrent commands; OpenSSH's sshd allows 10 sessions per connection by default."""


class SSHMachine:
    """A machine over SSH. Created by `SSHMachine.connect`."""

    def __init__(self, transport: paramiko.Transport, user: str, address: str, key: PrivateKey):
        self.name, self.user, self.key = f"{user}@{address}", user, key
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
        key: PrivateKey,
        port: int = 22,
        timeout: float = 120,
        forget: str = "from where it is kept",
        say: Say | None = None,
    ) -> SSHMachine:
        """Log in with the key, retrying for `timeout` seconds while the machine boots.

        `host_keys`: the server must have one of these OpenSSH public key lines or `SHA256:…` fingerprints; `forget` is
        the command that removes them, for the error's hint.
        Raises MachineError if SSH does not respond in time, the host key is another one, or the key is not accepted.
        """
        name = f"{user}@{address}"
        log_in_once = partial(log_in, address, port, user, Pins.of(host_keys), key, forget)
        refused_since: float | None = None
        error = MachineError("")

        async def attempt() -> paramiko.Transport | NotYet:
            nonlocal refused_since, error
            try:
                return await anyio.to_thread.run_sync(log_in_once)
            except Refused as refused:
                refused_since = refused_since or time.monotonic()
                error = MachineError(str(refused), where=name, hint=refused.hint)
                if time.monotonic() > refused_since + GRACE:
                    raise error from None
                return NotYet(f"{name}: {refused}")
            except NoAnswer as silence:
                hint = f"is port {port} open to this machine in the security group?"
                error = MachineError(f"SSH does not respond: {silence}", where=name, hint=hint)
                return NotYet(f"waiting for SSH on {address}: {silence}")

        try:
            transport = await wait_until(attempt, timeout=timeout, pause=(1, 1), say=say)
            return cls(transport, user, address, key)
        except TimedOut:
            raise error from None

    @property
    def host_key(self) -> str:
        """The server's host key, as an OpenSSH public key line."""
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
        # timeout(1) on the machine ends the command even if the connection is gone by then; the fraction of its seconds
        # is a mark by which the command can be found.
        mark = f"{timeout:.0f}.{secrets.randbelow(10**9):09}"
        command = ["timeout", "--kill-after=5", mark, *argv]
        if sudo and not self._is_root:
            command = ["sudo", "-n", "--", *command]
        started = time.monotonic()
        async with self._sessions:
            channel = await self._open_session()
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
        if result.code == -1:  # paramiko: there was no exit code
            raise MachineError(f"{argv[0]} was killed, or the connection broke", where=self.name)
        if result.code == 124 and time.monotonic() - started >= timeout:
            raise CommandTimeout(f"{argv[0]} took more than {timeout:g} s and was terminated", where=self.name)
        if check and result.code:
            raise MachineError(f"{shlex.join(argv)}: {failure(result)}", where=self.name)
        return result

    async def _end(self, mark: str, sudo: bool) -> None:
        """Terminate a command that nobody waits for any more; closing its channel does not."""
        kill = ["pkill", "-TERM", "-f", f"timeout --kill-after=5 {mark}"]
        if sudo and not self._is_root:
            kill = ["sudo", "-n", "--", *kill]
        channel = await self._open_session()
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
                raise MachineError(f"{source.name} was damaged on the way: its SHA-256 is {arrived}", where=self.name)
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
    async def _upload(self, send: Callable[[paramiko.SFTPFile], None]) -> AsyncIterator[str]:
        """The path of a temporary file on the machine that only this user can read."""
        there = f"/tmp/.zerojhub-{secrets.token_hex(8)}"
        async with self._sessions:
            try:
                await self._thread(partial(_upload, self._transport, there, send))
            except OSError as error:
                raise MachineError(f"cannot upload the file: {error}", where=self.name) from None
        try:
            yield there
        finally:
            with anyio.CancelScope(shield=True):
                await self.run(["rm", "-f", "--", there], check=False)

    async def _install(self, there: str, path: str, mode: int, sudo: bool) -> None:
        await self.run(["install", "-D", f"--mode={mode:o}", "--", there, path], sudo=sudo)

    async def _open_session(self) -> paramiko.Channel:
        attempt = partial(self._thread, partial(_open_session, self._transport))
        try:
            return await wait_until(attempt, timeout=CONNECT, pause=(0.05, 0.5))
        except TimedOut as error:
            raise MachineError(f"the SSH connection failed: {error.reason}", where=self.name) from None

    async def _thread(self, function: Callable[[], T]) -> T:
        import paramiko

        try:
            return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)
        except (paramiko.SSHException, EOFError) as error:
            raise MachineError(f"the SSH connection failed: {str(error) or 'closed'}", where=self.name) from None


def _open_session(transport: paramiko.Transport) -> paramiko.Channel | NotYet:
    import paramiko

    try:
        return transport.open_session(timeout=CONNECT)
    except paramiko.SSHException as error:
        if not transport.is_active():
            raise
        # Refused: sshd counts a session that has just ended until it has cleaned up after it.
        return NotYet(str(error))


def _converse(channel: paramiko.Channel, command: str, input: bytes | None) -> Result:
    """Run the command. All three streams flow concurrently, as either side may wait for the other."""
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
    # A command that exits without reading its input closes the channel; what counts is its exit code.
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
