"""Files on a disk that is full: the old one stays whole, nothing is left of the new one, and the error names it."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zerojhub import crash, files, profiles
from zerojhub.deployment import Deployment
from zerojhub.errors import UserError
from zerojhub.hub.secrets import Secrets
from zerojhub.machine import keys
from zerojhub.machine.host_keys import HostKeys
from zerojhub.run import Run, Silent


class Full(io.BytesIO):
    """A file that takes the first half of what is written to it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def write(self, content: Any) -> int:
        os.write(self._descriptor, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


@pytest.fixture(params=["when it is written", "when it is brought to the disk"])
def full(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if request.param == "when it is written":
        monkeypatch.setattr(os, "fdopen", lambda descriptor, mode: Full(descriptor))
    else:
        monkeypatch.setattr(os, "fsync", refuse)


def there(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_is_written_with_its_mode_in_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_bytes(b"old")
    files.write(path, b"new", mode=0o640)
    assert (there(tmp_path), stat.S_IMODE(path.stat().st_mode)) == ({"known_hosts": b"new"}, 0o640)


def test_a_file_is_created_with_its_mode_and_only_if_it_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "key"
    files.create(path, b"secret")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"secret", 0o600)
    with pytest.raises(FileExistsError):
        files.create(path, b"other")
    assert there(tmp_path) == {"key": b"secret"}


def test_a_process_that_is_killed_leaves_no_file_that_is_half_written(tmp_path: Path) -> None:
    """Killed at every system call that changes a file: the next command takes what it finds there for whole."""
    for number in range(1, 20):
        folder = tmp_path / str(number)
        folder.mkdir()
        child = os.fork()
        if child == 0:
            calls = itertools.count(1)

            def hook(event: str, arguments: Any, calls: Iterator[int] = calls, number: int = number) -> None:
                if event.startswith(("open", "os.", "tempfile")) and next(calls) == number:
                    os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(hook)
            with contextlib.suppress(OSError):
                files.create(folder / "key", b"secret" * 1000)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert not (folder / "key").exists() or (folder / "key").read_bytes() == b"secret" * 1000
        if os.WIFEXITED(status):
            assert list(there(folder)) == ["key"]
            assert number > 3
            return
    pytest.fail("it always was killed")


def test_without_hard_links_a_file_is_created_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    files.create(tmp_path / "key", b"secret")
    with pytest.raises(FileExistsError):
        files.create(tmp_path / "key", b"other")
    assert there(tmp_path) == {"key": b"secret"}


def test_what_killed_commands_have_left_unfinished_is_removed_after_an_hour(tmp_path: Path) -> None:
    for name, age in ((".part-old", files.ABANDONED + 60), (".part-new", 0)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    files.private_folder(tmp_path)
    assert list(there(tmp_path)) == [".part-new"]


def error_of(write: Callable[[], object]) -> str:
    """The line that a user sees."""
    with pytest.raises(OSError, match="No space left") as caught:
        write()
    return str(crash.explain(caught.value, [], [])[0])


@pytest.mark.usefixtures("full")
def test_on_a_full_disk_the_old_file_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "secrets.yaml"
    path.write_bytes(b"old")
    assert error_of(lambda: files.write(path, b"a new one")) == f"{path}: no space left on device"
    assert there(tmp_path) == {"secrets.yaml": b"old"}


@pytest.mark.usefixtures("full")
def test_on_a_full_disk_half_a_new_file_is_removed(tmp_path: Path) -> None:
    """Or the next command would find it, and take it for whole."""
    path = tmp_path / "key"
    assert error_of(lambda: files.create(path, b"a new one")) == f"{path}: no space left on device"
    assert there(tmp_path) == {}


@pytest.mark.usefixtures("full")
def test_what_a_deployment_keeps_here_survives_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_bytes(b"10.0.0.1 ssh-ed25519 AAAA server\n")
    before = there(tmp_path)
    pins = HostKeys(tmp_path / "known_hosts")
    assert "known_hosts: no space" in error_of(lambda: pins.pin("10.0.0.2", "other", ["ssh-ed25519 BBBB"]))
    assert "id_ed25519: no space" in error_of(lambda: keys.make_private_key(tmp_path / "id_ed25519"))
    assert "secrets.yaml: no space" in error_of(lambda: Secrets.of(tmp_path, None).keep(tmp_path))
    assert there(tmp_path) == before


@pytest.mark.usefixtures("full")
def test_half_a_profile_is_not_left(tmp_path: Path) -> None:
    name = profiles.listed()[0].name
    with pytest.raises(UserError, match="cannot be written: No space left on device"):
        profiles.write(name, tmp_path / "hub.yaml")
    assert there(tmp_path) == {}


def test_a_journal_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    deployment = Deployment.model_validate({"name": "toy", "cloud": "c", "cluster": {"template": "t"}})
    run = Run(deployment, Silent())
    (run.folder / "journal.jsonl").mkdir()
    run.write_journal("up")
