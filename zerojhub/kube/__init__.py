"""Kubernetes: its API, what runs in it, and why something is not ready."""

from __future__ import annotations

import re

from zerojhub.errors import UserError


def number(version: str) -> tuple[int, int, int]:
    """`v1.28.9-rancher1` as (1, 28, 9), `v1.30` as (1, 30, 0). UserError if it is not a version."""
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    if not match:
        raise UserError(f"{version!r} is not a Kubernetes version")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def minor(version: str) -> tuple[int, int]:
    """`v1.34.4` as (1, 34). UserError if it is not a version."""
    return number(version)[:2]
