"""The program of a backup pod: one action on the repository of one owner, as the variable TASK says.

Lines on standard output are JSON, for lists. The result, or what went wrong, is the pod's termination message. Runs in the hub's
image, with restic beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from zerojhub.backup.pod import HOME, SCRATCH, SECRETS, STATE_FOLDER, TOOLS, Task
from zerojhub.hub.database import DATABASE, HUB, DatabaseError, copy_database, find_database, replace_database

Result = dict[str, Any]

UNREADABLE = 3
"""Exit code of `restic backup`: there is a snapshot, without some files that could not be read."""
NO_REPOSITORY, LOCKED, WRONG_PASSWORD = 10, 11, 12
REASONS = {
    NO_REPOSITORY: "there are no backups yet",
    LOCKED: "another pod has locked the backups",
    WRONG_PASSWORD: "the password is not the one of the backups that are there",
}
ANSWER = 120
"""Seconds for the store to answer at all: restic tries again for a quarter of an hour. Longer waits are for data."""
LOCK_WAIT = "5m"
"""How long to wait for another pod's lock."""
STOP = 15
"""Seconds for restic to end in an orderly way."""
COPY = f"{SCRATCH}/hub"
"""Where the copy of the hub's database is when it is backed up, and in every snapshot."""
SLOTS = 10
"""Runs of `verify` that together read all that is stored."""
TAKEN = 300
"""Seconds after which nobody will read what was fetched."""
LONGEST = 1000
"""Characters of a message; Kubernetes keeps 4096 bytes."""


class Failed(Exception):
    """What went wrong, in a line."""


class Repository:
    """An owner's repository. Everything raises Failed."""

    def __init__(self, task: Task, environment: dict[str, str] | None = None, program: str = f"{TOOLS}/restic"):
        given = environment or dict(os.environ)
        url = f"{given['BACKUP_TO'].rstrip('/')}/{task['name']}"
        own = {"RESTIC_REPOSITORY": url, "RESTIC_PROGRESS_FPS": "0.016"}
        defaults = {
            "RESTIC_PASSWORD_FILE": f"{SECRETS}/password",
            "RESTIC_CACHE_DIR": f"{SCRATCH}/cache",
            "TMPDIR": SCRATCH,
        }
        self._environment = {**defaults, **given, **own}
        self._program, self.host = program, str(task["host"])

    def run(self, *words: str, good: Sequence[int] = (0,), timeout: float | None = None) -> tuple[int, str]:
        """The exit code, one of the `good` ones, and standard output. When interrupted, restic removes its lock first."""
        with subprocess.Popen(
            [self._program, *words],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
        ) as process:
            try:
                printed, errors = process.communicate(timeout=timeout)
            except BaseException as interrupt:
                process.terminate()
                try:
                    _, errors = process.communicate(timeout=STOP)
                except subprocess.TimeoutExpired:
                    process.kill()
                    _, errors = process.communicate()
                if isinstance(interrupt, subprocess.TimeoutExpired):
                    raise Failed(f"the store does not answer: {reason(1, errors, 'context canceled')}") from None
                raise
        if process.returncode not in good:
            raise Failed(reason(process.returncode, errors))
        return process.returncode, printed

    def unlock(self, *, alone: bool) -> bool:
        """Remove locks that pods have left that were killed. False if there is no repository yet.

        `alone`: no other pod works on it.
        """
        code, _ = self.run("unlock", *["--remove-all"] * alone, good=(0, NO_REPOSITORY), timeout=ANSWER)
        return code == 0

    def snapshots(self) -> list[Result]:
        """The owner's backups, oldest first."""
        words = ("snapshots", "--json", "--no-lock", f"--host={self.host}")
        code, printed = self.run(*words, good=(0, NO_REPOSITORY), timeout=ANSWER)
        found = json.loads(printed) if code == 0 else []
        return [_snapshot(each) for each in sorted(found, key=lambda each: str(each["time"]))]

    def chosen(self, at: str) -> Result:
        """The backup with that ID, the last one until that time, or the last one of all if `at` is empty."""
        every = self.snapshots()
        if not every:
            raise Failed(f"there are no backups of {self.host}")
        if re.fullmatch("[0-9a-f]{8,64}", at):
            found = [each for each in every if each["id"].startswith(at[:8])]
        else:
            found = [each for each in every if not at or moment(each["time"]) <= moment(at)]
        if not found:
            raise Failed(f"there is no backup of {self.host} until then; the first one is of {every[0]['time'][:16]}")
        return found[-1]

    def entries(self, snapshot: str, folder: str) -> Iterator[Result]:
        """What is in that folder of the backup: path, type, size and time, without the folder itself."""
        _, printed = self.run("ls", "--json", "--no-lock", snapshot, folder, "--recursive")
        for line in printed.splitlines():
            node = json.loads(line)
            if node.get("struct_type", node.get("message_type")) == "node" and node["path"] != folder:
                yield node


def reason(code: int, errors: str, but: str | None = None) -> str:
    """What restic said, in a line, which does not contain `but`."""
    if code in REASONS:
        return REASONS[code]
    lines = [line.strip() for line in errors.splitlines() if line.strip() and not (but and but in line)]
    said = [line for line in lines if "Fatal" in line or "rror" in line] or lines
    words = said[-1] if said else f"restic ended with code {code}"
    with suppress(ValueError, KeyError, TypeError):
        words = json.loads(words)["message"]
    return str(words).removeprefix("Fatal: ")[:LONGEST]


def moment(text: str) -> datetime:
    """A time of restic's, which has up to nine digits after the second. Pythons before 3.11 read six, and no `Z`."""
    return datetime.fromisoformat(re.sub(r"\.(\d+)", lambda found: f".{found[1][:6]:0<6}", text).replace("Z", "+00:00"))


def _snapshot(found: Result) -> Result:
    summary = found.get("summary") or {}
    return {
        "id": found["id"][:8],
        "time": found["time"],
        "files": summary.get("total_files_processed"),
        "bytes": summary.get("total_bytes_processed"),
        "added": summary.get("data_added"),
        "tags": found.get("tags") or [],
    }


# -- making backups -----------------------------------------------------------------------------------------------------


def prepare(task: Task, repository: Repository) -> Result:
    """Create the repository if it is not there, and the bucket. Fails if the password or the credentials are wrong.

    Creates before it looks: with S3, restic tries again for minutes to read from a bucket that is not there.
    """
    try:
        repository.run("init", timeout=ANSWER)
    except Failed as error:
        if not re.search("already (exists|initialized)", str(error)):
            raise
    repository.run("cat", "config", timeout=ANSWER)
    return {}


def back_up(task: Task, repository: Repository) -> Result:
    """Back up a user's files, then remove the backups that are not to be kept."""
    return _back_up(task, repository, str(task.get("path", HOME)))


def back_up_hub(task: Task, repository: Repository) -> Result:
    """Back up a copy of the hub's database, with what else is needed for a new hub."""
    folder = Path(str(task.get("copy", COPY)))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    if task["database"]:
        copy_database(find_database(Path(str(task.get("path", HUB)))), folder / DATABASE)
    for name, source in (("state.json", STATE_FOLDER), ("hub.json", SECRETS)):
        if (there := Path(source) / name).exists():
            shutil.copy(there, folder / name)
    return _back_up(task, repository, str(folder))


def _back_up(task: Task, repository: Repository, path: str) -> Result:
    first = not repository.unlock(alone=bool(task.get("alone")))
    if first:
        repository.run("init", timeout=ANSWER)
    tags = [f"--tag={tag}" for tag in task.get("tags", ())]
    words = ["backup", "--json", "--no-scan", f"--host={repository.host}", "--group-by=host,paths", *tags]
    code, printed = repository.run(*words, f"--exclude={path}/lost+found", path, good=(0, UNREADABLE))
    summary = json.loads(printed.splitlines()[-1])
    result = {
        "snapshot": summary["snapshot_id"][:8],
        "files": summary["total_files_processed"],
        "bytes": summary["total_bytes_processed"],
        "added": summary["data_added"],
        "note": "some files could not be read" if code == UNREADABLE else "",
    }
    if first:
        return result
    try:
        _forget(task, repository)
    except Failed as error:  # there is a backup all the same
        result["note"] = f"old backups were not removed: {error}"
    return result


def _forget(task: Task, repository: Repository) -> None:
    keep = [f"--keep-{period}={number}" for period, number in task["keep"].items() if number]
    # What saved the hub before an upgrade stays as long as the others of its day.
    words = ["forget", "--prune", "--max-unused=10%", f"--host={repository.host}", "--group-by=host,paths"]
    repository.run(*words, *keep, f"--retry-lock={LOCK_WAIT}")


def prune(task: Task, repository: Repository) -> Result:
    """Remove the backups that are not to be kept, and what nothing refers to."""
    if not repository.unlock(alone=bool(task.get("alone"))):
        return {"before": 0, "after": 0}
    before = len(repository.snapshots())
    _forget(task, repository)
    repository.run("prune", "--max-unused=0", f"--retry-lock={LOCK_WAIT}")
    return {"before": before, "after": len(repository.snapshots())}


# -- looking at them ----------------------------------------------------------------------------------------------------


def list_snapshots(task: Task, repository: Repository) -> Result:
    """Print the backups of each of the owners."""
    for owner in task["owners"]:
        show({"owner": owner, "snapshots": _of(owner, repository).snapshots()})
    return {}


def _of(owner: Task, like: Repository) -> Repository:
    return Repository(owner, like._environment, like._program)


def list_files(task: Task, repository: Repository) -> Result:
    """Print what is in a folder of a backup."""
    chosen, root = repository.chosen(task["at"]), str(task.get("root", HOME))
    place = str(task["path"]).strip("/")
    for node in repository.entries(chosen["id"], f"{root}/{place}".rstrip("/")):
        path = node["path"].removeprefix(f"{root}/")
        show({"path": path, "type": node["type"], "bytes": node.get("size", 0), "changed": node["mtime"][:19]})
    return chosen


# -- restoring ----------------------------------------------------------------------------------------------------------


def restore(task: Task, repository: Repository) -> Result:
    """Restore files to a new folder of a home (`into`, by default with the date of the backup), or `over` what is there.

    `exact`: then nothing else is in the home, and what was written is read again and compared.
    """
    home, root = Path(str(task.get("home", HOME))), str(task.get("root", HOME))
    chosen, path = repository.chosen(task["at"]), str(task["path"]).strip("/")
    if path and not any(_is_at(node, f"{root}/{path}") for node in _around(repository, chosen, root, path)):
        raise Failed(f"{path} is not in the backup of {chosen['time'][:16]}")
    if task["over"]:
        return chosen | {"into": ""} | _restore(repository, chosen, root, path, home, exact=bool(task.get("exact")))
    into = str(task["into"] or _free(home, f"restored-{chosen['time'][:10]}")).strip("/")
    target = home / into
    partial = target.with_name(f".{target.name}.partial")
    if target.exists() or target.is_symlink():
        raise Failed(f"the folder {into} is there already")
    if not inside(target.parent, home):
        raise Failed(f"{into} is not a folder in the home")
    needed, free = chosen["bytes"] or 0, shutil.disk_usage(home).free
    if not path and needed > free:
        raise Failed(f"it needs {needed >> 20} MB, and {free >> 20} MB are free")
    shutil.rmtree(partial, ignore_errors=True)
    made = [each for each in (partial, *partial.parents) if not each.exists()]
    partial.mkdir(parents=True)
    result = _restore(repository, chosen, root, path, partial)
    for folder in made:
        os.chown(folder, *_ids(home))
    partial.rename(target)
    return chosen | {"into": into} | result


def _free(home: Path, name: str) -> str:
    """The name, with a number if there is something of that name."""
    return next(each for each in (name, *(f"{name}-{n}" for n in range(2, 1000))) if not (home / each).exists())


def inside(path: Path, home: Path) -> bool:
    """Whether nothing on the way leads out of the home: a user can put a symbolic link anywhere in it."""
    while not path.exists():
        path = path.parent
    return path.resolve().is_relative_to(home.resolve()) and ".." not in path.parts


def _ids(home: Path) -> tuple[int, int]:
    """Whose the files in a home are: its own owner's, or what most images have."""
    there = home.stat()
    return (there.st_uid or 1000, there.st_gid or 100)


def _around(repository: Repository, chosen: Result, root: str, path: str) -> Iterator[Result]:
    """What is in the folder that the path is in."""
    folder = f"{root}/{path}".rpartition("/")[0]
    _, printed = repository.run("ls", "--json", "--no-lock", chosen["id"], folder)
    return (json.loads(line) for line in printed.splitlines())


def _is_at(node: Result, path: str) -> bool:
    return bool(node.get("path") == path)


def _restore(
    repository: Repository, chosen: Result, root: str, path: str, target: Path, *, exact: bool = False
) -> Result:
    which = [f"--include=/{escaped(path)}"] if path else []
    if exact:
        which = ["--delete", "--exclude=/lost+found", "--verify"]
    words = ["restore", f"{chosen['id']}:{root}", f"--target={target}", "--json", "--sparse", *which]
    _, printed = repository.run(*words)
    summary = json.loads(printed.splitlines()[-1])
    return {"files": summary.get("files_restored", 0), "bytes": summary.get("bytes_restored", 0)}


def escaped(path: str) -> str:
    """The path as a pattern of restic's that only it matches."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", path)


def restore_hub(task: Task, repository: Repository) -> Result:
    """Put the hub's database back. The hub does not run. The one that is there is kept beside it."""
    volume, root = Path(str(task.get("path", HUB))), str(task.get("copy", COPY))
    chosen, folder = repository.chosen(task["at"]), Path(str(task.get("scratch", f"{SCRATCH}/restored")))
    repository.run("restore", f"{chosen['id']}:{root}", f"--target={folder}", f"--include=/{DATABASE}")
    if not (folder / DATABASE).exists():
        raise Failed("the backup has no database: the hub's was not on its volume")
    replace_database(folder / DATABASE, volume)
    return chosen


def fetch(task: Task, repository: Repository) -> Result:
    """Put what a new hub needs into a file, from which it is read by whoever has started the pod: it is not for a log."""
    chosen, folder = repository.chosen(task["at"]), Path(str(task.get("scratch", f"{SCRATCH}/hub-backup")))
    root, target = str(task.get("copy", COPY)), Path(str(task.get("fetched", f"{SCRATCH}/fetched.json")))
    names = {"state": "state.json", "secrets": "hub.json"}
    includes = [f"--include=/{name}" for name in names.values()]
    repository.run("restore", f"{chosen['id']}:{root}", f"--target={folder}", *includes)
    found = {key: json.loads(_text(folder / name)) for key, name in names.items()}
    part = target.with_name("fetched.part")
    part.write_text(json.dumps(found | {"time": chosen["time"]}))
    part.replace(target)
    time.sleep(float(task.get("wait", TAKEN)))
    return {}


def _text(path: Path) -> str:
    """The text of a file of a backup; an empty mapping if it is not there."""
    return path.read_text() if path.exists() else "{}"


# -- verifying ----------------------------------------------------------------------------------------------------------


def verify(task: Task, repository: Repository) -> Result:
    """Check the repository, restore a sample of the last backup, and compare it with the files that have not changed since."""
    if not repository.unlock(alone=bool(task.get("alone"))):
        raise Failed(f"there are no backups of {repository.host}")
    slot = datetime.now().toordinal() % SLOTS + 1
    subset = "--read-data" if task["all"] else f"--read-data-subset={slot}/{SLOTS}"
    repository.run("check", subset, f"--retry-lock={LOCK_WAIT}")
    chosen, root = repository.chosen(""), str(task.get("root", HOME))
    scratch = Path(str(task.get("scratch", f"{SCRATCH}/sample")))
    files = [node for node in repository.entries(chosen["id"], root) if node["type"] == "file"]
    sample = random.sample(files, min(int(task["sample"]), len(files)))
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    if sample:
        patterns = scratch.with_name("patterns")
        patterns.write_text(
            "".join(f"/{escaped(node['path'].removeprefix(f'{root}/'))}\n" for node in sample),
            errors="surrogateescape",
        )
        words = ["restore", f"{chosen['id']}:{root}", f"--target={scratch}", f"--include-file={patterns}", "--verify"]
        repository.run(*words)
    home = Path(str(task["home"])) if task.get("home") else None
    same = sum(_compare(node, scratch / node["path"].removeprefix(f"{root}/"), home, root) for node in sample)
    return chosen | {"sample": len(sample), "same": same, "read": "all" if task["all"] else f"1/{SLOTS}"}


def _compare(node: Result, restored: Path, home: Path | None, root: str) -> bool:
    """Whether the file is as in the home; False if that is another one by now. Failed if it is not as in the backup."""
    name = node["path"].removeprefix(f"{root}/")
    if not restored.is_file() or restored.stat().st_size != node.get("size", 0):
        raise Failed(f"{name} is not restored as it was")
    live = home / name if home else None
    if live is None or live.is_symlink() or not live.is_file():
        return False
    about = live.stat()
    if about.st_size != node.get("size", 0) or int(about.st_mtime) != int(moment(node["mtime"]).timestamp()):
        return False
    if digest(live) != digest(restored):
        raise Failed(f"{name} is restored with another content than it has")
    return True


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()


# -- as a program -------------------------------------------------------------------------------------------------------

ACTIONS: dict[str, Callable[[Task, Repository], Result]] = {
    "prepare": prepare,
    "back up": back_up,
    "back up hub": back_up_hub,
    "prune": prune,
    "list": list_snapshots,
    "files": list_files,
    "restore": restore,
    "restore hub": restore_hub,
    "fetch": fetch,
    "verify": verify,
}


def show(line: Result) -> None:
    """Print a line of a list."""
    print(json.dumps(line))


def perform(task: Task, repository: Repository) -> tuple[int, Result]:
    """Do it: an exit code, and the result or the `problem`."""
    started = time.monotonic()
    try:
        result = ACTIONS[task["action"]](task, repository)
    except (Failed, DatabaseError) as error:
        return 1, {"problem": str(error)}
    except OSError as error:
        return 1, {"problem": f"{error.strerror}: {error.filename}"[:LONGEST]}
    return 0, result | {"seconds": round(time.monotonic() - started, 1)}


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    task = json.loads(os.environ["TASK"])
    code, result = perform(task, Repository(task))
    Path("/dev/termination-log").write_text(json.dumps(result))
    return code


if __name__ == "__main__":
    sys.exit(main())
