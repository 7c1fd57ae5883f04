"""Work on many objects at once, one at a time for each of them, tried again when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from zerojhub.practice.ground import GroundError

FIRST_RETRY, LAST_RETRY = 2.0, 60.0


class Work:
    """Tasks by key. A key that is being worked on is not started again; ends with the task that owns it."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, key: str, job: Callable[[], Awaitable[None]]) -> None:
        """Do `job` unless it is under way; after a GroundError, again and again with growing pauses."""
        if key not in self._tasks:
            task = self._tasks[key] = asyncio.create_task(self._until_done(job))
            task.add_done_callback(lambda _: self._tasks.pop(key, None))

    def drop(self, keep: set[str]) -> None:
        """End the work on keys that are no longer wanted."""
        for key, task in self._tasks.items():
            if key not in keep:
                task.cancel()

    async def _until_done(self, job: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_RETRY
        while True:
            try:
                return await job()
            except GroundError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LAST_RETRY)
