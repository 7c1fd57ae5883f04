"""Several things at once, with one plain exception when one of them fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup


@asynccontextmanager
async def task_group() -> AsyncIterator[TaskGroup]:
    """A task group whose first failure stops the others, and is raised as it is."""
    try:
        async with anyio.create_task_group() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


async def together(*awaitables: Awaitable[Any]) -> list[Any]:
    """Their results, in order. The first to fail stops the others, and its exception is raised as it is."""
    results: list[Any] = [None] * len(awaitables)

    async def run(place: int, awaitable: Awaitable[Any]) -> None:
        results[place] = await awaitable

    async with task_group() as tasks:
        for place, awaitable in enumerate(awaitables):
            tasks.start_soon(run, place, awaitable)
    return results
