"""Files with secrets, which only their owner may read."""

from __future__ import annotations

from pathlib import Path

from zerojhub.errors import UserError


def read(path: Path) -> str:
    """The text of the file. UserError if it cannot be read, or if others can read it, too."""
    try:
        mode, text = path.stat().st_mode, path.read_text()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise UserError("is not text", where=str(path)) from None
    if mode & 0o077:
        raise UserError("others may read it", where=str(path), hint=f"chmod 600 {path.name}")
    return text
