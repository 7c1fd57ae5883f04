"""Concurrent tasks, with one plain exception when one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, overload

import anyio
from anyio.abc import TaskGroup

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


@asynccontextmanager
async def task_group() -> AsyncIterator[TaskGroup]:
    """A task group that cancels the other tasks when one fails, and raises that failure itself, not an exception group."""
    try:
        async with anyio.create_task_group() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        raise first_failure(group) from None


def first_failure(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The exception to report: the first one that is not merely a cancellation."""
    for error in group.exceptions:
        inner = first_failure(error) if isinstance(error, BaseExceptionGroup) else error
        if not isinstance(inner, asyncio.CancelledError):
            return inner
    return group.exceptions[0]


@overload
async def gather(first: Awaitable[A], second: Awaitable[B], /) -> tuple[A, B]: ...
@overload
async def gather(first: Awaitable[A], second: Awaitable[B], third: Awaitable[C], /) -> tuple[A, B, C]: ...
@overload
async def gather(
    first: Awaitable[A], second: Awaitable[B], third: Awaitable[C], fourth: Awaitable[D], /
) -> tuple[A, B, C, D]: ...
@overload
async def gather(*awaitables: Awaitable[A]) -> tuple[A, ...]: ...
async def gather(*awaitables: Awaitable[Any]) -> tuple[Any, ...]:
    """Await them concurrently; their results in order. The first failure cancels the others and is raised itself."""
    results: list[Any] = [None] * len(awaitables)

    async def run(place: int, awaitable: Awaitable[Any]) -> None:
        results[place] = await awaitable

    async with task_group() as tasks:
        for place, awaitable in enumerate(awaitables):
            tasks.start_soon(run, place, awaitable)
    return tuple(results)
