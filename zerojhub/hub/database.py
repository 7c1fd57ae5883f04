"""The hub's database on its volume: copying it while the hub runs, and replacing it while it does not.

Also a program, `save FILE` or `put-back FILE`, for a pod that has the volume: it needs nothing but Python's standard library.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

HUB = "/srv/jupyterhub"
"""Where the hub's volume is in its pod, and in ours."""
DATABASE = "jupyterhub.sqlite"
USER = 1000
"""The user and the group that the charts' hubs run as."""


class DatabaseError(Exception):
    """Why it cannot be copied, in a line."""


def find_database(folder: Path) -> Path:
    """The hub's database on its volume."""
    found = sorted(folder.rglob(DATABASE), key=lambda path: path.stat().st_mtime)
    if not found:
        raise DatabaseError(f"the hub's volume has no {DATABASE}")
    return found[-1]


def copy_database(source: Path, target: Path) -> None:
    """Copy a database that is in use, as it is at one moment."""
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True, timeout=60)) as here,
            closing(sqlite3.connect(target)) as there,
        ):
            here.backup(there)
            (state,) = there.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        raise DatabaseError(f"the hub's database cannot be copied: {error}") from None
    if state != "ok":
        raise DatabaseError(f"the hub's database is damaged: {state}")


def save_database(volume: Path, name: str) -> None:
    """Keep a copy beside it, in place of an earlier copy of that name."""
    source = find_database(volume)
    part = source.with_name(f"{name}.part")
    part.unlink(missing_ok=True)
    copy_database(source, part)
    part.chmod(0o600)
    part.replace(source.with_name(name))


def replace_database(source: Path, volume: Path) -> None:
    """Have the hub's volume contain this database. The one that is there is kept with the time in its name.

    `volume`: or the folder of it that the hub uses.
    """
    if not volume.exists():
        volume.mkdir(parents=True)
        if os.geteuid() == 0:
            os.chown(volume, USER, USER)
    try:
        target = find_database(volume)
    except DatabaseError:
        target = volume / DATABASE
    about = target.stat() if target.exists() else volume.stat()
    ids = about.st_uid, about.st_gid
    if not target.exists():  # a new volume is root's
        ids = about.st_uid or USER, about.st_gid or USER
    part = target.with_name(f"{DATABASE}.part")
    part.unlink(missing_ok=True)
    copy_database(source, part)
    if os.geteuid() == 0:
        os.chown(part, *ids)
    part.chmod(stat.S_IMODE(about.st_mode) if target.exists() else 0o600)
    if target.exists():
        target.rename(target.with_name(f"{DATABASE}.{time.strftime('%Y%m%d%H%M%S', time.gmtime())}"))
    # What an interrupted hub has left would be applied to a database that it does not belong to.
    target.with_name(f"{DATABASE}-journal").unlink(missing_ok=True)
    part.rename(target)


def main(action: str, name: str) -> None:
    """Save the database of the mounted volume, or put back what was saved. The pod's message says what went wrong."""
    volume = Path(HUB)
    try:
        if action == "save":
            save_database(volume, name)
        else:
            replace_database(find_database(volume).with_name(name), volume)
    except (DatabaseError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
