"""Profiles: ready-made deployments to start from, each a hub.yaml and a config.yaml in a folder of config/."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from zerojhub import files
from zerojhub.errors import UserError
from zerojhub.shipped import shipped
from zerojhub.text import nearest

DEFAULT = "minimal"
"""The profile of `zerojhub init` without a name."""
PASSWORD = "A-NEW-PASSWORD"
"""Placeholder in the files; each occurrence becomes a random password, so that no two hubs share one."""


@dataclass(frozen=True)
class Profile:
    """A profile; `what` says in one line what it is for."""

    name: str
    what: str


def listed() -> list[Profile]:
    """All profiles by name, the default first. `what` is the first line of the profile's hub.yaml."""
    files = sorted(
        shipped("config").glob("*/hub.yaml"), key=lambda file: (file.parent.name != DEFAULT, file.parent.name)
    )
    return [Profile(file.parent.name, file.read_text().partition("\n")[0].lstrip("# ")) for file in files]


def write(name: str, target: Path) -> list[Path]:
    """Write the profile's hub.yaml to `target` and its config.yaml (0600) next to it. Returns both paths.

    Raises UserError, and writes nothing, if the profile is unknown or one of the files exists.
    """
    names = [profile.name for profile in listed()]
    if name not in names:
        meant = nearest(name, names)
        raise UserError(
            f"unknown profile {name!r}", hint=f"did you mean {meant!r}?" if meant else f"profiles: {', '.join(names)}"
        )
    source = shipped("config", name)
    places = {source / "hub.yaml": (target, 0o644), source / "config.yaml": (target.with_name("config.yaml"), 0o600)}
    for path, _ in places.values():
        if path.exists():
            raise UserError("already exists; nothing was written", where=str(path), hint="start in a new folder")
    for file, (path, mode) in places.items():
        before, *after = file.read_text().split(PASSWORD)
        text = before + "".join(secrets.token_urlsafe(24) + part for part in after)
        try:
            files.create(path, text.encode(), mode=mode)
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror}", where=str(path)) from None
    return [path for path, _ in places.values()]
