"""Waiting for what a test is about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 180
"""Seconds that anything may take, on a machine that does other things too."""


def until(look: Callable[[], T], pause: float = 0.5) -> T:
    """What `look` returns, as soon as it is something. Raises AssertionError when it never is. Between two looks it pauses, and
    as long as a look takes: what starts a program each time leaves the processor to what is waited for."""
    deadline = time.monotonic() + PATIENCE
    while True:
        started = time.monotonic()
        if found := look():
            return found
        ended = time.monotonic()
        assert ended < deadline, f"not after {PATIENCE} s"
        time.sleep(max(pause, ended - started))
