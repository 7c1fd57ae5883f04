"""Kubernetes: its API, how it is reached, and why what is in it is not ready."""

from __future__ import annotations

import re

from zerojhub.errors import UserError


def minor(version: str) -> tuple[int, int]:
    """`v1.34.4`, or `v1.28.9-rancher1`, as (1, 34). UserError for what is no version."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    if not match:
        raise UserError(f"{version!r} is no Kubernetes version")
    return int(match[1]), int(match[2])
