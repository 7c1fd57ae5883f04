"""The practice cloud's OpenStack APIs: one ASGI app, with a package for each service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp

    from zerojhub.practice.ground import Ground
    from zerojhub.practice.profile import Profile


@dataclass(frozen=True)
class Settings:
    """Settings of the APIs."""

    password: str
    """Password of the user `practice`."""
    audit_file: Path
    """The audit log: one JSON line per request (time, service, method, path, status, user, request_id)."""
    registry: ASGIApp | None = None
    """An image registry to serve under /v2."""
    profile: Profile | None = None
    """The profile to serve. Default: `both`."""


def build(ground: Ground, settings: Settings) -> Starlette:
    """The app. Its lifespan runs the conductor; `app.state.store` has the records."""
    from zerojhub.practice.cloud.app import build_app

    return build_app(ground, settings)
