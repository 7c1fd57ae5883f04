"""Both kinds of machine; SSH uses a real OpenSSH server on loopback."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko import SFTPFile

from tests.unit.sshagent import ssh_agent
from tests.waiting import until
from zerojhub import retry
from zerojhub.cluster import reach, ssh
from zerojhub.deployment import Deployment
from zerojhub.errors import MachineError, UserError
from zerojhub.kube.reach import Reach
from zerojhub.machine import keyfiles, keys
from zerojhub.machine.keyfiles import openssh_format
from zerojhub.machine.local import LocalMachine
from zerojhub.machine.ssh import SSHMachine
from zerojhub.retry import OutcomeUnknown
from zerojhub.run import Run, Silent
from zerojhub.tasks import task_group

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.machine.keyfiles import Loaded

T = TypeVar("T")

USER = getpass.getuser()
BIG = os.urandom(10_000_000)


class Sshd:
    def __init__(self, folder: Path):
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        for name in ("host", "user", "other"):
            subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "authorized").write_text((folder / "user.pub").read_text())
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
            f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "Subsystem sftp internal-sftp\n"
        )
        self.host_key = (folder / "host.pub").read_text()
        self.process: subprocess.Popen | None = None

    def start(self) -> Sshd:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", self.folder / "sshd_config"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        return self

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)

    async def connect(self, key: str = "user", host_key: str | None = None, timeout: float = 10) -> SSHMachine:
        return await SSHMachine.connect(
            "127.0.0.1", USER, port=self.port, key=keys.usable(keyfiles.read(self.folder / key), lambda question: None),
            host_keys=[host_key or self.host_key], timeout=timeout,
        )  # fmt: skip


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    server = Sshd(tmp_path_factory.mktemp("sshd")).start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def no_agent(monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def on_ssh(sshd, function):
    async def main():
        machine = await sshd.connect()
        try:
            return await function(machine)
        finally:
            await machine.close()

    return anyio.run(main)


@pytest.fixture(params=[pytest.param("ssh", marks=pytest.mark.host), "local"])
def use(request):
    """Runs an async function with each kind of machine: both must behave alike."""
    if request.param == "local":
        return lambda function: anyio.run(function, LocalMachine())
    return partial(on_ssh, request.getfixturevalue("sshd"))


def test_words_arrive_as_they_are(use):
    words = [
        "a b",
        "$HOME",
        "$(id)",
        "`id`",
        "; id",
        "&& id",
        "> id",
        "'",
        '"',
        "*",
        "a\nb",
        "\\",
        "",
        "-n",
        "{{ .Values }}",
        "ünï",
    ]
    result = use(lambda machine: machine.run(["printf", "%s|", *words]))
    assert result.stdout.decode() == "|".join(words) + "|"


def test_other_programs_get_no_secrets_of_the_environment(monkeypatch):
    for name in ("OS_PASSWORD", "OS_APPLICATION_CREDENTIAL_SECRET", "OS_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_API_KEY"):
        monkeypatch.setenv(name, "Zq7-unguessable")
    monkeypatch.setenv("OS_CLOUD", "mine")
    given = anyio.run(LocalMachine().run, ["env"]).stdout.decode()
    assert "Zq7" not in given
    assert {f"PATH={os.environ['PATH']}", "OS_CLOUD=mine"} <= set(given.splitlines())


def test_ten_megabytes_go_both_ways_at_once(use):
    result = use(lambda machine: machine.run(["tee", "/dev/stderr"], input=BIG))
    assert result.stdout == BIG
    assert result.stderr == BIG


def test_a_command_that_ignores_its_input_still_ends(use):
    assert use(lambda machine: machine.run(["true"], input=BIG)).code == 0


def test_no_input_is_an_empty_input(use):
    assert use(lambda machine: machine.run(["cat"], timeout=5)).stdout == b""


def test_a_failing_command_says_where_and_why(use):
    with pytest.raises(MachineError, match=r"(?s)ls.*No such file") as caught:
        use(lambda machine: machine.run(["ls", "/not there"]))
    assert caught.value.where
    assert use(lambda machine: machine.run(["sh", "-c", "exit 7"], check=False)).code == 7


def test_a_program_that_is_not_there(use):
    with pytest.raises(MachineError, match="no-such-program"):
        use(lambda machine: machine.run(["no-such-program"]))


def test_a_late_command_is_ended_with_its_children(use, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    started = time.monotonic()
    with pytest.raises(MachineError, match="took more than 1 s"):
        use(lambda machine: machine.run(["sh", "-c", f"exec 3>{pipe}; sleep 1000 & wait"], timeout=1))
    assert time.monotonic() - started < 30

    def still_open() -> bool:
        """Whether any of them has the pipe open."""
        try:
            return os.read(reader, 1) != b""
        except BlockingIOError:
            return True

    until(lambda: not still_open(), pause=0.05)
    os.close(reader)


def test_a_cancelled_command_is_asked_to_end_and_may_tidy_up(use, tmp_path):
    # A shell may miss a signal that comes between starting a program and waiting for it.
    script = f"""
import pathlib, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
pathlib.Path({str(tmp_path / "started")!r}).touch()
signal.sigwait([signal.SIGTERM])
pathlib.Path({str(tmp_path / "tidied")!r}).touch()
"""

    async def cancel(machine):
        with anyio.move_on_after(10) as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(machine.run, [sys.executable, "-c", script], timeout=60))
                while not (tmp_path / "started").exists():
                    await anyio.sleep(0.05)
                tasks.cancel_scope.cancel()
        assert not scope.cancelled_caught

    use(cancel)
    until((tmp_path / "tidied").exists, pause=0.05)


def test_commands_run_at_once(use, tmp_path):
    together = f"touch {tmp_path}/$1; until [ $(ls {tmp_path} | wc -l) -ge 4 ]; do sleep 0.05; done"

    async def many(machine):
        async with anyio.create_task_group() as tasks:
            for number in range(12):
                tasks.start_soon(partial(machine.run, ["sh", "-c", together, "sh", str(number)]))

    use(many)
    assert len(list(tmp_path.iterdir())) == 12


def test_files_go_and_come_with_their_mode(use, tmp_path):
    source, there = tmp_path / "program", tmp_path / "new" / "program"
    source.write_bytes(BIG)

    async def copy(machine):
        await machine.put(source, str(there), mode=0o755)
        await machine.write(str(tmp_path / "secret"), b"s", mode=0o600, sudo=os.geteuid() == 0)
        return await machine.read(str(there))

    assert hashlib.sha256(use(copy)).digest() == hashlib.sha256(BIG).digest()
    assert there.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_of_a_copy(sshd, tmp_path, monkeypatch):
    mark = secrets.token_hex(8)
    monkeypatch.setattr("secrets.token_hex", lambda size: mark)
    on_ssh(sshd, lambda machine: machine.write(str(tmp_path / "f"), b"x"))
    assert (tmp_path / "f").read_bytes() == b"x"
    assert [path for path in Path("/tmp").iterdir() if mark in path.name] == []


def test_a_forward_reaches_a_server_over_there_and_ends(sshd, tmp_path):
    (tmp_path / "page").write_bytes(BIG)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", tmp_path],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    ports = []

    def get(near):
        for _ in range(50):
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{near}/page", timeout=10).read()
            except OSError:
                time.sleep(0.1)

    async def through(machine):
        ports.append(await machine.forward("127.0.0.1", port))
        return await anyio.to_thread.run_sync(get, ports[0])

    async def wait_for_server():
        await anyio.to_thread.run_sync(get, port)

    try:
        anyio.run(wait_for_server)
        assert on_ssh(sshd, through) == BIG
    finally:
        server.kill()
        server.wait()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[0]), timeout=2)


def test_an_open_connection_through_a_forward_ends_in_silence(sshd, monkeypatch):
    failed = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: failed.append(failure.exc_type))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        async def hold(machine):
            near = socket.create_connection(("127.0.0.1", await machine.forward("127.0.0.1", port)), timeout=5)
            await anyio.sleep(0.3)
            return near

        with on_ssh(sshd, hold) as near:
            assert near.recv(1) == b""
        time.sleep(0.3)
    assert failed == []


def test_a_forward_to_a_closed_port_fails_at_once(sshd):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(MachineError, match="SSH connection failed"):
        on_ssh(sshd, lambda machine: machine.forward("127.0.0.1", port))


def sessions(server: int) -> list[int]:
    """The sshd processes below the server: how many there are for one connection depends on OpenSSH's version."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    found = [server]
    for parent in found:
        found += [int(pid) for pid, above, name in rows if int(above) == parent and name.startswith("sshd")]
    return found[1:]


def cut(server: Sshd) -> None:
    """End the connections, as a network does."""
    assert server.process
    for session in sessions(server.process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(session, signal.SIGKILL)


async def cut_once(server: Sshd, when: Callable[[], bool]) -> None:
    """End the connections as soon as something has happened."""
    while not when():
        await anyio.sleep(0.01)
    cut(server)


def over_broken(server: Sshd, work: Callable[[SSHMachine], Awaitable[T]], when: Callable[[], bool]) -> T:
    """What the work returns, while its connection is ended once."""

    async def main() -> T:
        machine = await server.connect()
        try:
            async with task_group() as tasks:
                tasks.start_soon(cut_once, server, when)
                result = await work(machine)
                tasks.cancel_scope.cancel()
            return result
        finally:
            await machine.close()

    return anyio.run(main)


COUNTED = """
echo began >> "$1"
[ "$(wc -l < "$1")" -gt 1 ] || sleep 30
echo ended >> "$1"
echo answer
"""
"""Takes long the first time, and counts how often it was begun and ended."""


@pytest.fixture
def own_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One whose connections may be cut."""
    server = Sshd(tmp_path_factory.mktemp("sshd")).start()
    yield server
    server.stop()


@pytest.mark.host
def test_a_command_that_may_be_repeated_is_when_its_connection_breaks(own_sshd, tmp_path):
    log = tmp_path / "log"
    argv = ["sh", "-c", COUNTED, "counted", str(log)]
    result = over_broken(own_sshd, lambda machine: machine.run(argv, repeatable=True), log.exists)
    assert result.stdout == b"answer\n"
    assert log.read_text().split() == ["began", "began", "ended"]


@pytest.mark.host
def test_of_any_other_command_nobody_knows_whether_it_was_done_and_it_is_ended(own_sshd, tmp_path):
    log = tmp_path / "log"
    argv = ["sh", "-c", COUNTED, "counted", str(log)]

    async def work(machine: SSHMachine) -> bytes:
        with pytest.raises(OutcomeUnknown, match="the connection broke"):
            await machine.run(argv)
        assert log.read_text().split() == ["began"]
        # Whoever looks then does so over a new connection, and finds that nothing goes on over there.
        found = await machine.run(["pgrep", "-f", f"[c]ounted {log}"], check=False)
        return found.stdout

    assert over_broken(own_sshd, work, log.exists) == b""


@pytest.mark.host
def test_a_stage_whose_command_was_lost_looks_before_it_does_it_again(own_sshd, tmp_path):
    """As the engine does: `retry.settle`."""
    log = tmp_path / "log"

    async def work(machine: SSHMachine) -> str:
        async def act() -> str:
            await machine.run(["sh", "-c", f"echo done >> {log}; sleep 30"])
            return "acted"

        async def look() -> str | None:
            there = await machine.run(["test", "-e", str(log)], check=False, repeatable=True)
            return "found" if there.code == 0 else None

        return await retry.settle(act, look)

    assert over_broken(own_sshd, work, log.exists) == "found"
    assert log.read_text() == "done\n"


def parts() -> set[Path]:
    return set(Path("/tmp").glob(".zerojhub-*"))


@pytest.mark.host
@pytest.mark.parametrize("how", ["put", "write"])
def test_a_file_arrives_whole_although_the_connection_breaks_in_the_middle(own_sshd, tmp_path, monkeypatch, how):
    source, there, before = tmp_path / "source", tmp_path / "there", parts()
    source.write_bytes(BIG)
    send = SFTPFile.write
    sent: list[int] = []

    def slowly(self: SFTPFile, data: bytes) -> None:
        """The first time, only a part of it arrives before the connection breaks."""
        if sent:
            return send(self, data)
        send(self, data[: len(data) // 2])
        sent.append(len(data))
        time.sleep(3)
        send(self, data[len(data) // 2 :])

    monkeypatch.setattr(SFTPFile, "write", slowly)

    async def work(machine: SSHMachine) -> None:
        if how == "put":
            await machine.put(source, str(there), mode=0o755)
        else:
            await machine.write(str(there), BIG, mode=0o755)

    over_broken(own_sshd, work, lambda: bool(sent))
    assert there.read_bytes() == BIG
    assert there.stat().st_mode & 0o777 == 0o755
    assert parts() == before


@pytest.mark.host
def test_a_tunnel_goes_on_over_a_new_connection(own_sshd, tmp_path):
    (tmp_path / "page").write_bytes(b"hello")
    with socket.create_server(("127.0.0.1", 0)) as target:

        def answer() -> None:
            while True:
                try:
                    near, _ = target.accept()
                except OSError:
                    return
                with near:
                    near.sendall(b"hello")

        threading.Thread(target=answer, daemon=True).start()

        def read(port: int) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as near:
                return near.recv(5)

        async def work(machine: SSHMachine) -> list[bytes]:
            port = await machine.forward("127.0.0.1", target.getsockname()[1])
            first = await anyio.to_thread.run_sync(read, port)
            cut(own_sshd)
            while machine._transport.is_active():
                await anyio.sleep(0.01)
            return [first, await anyio.to_thread.run_sync(read, port)]

        assert over_broken(own_sshd, work, lambda: False) == [b"hello", b"hello"]
        target.shutdown(socket.SHUT_RDWR)


@pytest.mark.host
def test_a_connection_that_broke_before_a_command_began_is_none_of_its_business(own_sshd):
    """Whatever the command is: it was not sent yet."""

    async def work(machine: SSHMachine) -> bytes:
        cut(own_sshd)
        return (await machine.run(["echo", "done"])).stdout

    assert over_broken(own_sshd, work, lambda: False) == b"done\n"


@pytest.mark.host
def test_a_connection_on_which_nobody_answers_is_made_again(own_sshd, monkeypatch):
    """As after a laptop has slept: it is there, but only seems so."""
    monkeypatch.setattr("zerojhub.machine.ssh.CONNECT", 1)

    async def work(machine: SSHMachine) -> bytes:
        assert own_sshd.process
        stopped = sessions(own_sshd.process.pid)
        for session in stopped:
            os.kill(session, signal.SIGSTOP)
        try:
            return (await machine.run(["echo", "done"])).stdout
        finally:
            for session in stopped:
                os.kill(session, signal.SIGCONT)

    assert over_broken(own_sshd, work, lambda: False) == b"done\n"


@pytest.mark.host
def test_a_machine_that_is_gone_for_good_is_tried_again_and_then_an_error(own_sshd, pauses):
    async def main() -> None:
        machine = await own_sshd.connect()
        cut(own_sshd)
        own_sshd.stop()
        with pytest.raises(MachineError, match=r"does not respond: .*, after 5 attempts"):
            await machine.run(["true"])
        with pytest.raises(MachineError, match="does not respond"):
            await machine.write("/tmp/never", b"")
        await machine.close()

    anyio.run(main)
    assert len(pauses) >= 4


@pytest.mark.host
def test_a_command_that_is_killed_over_there_is_not_taken_for_a_lost_connection(own_sshd):
    async def main() -> None:
        machine = await own_sshd.connect()
        try:
            with pytest.raises(MachineError, match="was killed"):
                await machine.run(["sh", "-c", "kill -9 $PPID"])
        finally:
            await machine.close()

    anyio.run(main)


def test_the_host_key_may_be_given_as_a_fingerprint(sshd):
    said = subprocess.run(["ssh-keygen", "-lf", sshd.folder / "host.pub"], capture_output=True, text=True, check=True)
    machine = anyio.run(sshd.connect, "user", said.stdout.split()[1])
    anyio.run(machine.close)


def test_another_host_key_is_refused_at_once(sshd):
    started = time.monotonic()
    with pytest.raises(MachineError, match=r"host key SHA256:.* does not match the pinned one"):
        anyio.run(sshd.connect, "user", (sshd.folder / "other.pub").read_text(), 60)
    assert time.monotonic() - started < 30


def test_a_key_that_does_not_fit_is_named(sshd):
    with pytest.raises(MachineError, match=f"does not accept the key for {USER}: .*/other .*--user"):
        anyio.run(sshd.connect, "other", None, 0.5)


FORMATS: dict[str, tuple[Loaded, PrivateFormat]] = {
    "PKCS#1": (rsa.generate_private_key(65537, 2048), PrivateFormat.TraditionalOpenSSL),
    "PKCS#8": (Ed25519PrivateKey.generate(), PrivateFormat.PKCS8),
    "SEC 1": (ec.generate_private_key(ec.SECP256R1()), PrivateFormat.TraditionalOpenSSL),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_key_of_another_format_logs_in(sshd, name):
    key, layout = FORMATS[name]
    text = key.private_bytes(Encoding.PEM, layout, NoEncryption()).decode().replace("\n", "\r\n")
    (sshd.folder / name).write_text(text)
    with (sshd.folder / "authorized").open("a") as authorized:
        authorized.write(f"{keyfiles.public_half(key)}\n")
    machine = anyio.run(sshd.connect, name)
    anyio.run(machine.close)


@pytest.fixture
def agent(sshd, tmp_path, monkeypatch):
    """An SSH agent with the user's key behind seven others, and a home without keys: a connection ends after six."""
    monkeypatch.setenv("HOME", str(tmp_path))
    others = [openssh_format(Ed25519PrivateKey.generate()) for _ in range(7)]
    with ssh_agent(tmp_path / "agent", [*others, (sshd.folder / "user").read_bytes()], monkeypatch):
        yield


def test_only_the_key_that_fits_is_offered_from_the_agent(sshd, agent):
    key = keys.locate((sshd.folder / "user.pub").read_text(), "mykey", None, lambda question: None)
    where: dict[str, Any] = {"port": sshd.port, "host_keys": [sshd.host_key], "timeout": 0.5}
    connect = partial(SSHMachine.connect, "127.0.0.1", USER, key=key, **where)
    anyio.run(anyio.run(connect).close)
    subprocess.run(["ssh-add", "-qD"], check=True, timeout=10)
    with pytest.raises(MachineError, match="does not have the private key any more"):
        anyio.run(connect)


def by_ssh(sshd, key, folder, monkeypatch) -> subprocess.CompletedProcess[str]:
    """Run `hostname` with the command line that `cluster ssh` makes."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    run = Run(Deployment.model_validate({"name": "hub", "cloud": "my cloud", "cluster": {"template": "t"}}), Silent())
    reach.pins(run).pin(f"[127.0.0.1]:{sshd.port}", "server", [sshd.host_key.rsplit(None, 1)[0]])

    async def words() -> list[str]:
        machine = await SSHMachine.connect("127.0.0.1", USER, port=sshd.port, key=key, host_keys=[sshd.host_key])
        try:
            return await ssh.command(run, Reach(machine, "", cast("Kube", None), None, ""), None)
        finally:
            await machine.close()

    line = anyio.run(words)
    at = line.index("ssh") + 1
    line[at:at] = ["-F", "none", "-o", "BatchMode=yes", "-p", str(sshd.port)]
    return subprocess.run([*line, "hostname"], capture_output=True, text=True, timeout=20, close_fds=False)


def test_ssh_gets_a_key_that_only_the_agent_has(sshd, agent, tmp_path, monkeypatch):
    """Of eight in it, ssh offers the one that fits."""
    key = keys.locate((sshd.folder / "user.pub").read_text(), "mykey", None, lambda question: None)
    done = by_ssh(sshd, key, tmp_path, monkeypatch)
    assert done.stdout.strip() == socket.gethostname(), done.stderr


def test_the_passphrase_of_a_key_is_asked_for_once(sshd, tmp_path, monkeypatch):
    """In batch mode, ssh does not ask itself."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    path = tmp_path / "locked"
    path.write_bytes((sshd.folder / "user").read_bytes())
    path.chmod(0o600)
    subprocess.run(["ssh-keygen", "-qp", "-P", "", "-N", "open sesame", "-f", path], check=True, timeout=10)
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return "open sesame"

    done = by_ssh(sshd, keys.usable(keyfiles.read(path), ask), tmp_path, monkeypatch)
    assert done.stdout.strip() == socket.gethostname(), done.stderr
    assert asked == [f"Passphrase of {path}: "]
    assert "sesame" not in done.stderr


def test_a_key_that_ssh_refuses_is_an_error_before_ssh_runs(sshd, tmp_path, monkeypatch):
    text = (sshd.folder / "user").read_text()
    for name, content, mode, said in (
        ("open", text, 0o644, "chmod 600"),
        ("windows", text.replace("\n", "\r\n"), 0o600, "Unix line ends"),
    ):
        path = tmp_path / name
        path.write_text(content, newline="")
        path.chmod(mode)
        key = keys.usable(keyfiles.read(path), lambda question: None)
        with pytest.raises(UserError, match=f"{path}: ssh does not read this private key: .*{said}"):
            by_ssh(sshd, key, tmp_path, monkeypatch)
    path.write_text(text)
    assert by_ssh(sshd, keys.usable(keyfiles.read(path), lambda question: None), tmp_path, monkeypatch).returncode == 0


@pytest.mark.host
def test_it_waits_for_a_machine_that_is_coming_up(tmp_path):
    late = Sshd(tmp_path)

    def start():
        time.sleep(2)
        late.start()

    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, start)
            machine = await late.connect()
        result = await machine.run(["echo", "up"])
        await machine.close()
        return result.stdout

    try:
        assert anyio.run(main) == b"up\n"
    finally:
        late.stop()


@pytest.mark.host
def test_no_answer_says_so(tmp_path):
    with pytest.raises(MachineError, match=r"SSH does not respond: .*refused.*security group"):
        anyio.run(Sshd(tmp_path).connect, "user", None, 0.1)
