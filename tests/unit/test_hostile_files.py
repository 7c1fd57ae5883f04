"""Files of the program's own and of others: nobody else's are trusted, and none is too large."""

from __future__ import annotations

import gzip
import os
import re
import stat
from importlib import import_module
from pathlib import Path

import anyio
import pytest

from tests import command
from tests.unit.fakecloud import Answer, FakeCloud
from zerojhub import files
from zerojhub.deployment import Deployment
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.helm.program import Archive
from zerojhub.hub import charts, download
from zerojhub.hub.secrets import Secrets
from zerojhub.run import folder_of

DEPLOYMENT = "name: hub\ncloud: fake\ncluster: {template: t}\n"
ANOTHER_USER = 54321


@pytest.fixture
def folder(fake_cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The deployment's folder, beside a hub.yaml in the current directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hub.yaml").write_text(DEPLOYMENT)
    return folder_of(Deployment.model_validate({"name": "hub", "cloud": "fake", "cluster": {"template": "t"}}))


@pytest.mark.parametrize("name", ["secrets.yaml", "known_hosts", "journal.jsonl", "lock", "kubeconfig", "id_ed25519"])
def test_a_link_in_place_of_a_file_of_ours_is_neither_read_nor_written(folder, tmp_path, name):
    target = tmp_path / "theirs"
    target.write_text("proxy_token: theirs\n")
    (folder / name).symlink_to(target)
    ended = command.run("up", code=1)
    assert ended.errors == [f"error: {folder / name}: a link in place of a file of zerojhub's: remove it"]
    assert target.read_text() == "proxy_token: theirs\n"


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make another user its owner, or this process another user's where that takes root."""
    if os.geteuid() == 0:
        os.chown(path, ANOTHER_USER, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: ANOTHER_USER)


def test_a_folder_of_another_user_is_not_used(folder, monkeypatch):
    give_away(folder, monkeypatch)
    (error,) = command.run("up", code=1).errors
    assert str(folder) in error
    assert "belongs to another user" in error


def test_root_may_use_the_folder_of_the_user_who_called_sudo(tmp_path, monkeypatch):
    if os.geteuid():
        pytest.skip("only root can give a file away")
    give_away(tmp_path, monkeypatch)
    monkeypatch.setenv("SUDO_UID", str(ANOTHER_USER))
    assert files.private_folder(tmp_path) == tmp_path
    monkeypatch.setenv("SUDO_UID", "1000")
    with pytest.raises(OSError, match="another user"):
        files.private_folder(tmp_path)


def test_a_program_that_another_user_put_into_the_cache_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    archive = Archive("https://example.org/helm.tar.gz", "0" * 64)
    assert not archive.is_kept
    archive.program.parent.mkdir(parents=True)
    archive.program.write_text("#!/bin/sh\n")
    assert archive.is_kept
    give_away(archive.program, monkeypatch)
    assert not archive.is_kept


def test_a_folder_that_others_could_read_is_closed(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    assert stat.S_IMODE(files.private_folder(tmp_path / "open").stat().st_mode) == 0o700


def test_secrets_that_others_could_read_are_closed(tmp_path):
    secrets = Secrets()
    secrets.keep(tmp_path)
    (tmp_path / "secrets.yaml").chmod(0o644)
    secrets.keep(tmp_path)
    assert stat.S_IMODE((tmp_path / "secrets.yaml").stat().st_mode) == 0o600


def test_what_is_written_replaces_a_link_and_not_what_it_leads_to(tmp_path):
    target, link = tmp_path / "theirs", tmp_path / "ours"
    target.write_text("theirs")
    link.symlink_to(target)
    files.write(link, b"ours")
    assert (target.read_text(), link.read_text(), link.is_symlink()) == ("theirs", "ours", False)


def make_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [make_endless, make_huge])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hub.yaml", ["plan"]),
        ("clouds.yaml", ["cluster", "list"]),
        ("class.csv", ["hub", "users", "add", "--csv", "class.csv"]),
        ("job.yaml", ["job", "run", "--from", "job.yaml", "--cluster", "k8s"]),
        ("stack.yaml", ["heat", "create", "stack", "--template", "stack.yaml"]),
    ],
)
def test_a_file_that_is_too_large_is_refused_in_one_line(folder, make, name, words):
    path = Path(name)
    path.unlink(missing_ok=True)
    make(path)
    (error,) = command.run(*words, code=2).errors
    assert re.search(rf"{name}.*larger than 4 million bytes", error)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"a: [" + b"0," * 30_000 + b"]\n", "more than 20000 keys and values"),
        (
            b"a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n"
            + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 9)),
            "its aliases repeat too much",
        ),
        (b"a: " + b"[" * 100_000, "exceeded maximum nesting depth"),
    ],
)
def test_a_file_that_would_take_for_ever_is_refused_in_one_line(folder, monkeypatch, text, why):
    monkeypatch.setattr(import_module("zerojhub.yamlfile.compose"), "MOST", 20_000)
    Path("hub.yaml").write_bytes(text)
    (error,) = command.run("plan", code=2).errors
    assert why in error


def test_a_chart_that_unpacks_to_more_than_helm_takes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 1 << 20)
    path = tmp_path / "chart.tgz"
    path.write_bytes(gzip.compress(bytes(2 << 20)))
    with pytest.raises(UserError, match=r"chart\.tgz: unpacked, the chart is larger than 1 MiB"):
        anyio.run(charts.find, str(path), None, tmp_path)


def test_a_download_without_an_end_is_given_up(fake_cloud, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 1 << 20)
    fake_cloud.answer("GET /chart.tgz", Answer(200, "x" * (2 << 20)))
    with pytest.raises(ZeroJHubError, match="the download is larger than 1 MiB"):
        anyio.run(download.get, f"{fake_cloud.url}/chart.tgz", "the chart")
