"""A deployment's secrets: made once and kept, so that an upgrade logs nobody out."""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from zerojhub.errors import UserError


def _token() -> str:
    return secrets.token_hex(32)


@dataclass(frozen=True)
class Secrets:
    """Each 64 hex digits, as JupyterHub takes them."""

    proxy_token: str = field(default_factory=_token, repr=False)
    """Between the hub and its proxy."""
    cookie_secret: str = field(default_factory=_token, repr=False)
    """What people's logins are signed with."""
    api_token: str = field(default_factory=_token, repr=False)
    """What this program speaks to the hub with."""

    @classmethod
    def of(cls, folder: Path, release: dict[str, Any] | None) -> Secrets:
        """What the release's values have; else what this machine keeps; else new ones.

        The release comes first: another machine may have made it, with secrets that people are logged in by.
        """
        kept = _read(folder / "secrets.yaml")
        return cls(**(kept | _from_values(release or {})))

    def keep(self, folder: Path) -> None:
        """Write them down, for the owner's eyes only, whole or not at all."""
        from ruamel.yaml import YAML

        path = folder / "secrets.yaml"
        if _read(path) == asdict(self):
            return
        part = path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            YAML(typ="safe").dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def _read(path: Path) -> dict[str, str]:
    from zerojhub.deployment import read_yaml

    if not path.exists():
        return {}
    kept, names = read_yaml(path), {each.name for each in fields(Secrets)}
    if not isinstance(kept, dict) or not set(kept) <= names or not all(isinstance(kept[key], str) for key in kept):
        raise UserError(
            "these are not the secrets of a hub", where=str(path), hint="remove the file to have new ones made"
        )
    return {key: str(value) for key, value in kept.items()}


def _from_values(values: dict[str, Any]) -> dict[str, str]:
    found = {
        "proxy_token": (values.get("proxy") or {}).get("secretToken"),
        "cookie_secret": (values.get("hub") or {}).get("cookieSecret"),
        "api_token": (((values.get("hub") or {}).get("services") or {}).get("zerojhub") or {}).get("apiToken"),
    }
    return {key: value for key, value in found.items() if value}
