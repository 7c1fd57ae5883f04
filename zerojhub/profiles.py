"""Ready deployments to start from: a hub.yaml and a config.yaml each, in a folder of its name below config/."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from zerojhub.errors import UserError
from zerojhub.shipped import shipped
from zerojhub.text import nearest

LEAST = "minimal"
"""The profile that is meant when none is named."""
PASSWORD = "A-NEW-PASSWORD"
"""Stands where a password of one's own belongs: each is made anew, so that no two hubs have the same."""


def listed() -> list[dict[str, str]]:
    """Rows with name and what: the first line of the profile's hub.yaml."""
    files = sorted(shipped("config").glob("*/hub.yaml"), key=lambda file: (file.parent.name != LEAST, file.parent.name))
    return [{"name": file.parent.name, "what": file.read_text().partition("\n")[0].lstrip("# ")} for file in files]


def write(name: str, target: Path) -> list[Path]:
    """Write the profile: its hub.yaml as `target`, and its config.yaml beside that, which only its owner can read.

    UserError: no such profile, or one of the files is there already; then nothing is written.
    """
    names = [row["name"] for row in listed()]
    if name not in names:
        meant = nearest(name, names)
        raise UserError(
            f"no profile named {name!r}", hint=f"did you mean {meant!r}?" if meant else f"profiles: {', '.join(names)}"
        )
    source = shipped("config", name)
    places = {source / "hub.yaml": (target, 0o644), source / "config.yaml": (target.with_name("config.yaml"), 0o600)}
    for path, _ in places.values():
        if path.exists():
            raise UserError("is there already, and is left as it is", where=str(path), hint="begin in a new folder")
    for file, (path, mode) in places.items():
        before, *after = file.read_text().split(PASSWORD)
        text = before + "".join(secrets.token_urlsafe(24) + part for part in after)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror}", where=str(path)) from None
        with os.fdopen(descriptor, "w") as opened:
            opened.write(text)
    return [path for path, _ in places.values()]
