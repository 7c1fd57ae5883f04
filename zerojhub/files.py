"""Files that are written whole or not at all, as when the disk is full; read up to a limit; and safe from other users."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LARGEST = 4_000_000
"""Bytes of a file that a person writes by hand, such as a hub's values; Kubernetes takes no object larger than 3 MiB."""


def read(path: Path, *, most: int = LARGEST) -> bytes:
    """The file's content. Raises OSError, also for a file of more than so many bytes, which may have no end."""
    with path.open("rb") as file:
        return read_all(file, most=most)


def read_all(file: BinaryIO, *, most: int = LARGEST) -> bytes:
    """What is left to read of an open file, as `read` returns it."""
    content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most / 1e6:.0f} million bytes", file.name)
    return content


def write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write the file, in place of an existing one. Several processes may do so at once. Raises OSError with the path."""
    with _blaming(path):
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")  # 0600
        with _all_or_nothing(Path(part)):
            _fill(descriptor, content)
            os.chmod(part, mode)
            os.replace(part, path)


def create(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Create the file. FileExistsError if it is there, and OSError with the path if it cannot be written."""
    with _blaming(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with _all_or_nothing(path):
            _fill(descriptor, content)


def private_folder(path: Path) -> Path:
    """The folder for files of the program's own, created if needed; only this user can read it.

    Raises OSError if it belongs to somebody else, or has a link in place of a file: what is read there is trusted, and what
    is written there must not end up elsewhere.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for follow in (False, True):  # a link may be somebody else's, too
        if not is_own(path, follow=follow):
            raise OSError(errno.EPERM, "belongs to another user: its files could be anything", str(path))
    about = path.stat()
    if about.st_uid == os.geteuid() and stat.S_IMODE(about.st_mode) != 0o700:
        path.chmod(0o700)
    for entry in os.scandir(path):
        if entry.is_symlink():
            raise OSError(errno.ELOOP, "a link in place of a file of zerojhub's: remove it", entry.path)
    return path


def is_own(path: Path, *, follow: bool = True) -> bool:
    """Does the file belong to this user, or to root, who can change everything anyway? Root works for who called sudo.

    Raises OSError.
    """
    caller = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    own = {0, os.geteuid(), *([int(caller)] if caller.isdecimal() else [])}
    return path.stat(follow_symlinks=follow).st_uid in own


def _fill(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _all_or_nothing(path: Path) -> Iterator[None]:
    """Within: if anything fails, the file is removed."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Within: an OSError names this file, and not a part of it or none."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
