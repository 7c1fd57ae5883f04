"""A machine over SSH: one connection with a pinned host key, which all commands share.

A connection that breaks is made again. What was under way on it is repeated if that has the same effect as doing it once, such
as a command that only reads, or copying a file; otherwise OutcomeUnknown says that somebody has to look. Either way, the
command does not go on over there: it is ended over the new connection first.
"""

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

from zerojhub import retry
from zerojhub.errors import CommandTimeout, MachineError
from zerojhub.machine import Result, failure
from zerojhub.machine.keys import PrivateKey
from zerojhub.machine.ssh_login import CONNECT, NoAnswer, Pins, Refused, log_in
from zerojhub.retry import Fault, Transient
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    import paramiko

    from zerojhub.machine.forward import Forward
    from zerojhub.text import Say

T = TypeVar("T")

GRACE = 15
"""Seconds for a refused login to be accepted after all: sshd starts before cloud-init has installed the user's keys."""
END = 'pkill -TERM -f "$1"; n=0; while pgrep -f "$1" >/dev/null && [ $n -lt 70 ]; do sleep 0.1; n=$((n+1)); done'
"""Terminates the commands that match a pattern, and waits until they have ended. timeout(1) kills them after five seconds."""
RECONNECT = 90
"""Seconds to make a connection again, and to end what was started on the one before."""
ENDING = 1.0
"""Seconds after the end of a channel in which the connection is found to have ended as well."""
SESSIONS = 8
"""Concurrent commands; OpenSSH's sshd allows 10 sessions per connection by default."""


class SSHMachine:
    """A machine over SSH. Created by `SSHMachine.connect`."""

    def __init__(
        self,
        log_in_once: Callable[[], paramiko.Transport],
        transport: paramiko.Transport,
        user: str,
        address: str,
        key: PrivateKey,
    ):
        self.name, self.user, self.key = f"{user}@{address}", user, key
        self._is_root = user == "root"
        self._log_in_once, self._transport = log_in_once, transport
        self._connecting = threading.Lock()
        self._closed = False
        self._left: list[list[str]] = []
        """What ends the commands that may still run although the connection they were started on broke."""
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
            return cls(log_in_once, transport, user, address, key)
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
        repeatable: bool = False,
    ) -> Result:
        started = time.monotonic()
        attempt = partial(self._run_once, argv, input, sudo, timeout)
        result = await retry.attempts(attempt, repeatable=repeatable)
        if result.code == -1:  # paramiko: there was no exit code
            raise MachineError(f"{argv[0]} was killed", where=self.name)
        if result.code == 124 and time.monotonic() - started >= timeout:
            raise CommandTimeout(f"{argv[0]} took more than {timeout:g} s and was terminated", where=self.name)
        if check and result.code:
            raise MachineError(f"{shlex.join(argv)}: {failure(result)}", where=self.name)
        return result

    async def _run_once(self, argv: list[str], input: bytes | None, sudo: bool, timeout: float) -> Result:
        """One attempt. Raises Transient when the connection breaks."""
        # timeout(1) on the machine ends the command even if the connection is gone by then; the fraction of its seconds
        # is a mark by which the command can be found.
        mark = f"{timeout:.0f}.{secrets.randbelow(10**9):09}"
        command = self._as_root(["timeout", "--kill-after=5", mark, *argv], sudo)
        async with self._sessions:
            channel = await self._open_session()
            transport = channel.get_transport()
            try:
                with anyio.fail_after(timeout + 2 * CONNECT):
                    result = await self._thread(partial(_converse, channel, shlex.join(command), input))
                if result.code == -1 and await self._thread(partial(_has_ended, transport)):
                    raise self._broken("the connection broke")
            except TimeoutError:
                transport.close()
                self._left_running(mark, sudo)
                raise self._broken("the connection is dead") from None
            except Transient:
                self._left_running(mark, sudo)
                raise
            except anyio.get_cancelled_exc_class():
                with (
                    anyio.CancelScope(shield=True),
                    anyio.move_on_after(CONNECT),
                    contextlib.suppress(Transient, MachineError),
                ):
                    await self._end(mark, sudo)
                raise
            finally:
                channel.close()
        return result

    def _as_root(self, argv: list[str], sudo: bool) -> list[str]:
        return ["sudo", "-n", "--", *argv] if sudo and not self._is_root else argv

    def _broken(self, why: str, *, nothing_done: bool = False) -> Transient:
        return Transient(Fault("SSH", why, nothing_done=nothing_done), MachineError(why, where=self.name))

    def _left_running(self, mark: str, sudo: bool) -> None:
        """Have the command be ended over the next connection."""
        self._left.append(self._as_root(["sh", "-c", END, "end", f"[t]imeout --kill-after=5 {mark}"], sudo))

    async def _end(self, mark: str, sudo: bool) -> None:
        """Terminate a command that nobody waits for any more; closing its channel does not."""
        kill = self._as_root(["pkill", "-TERM", "-f", f"timeout --kill-after=5 {mark}"], sudo)
        channel = await self._open_session()
        with contextlib.closing(channel):
            await self._thread(partial(_converse, channel, shlex.join(kill), None))

    async def read(self, path: str, *, sudo: bool = False) -> bytes:
        return (await self.run(["cat", "--", path], sudo=sudo, repeatable=True)).stdout

    async def write(self, path: str, data: bytes, *, mode: int = 0o644, sudo: bool = False) -> None:
        async with self._upload(partial(_send_bytes, data)) as there:
            await self._install(there, path, mode, sudo)

    async def put(self, source: Path, path: str, *, mode: int = 0o644, sudo: bool = False) -> None:
        async with self._upload(partial(_send_file, source)) as there:
            wanted = await anyio.to_thread.run_sync(_sha256, source)
            summed = await self.run(["sha256sum", "--", there], timeout=300, repeatable=True)
            arrived = summed.stdout.split()[0].decode()
            if arrived != wanted:
                raise MachineError(f"{source.name} was damaged on the way: its SHA-256 is {arrived}", where=self.name)
            await self._install(there, path, mode, sudo)

    async def forward(self, host: str, port: int) -> int:
        from zerojhub.machine.forward import Forward

        forward = Forward(self._connected, host, port)
        self._forwards.append(forward)
        await retry.attempts(partial(self._thread, forward.start), repeatable=True)
        return forward.port

    async def close(self) -> None:
        self._closed = True
        for forward in self._forwards:
            forward.stop()
        await anyio.to_thread.run_sync(self._transport.close)

    @contextlib.asynccontextmanager
    async def _upload(self, send: Callable[[paramiko.SFTPFile], None]) -> AsyncIterator[str]:
        """The path of a temporary file on the machine that only this user can read."""
        names: list[str] = []

        async def attempt() -> str:
            names.append(there := f"/tmp/.zerojhub-{secrets.token_hex(8)}")
            async with self._sessions:
                transport = await self._connection()
                try:
                    await self._thread(partial(_upload, transport, there, send))
                except OSError as error:
                    if await self._thread(partial(_has_ended, transport)):
                        raise self._broken("the connection broke") from None
                    raise MachineError(f"cannot upload the file: {error}", where=self.name) from None
            return there

        try:
            yield await retry.attempts(attempt, repeatable=True)
        finally:
            with (
                anyio.CancelScope(shield=True),
                anyio.move_on_after(CONNECT),
                contextlib.suppress(MachineError),
            ):
                await self.run(["rm", "-f", "--", *names], check=False, repeatable=True)

    async def _install(self, there: str, path: str, mode: int, sudo: bool) -> None:
        await self.run(["install", "-D", f"--mode={mode:o}", "--", there, path], sudo=sudo, repeatable=True)

    def _connected(self) -> paramiko.Transport:
        """The connection, made again if it broke; blocks. Raises Transient, or MachineError if there will be none."""
        with self._connecting:
            if self._transport.is_active() or self._closed:
                return self._transport
            try:
                transport = self._log_in_once()
            except NoAnswer as silence:
                raise self._broken(f"does not respond: {silence}", nothing_done=True) from None
            except Refused as refused:
                raise MachineError(str(refused), where=self.name, hint=refused.hint) from None
            while self._left:
                with contextlib.closing(transport.open_session(timeout=CONNECT)) as channel:
                    channel.exec_command(shlex.join(self._left[0]))
                    channel.status_event.wait(2 * CONNECT)
                del self._left[0]
            self._transport = transport
            return transport

    async def _connection(self) -> paramiko.Transport:
        """The connection, made again if it broke. Raises Transient, or MachineError if there will be none."""
        try:
            with anyio.fail_after(RECONNECT):
                return await self._thread(self._connected)
        except TimeoutError:
            raise self._broken("the connection is dead", nothing_done=True) from None

    async def _open_session(self) -> paramiko.Channel:
        transport = await self._connection()
        attempt = partial(self._thread, partial(_open_session, transport))
        try:
            return await wait_until(attempt, timeout=CONNECT, pause=(0.05, 0.5))
        except TimedOut as error:
            raise MachineError(f"the SSH connection failed: {error.reason}", where=self.name) from None
        except Transient as failed:
            raise self._broken(failed.error.message, nothing_done=True) from None

    async def _thread(self, function: Callable[[], T]) -> T:
        """Call the function in a thread. Raises Transient when the connection breaks."""
        import paramiko

        try:
            return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)
        except (paramiko.SSHException, EOFError, ConnectionError) as error:
            why = f"the SSH connection failed: {str(error) or 'closed'}"
            if isinstance(error, paramiko.ChannelException):  # over there, a port is closed or forwarding forbidden
                raise MachineError(why, where=self.name) from None
            raise self._broken(why) from None


def _has_ended(transport: paramiko.Transport) -> bool:
    """Whether the connection has ended. What used it ends first, so that this may take a moment."""
    transport.join(ENDING)
    return not transport.is_active()


def _open_session(transport: paramiko.Transport) -> paramiko.Channel | NotYet:
    import paramiko

    try:
        return transport.open_session(timeout=CONNECT)
    except paramiko.SSHException as error:
        if "Timeout" in str(error):  # nobody is there any more, as after a laptop has slept
            transport.close()
        if not transport.is_active():
            raise
        # Refused: sshd counts a session that has just ended until it has cleaned up after it.
        return NotYet(str(error))
    except OSError as error:  # what ended the connection
        raise paramiko.SSHException(str(error)) from error


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
