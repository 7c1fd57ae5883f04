"""A deployment's secrets, generated once and kept, so that an upgrade logs nobody out."""

from __future__ import annotations

import secrets
import stat
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub import files, masking
from zerojhub.errors import UserError

if TYPE_CHECKING:
    from zerojhub.hub.charts import ChartValues

CRYPT_KEYS = "hub.config.CryptKeeper.keys"
"""Where the chart's Secret has the keys."""


def _token() -> str:
    return secrets.token_hex(32)


@dataclass(frozen=True)
class Secrets:
    """Each is 64 hexadecimal digits, as JupyterHub expects."""

    proxy_token: str = field(default_factory=_token, repr=False)
    """Shared by the hub and its proxy."""
    cookie_secret: str = field(default_factory=_token, repr=False)
    """Signs users' login cookies."""
    api_token: str = field(default_factory=_token, repr=False)
    """The token of zerojhub's own service in the hub."""
    crypt_keys: str = field(default="", repr=False)
    """The keys with which the hub encrypts its users' auth state, separated by `;`. The chart generates them."""

    def __post_init__(self) -> None:
        masking.remember(self.proxy_token, self.cookie_secret, self.api_token, *self.crypt_keys.split(";"))

    @classmethod
    def of(cls, folder: Path, release: ChartValues | None) -> Secrets:
        """The secrets in the release's values; what they lack from the file in `folder`, or else newly generated.

        The release takes precedence: another machine may have installed it, and its users are logged in by its secrets.
        Raises UserError if the file contains something else.
        """
        kept = _read(folder / "secrets.yaml")
        return cls(**(kept | _from_values(release or {})))

    def keep(self, folder: Path) -> None:
        """Write the file in `folder` (0600), atomically."""
        from zerojhub.yamlfile import dump

        path = folder / "secrets.yaml"
        if _read(path) == asdict(self) and stat.S_IMODE(path.stat().st_mode) == 0o600:
            return
        files.write(path, dump(asdict(self)).encode())


def _read(path: Path) -> dict[str, str]:
    from zerojhub.yamlfile import read_yaml

    if not path.exists():
        return {}
    kept, names = read_yaml(path), {each.name for each in fields(Secrets)}
    if not isinstance(kept, dict) or not set(kept) <= names or not all(isinstance(kept[key], str) for key in kept):
        raise UserError(
            "does not contain a hub's secrets", where=str(path), hint="remove the file to generate new ones"
        )
    return {key: str(value) for key, value in kept.items()}


def _from_values(values: ChartValues) -> dict[str, str]:
    keys = (((values.get("hub") or {}).get("config") or {}).get("CryptKeeper") or {}).get("keys") or []
    found = {
        "crypt_keys": ";".join(map(str, keys)) if isinstance(keys, list) else "",
        "proxy_token": (values.get("proxy") or {}).get("secretToken"),
        "cookie_secret": (values.get("hub") or {}).get("cookieSecret"),
        "api_token": (((values.get("hub") or {}).get("services") or {}).get("zerojhub") or {}).get("apiToken"),
    }
    return {key: value for key, value in found.items() if value}
