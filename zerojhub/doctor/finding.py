"""What a check finds: what is wrong, why it matters, what to do, and what would repair it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fix:
    """A repair that loses nothing and needs no administrator; `what` is as in "detach volume …"."""

    what: str
    act: Callable[[], Awaitable[None]] = field(compare=False)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with one resource."""

    kind: str
    """`cluster`, `server`, `volume` …"""
    name: str
    id: str | None
    problem: str
    """What is wrong."""
    why: str
    """Why it matters."""
    do: str
    """What to do about it: a command, with as many words around it as it needs."""
    fix: Fix | None = None

    def as_data(self) -> dict[str, Any]:
        """For programs: `fix` is what `--fix` would do, or None."""
        own = {key: getattr(self, key) for key in ("kind", "name", "id", "problem", "why", "do")}
        return {**own, "fix": self.fix.what if self.fix else None}


@dataclass(frozen=True)
class Unchecked:
    """Something that could not be looked at, and why."""

    check: str
    reason: str


@dataclass(frozen=True)
class Diagnosis:
    """All that a look has found; `looked_at` says at what."""

    looked_at: str
    findings: list[Finding]
    unchecked: list[Unchecked]

    @property
    def fixes(self) -> list[Fix]:
        return [each.fix for each in self.findings if each.fix]
