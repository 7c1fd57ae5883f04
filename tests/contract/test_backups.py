"""The program of backup pods with a real restic, on the practice cloud's object store."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from tests.contract.clouds import Site
from tests.contract.conftest import RESTIC
from tests.waiting import until
from zerojhub.backup import worker
from zerojhub.backup.worker import Failed, Repository
from zerojhub.hub.database import DATABASE

KEEP = {"daily": 7, "weekly": 4, "monthly": 12}
EXAMPLES = 40 if hypothesis.settings.default and hypothesis.settings.default.max_examples > 100 else 4
"""Each takes seconds."""


class Store:
    """A user's home and their repository, and what the pods do with them."""

    def __init__(self, folder: Path, place: dict[str, str], name: str, host: str = "ada") -> None:
        self.folder, self.home, self.name, self.host = folder, folder / "home", name, host
        self.home.mkdir()
        (folder / "password").write_text("open sesame, ada\n")
        self.environment = {
            **place,
            "RESTIC_PASSWORD_FILE": str(folder / "password"),
            "RESTIC_CACHE_DIR": str(folder / "cache"),
            "TMPDIR": str(folder),
            "HOME": str(folder),
        }

    def task(self, action: str, **more: Any) -> dict[str, Any]:
        places = {"path": str(self.home)} if action == "back up" else {"root": str(self.home), "home": str(self.home)}
        task = {"action": action, "name": self.name, "host": self.host, "keep": KEEP, "alone": True}
        return task | places | {"at": "", "scratch": str(self.folder / "scratch")} | more

    @property
    def repository(self) -> Repository:
        return Repository(self.task("back up"), self.environment, str(RESTIC))

    def do(self, action: str, **more: Any) -> dict[str, Any]:
        return worker.ACTIONS[action](self.task(action, **more), self.repository)

    def back_up(self, **more: Any) -> dict[str, Any]:
        return self.do("back up", **more)

    def restore(self, **more: Any) -> dict[str, Any]:
        return self.do("restore", **{"path": "", "into": None, "over": False, **more})

    def start(self, action: str, **more: Any) -> subprocess.Popen[bytes]:
        """The action in a process of its own, as in a pod."""
        code = f"from zerojhub.backup import worker as w; w.TOOLS = {str(RESTIC.parent)!r}; " + (
            "import json, os, signal, sys; signal.signal(signal.SIGTERM, lambda n, f: sys.exit(143)); "
            f"task = json.loads(os.environ['TASK']); w.perform(task, w.Repository(task, None, {str(RESTIC)!r}))"
        )
        environment = {**os.environ, **self.environment, "TASK": json.dumps(self.task(action, **more))}
        return subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True)

    def locks(self) -> list[str]:
        return self.repository.run("list", "locks", "--no-lock")[1].split()


@pytest.fixture(scope="module")
def place(object_store: Site, access_key: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where backups are kept, and the login: made ready as the stage does it."""
    keys = {"AWS_ACCESS_KEY_ID": access_key["access"], "AWS_SECRET_ACCESS_KEY": access_key["secret"]}
    made = keys | {"BACKUP_TO": f"s3:{object_store.url}/backups"}
    Store(tmp_path_factory.mktemp("place"), made, "hub", "hub").do("prepare")
    return made


@pytest.fixture
def store(place: dict[str, str], tmp_path: Path) -> Store:
    """A home without backups."""
    return Store(tmp_path, place, f"user--ada--{random.randrange(10**9)}")


# -- every tree comes back as it was ------------------------------------------------------------------------------------

NAMES = strategies.text(
    strategies.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in (".", "..", "lost+found"))
MODES = strategies.sampled_from([0o644, 0o600, 0o755, 0o444, 0o4755, 0o000])
TIMES = strategies.integers(0, 2_000_000_000 * 10**9)
FILES = strategies.tuples(
    strategies.one_of(strategies.binary(max_size=200), strategies.sampled_from([0, 300_000]).map(bytes)),
    MODES,
    TIMES,
    strategies.integers(0, 3),
)
"""Content, mode, time, and whose it is."""
LINKS = strategies.sampled_from(["notes", "../up", "/home/jovyan/x", "ü", "hard"])
TREES: Any = strategies.recursive(
    strategies.one_of(FILES, LINKS),
    lambda inside: strategies.dictionaries(NAMES, inside, max_size=4),
    max_leaves=12,
)


def plant(tree: Any, path: Path, files: list[Path]) -> None:
    """Make what the example says."""
    if isinstance(tree, dict):
        path.mkdir()
        for name, inside in tree.items():
            plant(inside, path / name, files)
        path.chmod(0o750)
        os.utime(path, ns=(len(tree) * 10**9, len(tree) * 10**9))
    elif tree == "hard" and files:
        os.link(files[0], path)
    elif isinstance(tree, str):
        path.symlink_to(tree)
    else:
        content, mode, time, owner = tree
        path.write_bytes(content)
        os.chown(path, 1000 + owner, 100)
        path.chmod(mode)
        os.utime(path, ns=(time, time))
        files.append(path)


def read(top: Path) -> dict[str, tuple[Any, ...]]:
    """All that a user would notice of a tree."""
    paths = sorted(top.rglob("*"))
    groups: dict[int, list[str]] = {}
    for path in paths:
        groups.setdefault(path.lstat().st_ino, []).append(str(path.relative_to(top)))
    found = {}
    for path in paths:
        about = path.lstat()
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        changed = about.st_mtime_ns
        name = str(path.relative_to(top))
        links = groups[about.st_ino] if stat.S_ISREG(about.st_mode) else []
        found[name] = (stat.filemode(about.st_mode), about.st_uid, about.st_gid, changed, content, links)
    return found


@pytest.fixture(scope="module")
def trees(place: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("trees"), place, "user--trees")


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(tree=strategies.dictionaries(NAMES, TREES, max_size=5))
@hypothesis.example(
    tree={"plain": (b"x", 0o600, 1, 0), "second": "hard", "link": "notes", "\x01\n": (b"", 0o4755, 0, 3)}
)
def test_every_tree_is_restored_as_it_was(trees: Store, tree: Any) -> None:
    shutil.rmtree(trees.home)
    plant(tree, trees.home, [])
    before = read(trees.home)
    trees.back_up()
    into = trees.restore(into="back")["into"]
    assert read(trees.home / into) == before
    shutil.rmtree(trees.home)
    trees.home.mkdir()
    trees.restore(over=True)
    assert read(trees.home) == before


# -- backups ------------------------------------------------------------------------------------------------------------


def test_the_second_night_stores_only_what_has_changed(store: Store) -> None:
    (store.home / "data").write_bytes(os.urandom(2_000_000))
    first = store.back_up()
    (store.home / "new").write_text("new")
    second = store.back_up()
    assert (first["files"], second["files"]) == (1, 2)
    assert first["added"] > 2_000_000 > 100_000 > second["added"]
    assert [each["id"] for each in store.repository.snapshots()][-1] == second["snapshot"]


@pytest.mark.backups
def test_of_the_backups_of_a_day_the_first_and_the_last_one_are_kept(store: Store) -> None:
    """The first one because there are none of earlier days."""
    (store.home / "a").write_text("a")
    keep = {"daily": 3, "weekly": 0, "monthly": 0}
    first, _, last = (store.back_up(keep=keep)["snapshot"] for _ in range(3))
    assert [each["id"] for each in store.repository.snapshots()] == [first, last]
    assert store.do("prune") == {"before": 2, "after": 2}


@pytest.mark.backups
def test_users_do_not_see_each_others_backups(store: Store, place: dict[str, str], tmp_path: Path) -> None:
    (store.home / "mine").write_text("of ada")
    store.back_up()
    (tmp_path / "other").mkdir()
    other = Store(tmp_path / "other", place, "user--ben", "ben")
    assert other.repository.snapshots() == []
    (other.home / "theirs").write_text("of ben")
    other.back_up()
    assert [each["files"] for each in store.repository.snapshots()] == [1]
    other.restore(into="back")
    assert [each.name for each in (other.home / "back").iterdir()] == ["theirs"]


@pytest.mark.backups
def test_a_wrong_password_is_told_at_once(store: Store) -> None:
    store.do("prepare")
    (store.folder / "password").write_text("something else")
    with pytest.raises(Failed, match="the password is not the one of the backups that are there"):
        store.do("prepare")


@pytest.mark.backups
def test_a_store_that_refuses_the_credentials_is_not_waited_for(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(worker, "ANSWER", 4)
    store.environment["AWS_SECRET_ACCESS_KEY"] = "guessed"
    with pytest.raises(Failed, match="signature"):
        store.do("prepare")


# -- restoring ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(store: Store) -> Store:
    """A backup of a few files, after which they are changed."""
    (store.home / "work").mkdir()
    (store.home / "work" / "a[1]*.txt").write_text("old")
    (store.home / "work" / "a1x.txt").write_text("another")
    (store.home / "gone").write_text("gone")
    store.back_up()
    (store.home / "work" / "a[1]*.txt").write_text("newer")
    (store.home / "gone").unlink()
    (store.home / "new").write_text("new")
    return store


def test_files_are_restored_to_a_new_folder_and_nothing_else_is_touched(filled: Store) -> None:
    today = filled.repository.snapshots()[0]["time"][:10]
    restored = filled.restore()
    assert restored["into"] == f"restored-{today}"
    assert (restored["files"] >= 3, restored["bytes"]) == (True, 14)
    folder = filled.home / restored["into"]
    assert sorted(each.name for each in folder.iterdir()) == ["gone", "work"]
    assert folder.stat().st_uid == 1000
    assert (filled.home / "work" / "a[1]*.txt").read_text() == "newer"
    assert filled.restore()["into"] == f"restored-{today}-2"


@pytest.mark.backups
def test_files_are_restored_over_what_is_there_and_new_ones_stay(filled: Store) -> None:
    filled.restore(over=True)
    assert (filled.home / "work" / "a[1]*.txt").read_text() == "old"
    assert (filled.home / "gone").read_text() == "gone"
    assert (filled.home / "new").read_text() == "new"


@pytest.mark.backups
def test_an_exact_restore_leaves_nothing_else_and_repairs_what_only_looks_the_same(filled: Store) -> None:
    filled.restore(over=True, exact=True)
    expected = read(filled.home)
    assert {*expected} == {"work", "work/a[1]*.txt", "work/a1x.txt", "gone"}
    damaged, lost = filled.home / "work" / "a1x.txt", filled.home / "lost+found"
    about = damaged.stat()
    damaged.write_text("strange")
    os.utime(damaged, ns=(about.st_mtime_ns, about.st_mtime_ns))
    (filled.home / ".new" / "er").mkdir(parents=True)
    lost.mkdir()
    filled.restore(over=True, exact=True)
    lost.rmdir()
    assert read(filled.home) == expected


@pytest.mark.backups
def test_a_path_means_itself_even_if_it_looks_like_a_pattern(filled: Store) -> None:
    restored = filled.restore(path="work/a[1]*.txt", into="some/where")
    assert [str(each.relative_to(filled.home)) for each in sorted((filled.home / "some").rglob("*"))] == [
        "some/where",
        "some/where/work",
        "some/where/work/a[1]*.txt",
    ]
    assert restored["bytes"] == 3
    filled.restore(path="work", over=True)
    assert (filled.home / "work" / "a[1]*.txt").read_text() == "old"
    assert not (filled.home / "gone").exists()


REFUSED: dict[str, dict[str, str]] = {
    "work/none is not in the backup of": {"path": "work/none"},
    "the folder work is there already": {"into": "work"},
    "there is no backup of ada until then; the first one is of 20": {"at": "2020-01-01T00:00:00+00:00"},
    "way/out is not a folder in the home": {"into": "way/out"},
}


@pytest.mark.backups
def test_what_cannot_be_restored_changes_nothing(filled: Store) -> None:
    (filled.home / "way").symlink_to(filled.folder)
    before = read(filled.folder / "home")
    for said, options in REFUSED.items():
        with pytest.raises(Failed, match=said):
            filled.restore(**options)
    assert read(filled.home) == before
    assert not (filled.folder / "out").exists()


@pytest.mark.backups
def test_a_time_or_an_id_chooses_the_backup(store: Store) -> None:
    (store.home / "a").write_text("first")
    first = store.back_up(keep={"daily": 0, "weekly": 0, "monthly": 0, "last": 9})
    between = store.repository.snapshots()[0]["time"]
    (store.home / "a").write_text("second")
    store.back_up(keep={"daily": 0, "weekly": 0, "monthly": 0, "last": 9})
    for at in (first["snapshot"], between):
        store.restore(at=at, over=True)
        assert (store.home / "a").read_text() == "first"
    store.restore(over=True)
    assert (store.home / "a").read_text() == "second"


@pytest.mark.backups
def test_what_is_in_a_backup_is_listed(filled: Store, capsys) -> None:
    chosen = filled.do("files", path="work")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["path"], each["bytes"]) for each in lines] == [("work/a1x.txt", 7), ("work/a[1]*.txt", 3)]
    owners = [{"name": filled.name, "host": "ada"}, {"name": "user--none", "host": "none"}]
    filled.do("list", owners=owners)
    ada, none = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [each["id"] for each in ada["snapshots"]] == [chosen["id"]]
    assert none["snapshots"] == []


# -- the hub ------------------------------------------------------------------------------------------------------------


@pytest.mark.backups
def test_the_hubs_accounts_come_back(place: dict[str, str], tmp_path: Path) -> None:
    hub = Store(tmp_path, place, "hub-1", "hub")
    copy = str(tmp_path / "copy")
    connection = sqlite3.connect(hub.home / DATABASE)
    connection.execute("create table users (name text)")
    connection.execute("insert into users values ('ada')")
    connection.commit()
    connection.execute("insert into users values ('not committed')")
    assert hub.do("back up hub", path=str(hub.home), copy=copy, database=True)["files"] == 1
    connection.close()
    (hub.home / DATABASE).write_bytes(b"broken")
    hub.do("restore hub", path=str(hub.home), copy=copy)
    connection = sqlite3.connect(hub.home / DATABASE)
    assert connection.execute("select name from users").fetchall() == [("ada",)]
    connection.close()
    assert hub.do("verify", root=copy, home=None, all=True, sample=5)["sample"] == 1
    hub.do("restore hub", path=str(tmp_path / "new volume" / "folder"), copy=copy)
    folder = tmp_path / "new volume" / "folder"
    assert {each.stat().st_uid for each in (folder, folder / DATABASE)} == {1000 if os.geteuid() == 0 else os.geteuid()}


@pytest.mark.backups
def test_what_a_new_hub_needs_is_fetched_to_a_file_and_not_printed(
    place: dict[str, str], tmp_path: Path, monkeypatch, capsys
) -> None:
    hub = Store(tmp_path, place, "hub-2", "hub")
    for name, folder in (("state.json", "STATE_FOLDER"), ("hub.json", "SECRETS")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(json.dumps({"from": name}))
        monkeypatch.setattr(worker, folder, str(tmp_path / folder))
    copy, target = str(tmp_path / "copy"), tmp_path / "fetched.json"
    assert hub.do("back up hub", copy=copy, database=False)["files"] == 2
    hub.do("fetch", copy=copy, fetched=str(target), wait=0)
    found = json.loads(target.read_text())
    assert (found["state"], found["secrets"]) == ({"from": "state.json"}, {"from": "hub.json"})
    assert capsys.readouterr().out == ""


# -- checking -----------------------------------------------------------------------------------------------------------


@pytest.mark.backups
def test_a_sample_is_restored_and_compared(store: Store) -> None:
    for number in range(5):
        (store.home / f"file {number}[x]").write_bytes(os.urandom(1000))
    store.back_up()
    (store.home / "file 0[x]").write_text("changed since")
    checked = store.do("verify", all=True, sample=10)
    assert (checked["sample"], checked["same"], checked["read"]) == (5, 4, "all")
    assert store.do("verify", all=False, sample=2)["sample"] == 2


@pytest.mark.backups
def test_a_file_that_was_replaced_behind_its_time_is_noticed(store: Store) -> None:
    path = store.home / "a"
    path.write_text("as it was")
    store.back_up()
    about = path.stat()
    path.write_text("otherwise")
    os.utime(path, ns=(about.st_mtime_ns, about.st_mtime_ns))
    with pytest.raises(Failed, match="a is restored with another content than it has"):
        store.do("verify", all=True, sample=10)


def test_a_flipped_bit_is_found(store: Store, object_store: Site) -> None:
    (store.home / "data").write_bytes(os.urandom(100_000))
    store.back_up()
    bucket = store.environment["BACKUP_TO"].rpartition("/")[2]
    token = object_store.token().json()["token"]
    (service,) = (each for each in token["catalog"] if each["type"] == "object-store")
    swift = object_store.client(service["endpoints"][0]["url"].removeprefix(object_store.url))
    packs = swift.get(f"/{bucket}", params={"prefix": f"{store.name}/data/", "format": "json"}).json()
    largest = max(packs, key=lambda each: each["bytes"])["name"]
    content = bytearray(swift.get(f"/{bucket}/{largest}").content)
    content[len(content) // 2] ^= 1
    assert swift.put(f"/{bucket}/{largest}", content=bytes(content)).status_code == 201
    with pytest.raises(Failed):
        store.do("verify", all=True, sample=10)


# -- interrupted --------------------------------------------------------------------------------------------------------


def hold(store: Store) -> subprocess.Popen[bytes]:
    """A backup that has its lock, and goes on until it is stopped."""
    store.repository.run("init")
    environment = store.repository._environment
    held = subprocess.Popen([RESTIC, "backup", "--stdin", "--host=ada"], env=environment, stdin=subprocess.PIPE)
    until(store.locks)
    return held


def test_a_killed_backup_leaves_no_lock_that_blocks_the_next_one(store: Store) -> None:
    held = hold(store)
    held.kill()
    held.wait()
    assert store.locks()
    (store.home / "a").write_text("a")
    assert store.back_up()["note"] == ""
    assert store.locks() == []


@pytest.mark.backups
def test_a_lock_of_a_pod_that_works_is_left_alone_and_there_is_a_backup_all_the_same(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(worker, "LOCK_WAIT", "1s")
    held = hold(store)
    (store.home / "a").write_text("a")
    made = store.back_up(alone=False)
    assert "old backups were not removed: another pod has locked the backups" in made["note"]
    assert held.poll() is None
    held.kill()
    held.wait()
    assert [each["id"] for each in store.repository.snapshots()] == [made["snapshot"]]


@pytest.mark.backups
def test_a_pod_that_is_made_to_stop_removes_its_lock(store: Store) -> None:
    (store.home / "data").write_bytes(os.urandom(60_000_000))
    store.repository.run("init")
    running = store.start("back up")
    until(store.locks)
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 143
    assert store.locks() == []


@pytest.mark.parametrize("moment", [0.3, 1.0])
@pytest.mark.backups
def test_a_kill_at_any_moment_leaves_a_repository_that_can_be_used(store: Store, moment: float) -> None:
    for number in range(20):
        (store.home / str(number)).write_bytes(os.urandom(1_000_000))
    running = store.start("back up")
    time.sleep(moment)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    store.back_up()
    assert store.do("verify", all=True, sample=3)["sample"] == 3
    assert Counter(read(store.home).keys()) == Counter(str(number) for number in range(20))
