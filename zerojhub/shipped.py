"""Files that come along with the program: charts, ready deployments."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def shipped(*place: str) -> Path:
    """Inside the installed package, or beside it in a checkout."""
    inside = PACKAGE.joinpath(*place)
    return inside if inside.exists() else PACKAGE.parent.joinpath(*place)
