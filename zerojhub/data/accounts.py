"""The hub's accounts when it moves: a copy of its database from before, and the namespaces that are noted in it.

KubeSpawner notes in the state of each server the namespace that it was started in, and from then on uses that one, whatever
is configured (kubespawner issue 657). And a hub refuses a database that a newer one has upgraded, so that going back needs
the copy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerojhub.data import pods
from zerojhub.errors import ZeroJHubError
from zerojhub.hub.charts import at

if TYPE_CHECKING:
    from zerojhub.hub.charts import ChartValues
    from zerojhub.kube.client import Kube
    from zerojhub.text import Say

FILE = "jupyterhub.sqlite"
"""The chart's database, in the folder that its volume is mounted at."""
SCRIPT = """
import contextlib, json, os, sqlite3
folder, name = os.environ["FOLDER"], os.environ["NAME"]
database = os.path.join("/hub", folder, name)
copy, after = f"{database}.before-move", f"{database}.after-move"

def opened(path):
    return contextlib.closing(sqlite3.connect(path))

def version(path):
    with opened(path) as db:
        return db.execute("select version_num from alembic_version").fetchall()

def write(source, target):
    partial = f"{target}.partial"
    with contextlib.suppress(FileNotFoundError):
        os.remove(partial)
    with opened(source) as old, opened(partial) as new:
        old.backup(new)
    about = os.stat(source)
    os.chown(partial, about.st_uid, about.st_gid)
    os.chmod(partial, about.st_mode & 0o777)
    os.replace(partial, target)

found = {"there": os.path.exists(database), "restored": False, "servers": 0}
if found["there"]:
    if os.environ["BACK"] == "no":
        write(database, copy)
    elif os.path.exists(copy) and version(copy) != version(database):
        write(database, after)
        write(copy, database)
        found["restored"] = True
    with opened(database) as db, db:
        for number, state in db.execute("select id, state from spawners where state is not null").fetchall():
            noted = json.loads(state) or {}
            if noted.get("namespace") == os.environ["OLD"] != os.environ["NEW"]:
                noted["namespace"] = os.environ["NEW"]
                noted.pop("dns_name", None)
                db.execute("update spawners set state = ? where id = ?", (json.dumps(noted), number))
                found["servers"] += 1
    os.sync()
with open("/dev/termination-log", "w") as log:
    json.dump(found, log)
"""


@dataclass(frozen=True)
class Database:
    """The hub's database on its volume."""

    claim: str
    folder: str
    """Its folder on the volume; empty for the top."""
    name: str
    """Of the file."""
    image: str
    """The hub's, which has Python and SQLite."""


@dataclass(frozen=True)
class Prepared:
    """What was done to it."""

    restored: bool
    """The copy from before the move took its place."""
    servers: int
    """How many servers had another namespace."""


def on_volume(values: ChartValues, claim: str, image: str) -> Database | None:
    """The database of a hub with these merged values; None if it is not a file on the hub's own volume."""
    db = at(values, "hub", "db") or {}
    if (db.get("type") or "sqlite-pvc") != "sqlite-pvc":
        return None
    url = str(db.get("url") or f"sqlite:///{FILE}")
    return Database(claim, str(at(db, "pvc", "subPath") or ""), url.rsplit("/", 1)[-1], image)


async def prepare(
    kube: Kube, namespace: str, database: Database, *, noted: str, wanted: str, back: bool, say: Say
) -> Prepared:
    """Copy the database of a stopped hub, or with `back` restore the copy if a newer hub has upgraded the database.

    Then have its servers noted in the namespace `wanted` instead of `noted`. Repeatable. ZeroJHubError if it fails.
    """
    environment = {"FOLDER": database.folder, "NAME": database.name, "BACK": "yes" if back else "no"}
    environment |= {"OLD": noted, "NEW": wanted}
    command = ["python3", "-c", SCRIPT]
    mounts = {"/hub": database.claim}
    pod = pods.manifest(namespace, database.image, command, mounts, writable=["/hub"], environment=environment)
    async with pods.running(kube, pod, say) as name:
        try:
            said = await pods.finished(kube, namespace, name, "copying the hub's database", say)
            found = json.loads(said)
            return Prepared(bool(found["restored"]), int(found["servers"]))
        except (pods.PodFailed, ValueError, KeyError) as error:
            raise ZeroJHubError(f"cannot prepare the hub's database {database.name}: {error}") from None
