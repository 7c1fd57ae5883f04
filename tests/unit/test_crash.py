"""What an unexpected exception leaves: one line, exit code 70, and a report without secrets."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import anyio
import pytest

import tests.command
from zerojhub import cli, masking
from zerojhub.errors import CloudError

SECRET = "Zq7-unguessable"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where reports go, and nothing remembered from other tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(masking, "_known", set())
    (tmp_path / "tmp").mkdir()
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, error: BaseException, *argv: str) -> int:
    """The program's exit code, with a command that raises the error."""

    def command(**options: str) -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["zerojhub", *argv])
    monkeypatch.setattr(cli, "app", command)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert isinstance(left.value.code, int)
    return left.value.code


def reports(folder: Path) -> list[Path]:
    return list(folder.rglob("*crash-*"))


@pytest.mark.parametrize("error", [KeyError("uuid"), RecursionError("too deep"), MemoryError(), AssertionError()])
def test_a_bug_is_one_line_with_the_path_of_a_report(monkeypatch, capsys, folders, error):
    assert run(monkeypatch, error, "up") == 70
    (report,) = reports(folders / "state")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith(f"error: internal error: {type(error).__name__}")
    assert f"open an issue in its repository, with what you did and with {report}" in printed.err
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert stat.S_IMODE(report.parent.stat().st_mode) == 0o700
    assert "Traceback (most recent call last)" in report.read_text()


def test_the_report_has_the_versions_and_the_command_without_values(folders, monkeypatch):
    """The real command line, in which a module that cannot be imported is the bug."""
    monkeypatch.setitem(sys.modules, "zerojhub.cluster.adopt", None)
    done = tests.command.run("cluster", "ssh", SECRET, "--cloud", SECRET, "-q", "--", "-x", SECRET, code=70)
    assert "Traceback" not in done.stderr
    (report,) = reports(folders / "state")
    text = report.read_text()
    assert re.search(r"^zerojhub: \d+\.\d+\.\d+$", text, re.MULTILINE)
    assert re.search(r"^Python: 3\.", text, re.MULTILINE)
    assert "\nplatform: " in text
    assert "\ncommand: zerojhub cluster ssh --cloud -q\n" in text
    assert "ModuleNotFoundError" in text
    assert SECRET not in text


@pytest.mark.parametrize("option", ["-v", "--verbose", "-qv"])
def test_verbose_also_prints_the_traceback(monkeypatch, capsys, option):
    assert run(monkeypatch, KeyError("uuid"), option, "up") == 70
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("error: internal error: KeyError: 'uuid'")


def test_what_follows_two_dashes_is_for_another_program(monkeypatch, capsys):
    run(monkeypatch, KeyError("uuid"), "helm", "--", "list", "-v")
    assert "Traceback" not in capsys.readouterr().err


def test_a_failure_in_a_task_is_reported_without_its_group(monkeypatch, capsys, folders):
    group = BaseExceptionGroup("tasks", [ExceptionGroup("inner", [ValueError("odd")])])
    assert run(monkeypatch, group) == 70
    (report,) = reports(folders)
    assert "Group" not in capsys.readouterr().err + report.read_text()
    refusal = ExceptionGroup("tasks", [CloudError("quota exceeded")])
    assert run(monkeypatch, refusal) == 1
    assert capsys.readouterr().err == "error: quota exceeded\n"


def test_tasks_that_were_cancelled_are_not_the_failure(monkeypatch, capsys):
    async def fail_beside_another() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            await anyio.sleep(0)
            raise ValueError("odd")

    with pytest.raises(ExceptionGroup) as raised:
        anyio.run(fail_beside_another)
    assert run(monkeypatch, raised.value) == 70
    assert "ValueError: odd" in capsys.readouterr().err


def test_a_state_folder_that_cannot_be_used(monkeypatch, capsys, folders):
    (folders / "state").write_text("")
    assert run(monkeypatch, KeyError("uuid")) == 70
    (report,) = reports(folders / "tmp")
    assert str(report) in capsys.readouterr().err
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_a_full_disk_leaves_no_half_a_report(monkeypatch, capsys, folders):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert run(monkeypatch, KeyError("uuid")) == 70
    assert reports(folders) == []
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "the crash report cannot be written: No space left on device" in error


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "/var/x"),
        OSError(errno.ENOSPC, "No space left on device", "/var/x"),
    ],
)
def test_a_file_that_this_machine_refuses_is_not_a_bug(monkeypatch, capsys, folders, error):
    assert run(monkeypatch, error) == 1
    assert capsys.readouterr().err == f"error: /var/x: {error.strerror.lower()}\n"
    assert reports(folders) == []


def test_an_interrupt_is_130(monkeypatch, capsys):
    monkeypatch.setattr(os, "_exit", sys.exit)
    assert run(monkeypatch, BaseExceptionGroup("tasks", [KeyboardInterrupt()])) == 130
    assert capsys.readouterr().err == "stopped: nothing is lost; run the same command again to continue\n"


def test_a_reader_that_stops_is_no_error(shell):
    program = f"'{sys.executable}' -m zerojhub"
    done = shell.run("bash", "-c", f"{program} -o json init --list | true")
    assert done.stderr == ""


def test_a_broken_connection_is_not_a_reader_that_stopped(monkeypatch, capsys):
    left = SystemExit(1)
    left.__context__ = BrokenPipeError(errno.EPIPE, "Broken pipe")  # as Typer leaves
    assert run(monkeypatch, left) == 70
    assert "BrokenPipeError" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_a_failure(shell):
    done = shell.run("bash", "-c", f"'{sys.executable}' -m zerojhub init --list >/dev/full")
    assert (done.returncode, done.stderr) == (1, "error: no space left on device\n")


def test_closed_streams_change_nothing(shell):
    assert shell.run("bash", "-c", f"'{sys.executable}' -m zerojhub init --list <&- >&- 2>&-").returncode == 0


def test_letters_that_a_terminal_does_not_have_are_no_error(shell):
    misspelt = [sys.executable, "-m", "zerojhub", "plän"]
    done = subprocess.run(misspelt, env={**shell.environment, "PYTHONIOENCODING": "ascii"}, capture_output=True)
    assert (done.returncode, done.stderr.split(b" (")[0]) == (2, rb"error: unknown command 'pl\xe4n'")


@pytest.mark.parametrize(
    "text",
    [
        f"password: {SECRET}",
        f"{{'admin_password': '{SECRET} {SECRET}', 'user': 'ada'}}",
        f'{{"application_credential_secret": "{SECRET}"}}',
        f"OS_PASSWORD={SECRET}",
        f"api_key={SECRET}&x=1",
        f"Authorization: Bearer {SECRET}",
        f"authorization: token {SECRET}",
        f"X-Auth-Token: {SECRET}",
        f"client-key-data: {SECRET}",
        f"https://ada:{SECRET}@cloud.example.org/v3",
        f"https://{SECRET}@cloud.example.org/v3",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\\n{SECRET}",
    ],
)
def test_what_is_named_like_a_secret_is_masked(text):
    masked = masking.mask(f"before, {text}")
    assert SECRET not in masked
    assert masked.startswith("before, ")


@pytest.mark.parametrize("length", [40, 64, 500])
def test_key_material_is_masked_wherever_it_is(length):
    assert masking.mask(f"invalid: '{'aB3/' * (length // 4)}=='") == "invalid: '***'"


@pytest.mark.parametrize(
    "text",
    [
        "req-8c5b0a4e-1f0d-4c52-9d0e-0a1b2c3d4e5f",
        "https://cloud.example.org/v3/servers/8c5b0a4e-1f0d-4c52-9d0e-0a1b2c3d4e5f",
        "'node_count' is None",
        "could not find cluster workshop in cloud mine",
    ],
)
def test_what_helps_to_find_the_bug_stays(text):
    assert masking.mask(text) == text


@pytest.mark.parametrize("secret", ["pass", "pass word's", 'ab"c', "ü€x%&", SECRET])
def test_secrets_of_the_run_are_masked_in_every_spelling(monkeypatch, capsys, folders, secret):
    masking.remember_in({"auth": {"username": "ada", "password": secret}})
    error = ValueError(f"{secret}|{secret!r}|{ {'a': secret} }|https://x/?q={quote(secret)}")
    assert run(monkeypatch, error, "-v") == 70
    (report,) = reports(folders)
    for text in (capsys.readouterr().err, report.read_text().partition("Error: ")[2]):
        assert not any(spelling in text for spelling in (secret, repr(secret)[1:-1], quote(secret)))


def test_secrets_of_the_environment_are_masked(monkeypatch, capsys):
    monkeypatch.setenv("OS_APPLICATION_CREDENTIAL_SECRET", SECRET)
    run(monkeypatch, ValueError(f"odd: {SECRET}"), "-v")
    assert SECRET not in capsys.readouterr().err
