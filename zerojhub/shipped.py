"""Files shipped with the program: charts and deployment profiles."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def shipped(*place: str) -> Path:
    """The path in the installed package, or next to the package in a checkout."""
    inside = PACKAGE.joinpath(*place)
    return inside if inside.exists() else PACKAGE.parent.joinpath(*place)
