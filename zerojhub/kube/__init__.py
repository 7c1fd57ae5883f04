"""Kubernetes: its API, what runs in it, and why something is not ready."""

from __future__ import annotations

import re

from zerojhub.errors import UserError


def minor(version: str) -> tuple[int, int]:
    """`v1.34.4` as (1, 34), `v1.28.9-rancher1` as (1, 28). UserError if it is not a version."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    if not match:
        raise UserError(f"{version!r} is not a Kubernetes version")
    return int(match[1]), int(match[2])
