"""Settings of the practice cloud's OpenStack APIs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from zerojhub.practice.profile import Profile


@dataclass(frozen=True)
class Settings:
    """What the daemon decides about the APIs."""

    password: str
    """Password of the user `practice`."""
    audit_file: Path
    """The audit log: one JSON line per request (time, service, method, path, status, user, request_id)."""
    registry: ASGIApp | None = None
    """An image registry to serve under /v2."""
    snapshot: Path | None = None
    """The file to keep what the practice cloud is. Default: nothing of it outlives its process."""
    profile: Profile | None = None
    """The profile to serve. Default: `both`."""
