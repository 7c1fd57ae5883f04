"""Waiting for something outside to happen: look, report why it has not happened yet, look again."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.text import Say, elapsed

T = TypeVar("T")

GROWTH = 1.3
"""Each pause between two looks is this many times the one before."""

clock = time.monotonic
sleep = anyio.sleep


@dataclass(frozen=True)
class NotYet:
    """What a look returns while there is nothing to return; `reason` is shown as progress."""

    reason: str = ""


class TimedOut(ZeroJHubError):
    """It did not happen in time; `reason` is what the last look gave."""

    def __init__(self, seconds: float, reason: str):
        super().__init__(f"{reason or 'nothing happened'} (waited {elapsed(seconds)})")
        self.seconds, self.reason = seconds, reason


async def wait_until(
    look: Callable[[], Awaitable[T | NotYet]],
    *,
    timeout: float | None = None,
    pause: tuple[float, float] = (0.5, 3.0),
    say: Say | None = None,
) -> T:
    """Call `look` until it returns something other than NotYet, and return that.

    `timeout` in seconds (None: no limit); `pause` is the first and the longest pause between two looks, in seconds.
    Raises TimedOut, and whatever `look` raises.
    """
    started, seconds = clock(), pause[0]
    while isinstance(found := await look(), NotYet):
        if say and found.reason:
            say(found.reason)
        if timeout is not None and clock() - started > timeout:
            raise TimedOut(timeout, found.reason)
        await sleep(seconds)
        seconds = min(seconds * GROWTH, pause[1])
    return found
