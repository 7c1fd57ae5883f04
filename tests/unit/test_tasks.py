"""Concurrent tasks: results in order, and of all that fails the one that made the others stop."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from zerojhub.tasks import first_failure, gather, task_group


async def after(seconds: float, result: str) -> str:
    await anyio.sleep(seconds)
    return result


def test_results_have_the_order_of_what_was_asked_for() -> None:
    async def work() -> tuple[str, ...]:
        return await gather(after(0.03, "slow"), after(0.0, "fast"), after(0.01, "middling"))

    assert anyio.run(work) == ("slow", "fast", "middling")


def test_everything_is_done_at_the_same_time() -> None:
    met = anyio.Event

    async def work() -> tuple[str, str]:
        one, other = met(), met()

        async def first() -> str:
            one.set()
            await other.wait()
            return "first"

        async def second() -> str:
            other.set()
            await one.wait()
            return "second"

        with anyio.fail_after(5):
            return await gather(first(), second())

    assert anyio.run(work) == ("first", "second")


def test_the_first_failure_cancels_the_others_and_is_raised_itself() -> None:
    stopped = []

    async def wait() -> None:
        try:
            await anyio.sleep(60)
        finally:
            stopped.append("wait")
            raise KeyError("while it is stopped")

    async def fail() -> None:
        await anyio.sleep(0.01)
        raise ValueError("the cause")

    async def work() -> None:
        await gather(wait(), fail())

    with pytest.raises(ValueError, match="the cause"):
        anyio.run(work)
    assert stopped == ["wait"]


def test_a_failure_within_groups_is_found_and_a_cancellation_is_none() -> None:
    async def work() -> None:
        async with task_group() as outer:

            async def inner() -> None:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(anyio.sleep, 60)
                    await anyio.sleep(0.01)
                    raise ValueError("the cause")

            outer.start_soon(inner)

    with pytest.raises(ValueError, match="the cause"):
        anyio.run(work)
    cause, cancelled = ValueError("the cause"), asyncio.CancelledError()
    nested = BaseExceptionGroup("", [BaseExceptionGroup("", [cancelled]), BaseExceptionGroup("", [cause])])
    assert first_failure(nested) is cause
    assert first_failure(BaseExceptionGroup("", [cancelled])) is cancelled
