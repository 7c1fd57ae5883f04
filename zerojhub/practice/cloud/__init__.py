"""The practice cloud's OpenStack APIs: one ASGI app, one file a service."""

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
    """What the daemon decides about the APIs."""

    password: str
    """Of the person's user."""
    audit_file: Path
    """Gets one JSON line for each request: time, service, method, path, status, user, request_id."""
    registry: ASGIApp | None = None
    """An image registry to serve under /v2."""
    profile: Profile | None = None
    """The cloud's manners; the default profile's without."""


def build(ground: Ground, settings: Settings) -> Starlette:
    """The app. Its lifespan runs the conductor; `app.state.cloud` has the records."""
    from zerojhub.practice.cloud.app import build_app

    return build_app(ground, settings)
