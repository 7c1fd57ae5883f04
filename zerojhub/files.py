"""Files that are written whole or not at all, as when the disk is full."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
