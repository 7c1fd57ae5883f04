"""Files that are written whole or not at all, as when the disk is full; read up to a limit; and safe from other users."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

LARGEST = 4_000_000
"""Bytes of a file that a person writes by hand, such as a hub's values; Kubernetes takes no object larger than 3 MiB."""

PART = ".part-"
"""What the name of a file begins with while it is being written."""
ABANDONED = 3600
"""Seconds after which such a file is that of a command that was killed."""


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
    with _blaming(path), _part(path, content, mode) as part:
        os.replace(part, path)


def create(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Create the file. FileExistsError if it is there, and OSError with the path if it cannot be written.

    It appears with all of its content, also if the process is killed meanwhile.
    """
    with _blaming(path), _part(path, content, mode) as part:
        try:
            os.link(part, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, mode))
            os.replace(part, path)
        else:
            part.unlink()


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
        if entry.name.startswith(PART):
            _remove_abandoned(Path(entry.path))
    return path


def is_own(path: Path, *, follow: bool = True) -> bool:
    """Does the file belong to this user, or to root, who can change everything anyway? Root works for who called sudo.

    Raises OSError.
    """
    caller = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    own = {0, os.geteuid(), *([int(caller)] if caller.isdecimal() else [])}
    return path.stat(follow_symlinks=follow).st_uid in own


def _remove_abandoned(part: Path) -> None:
    with suppress(FileNotFoundError):  # its process has just given it its name
        if time.time() - part.stat().st_mtime > ABANDONED:
            part.unlink()


@contextmanager
def _part(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """Within: a file beside the path with this content, which is removed if anything fails."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=PART)  # 0600
    part = Path(name)
    try:
        _fill(descriptor, content)
        part.chmod(mode)
        yield part
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _fill(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Within: an OSError names this file, and not a part of it or none."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
