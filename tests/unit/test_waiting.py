"""Waiting: how often it looks, what it says meanwhile, and when it gives up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from zerojhub import waiting
from zerojhub.waiting import NotYet, TimedOut, wait_until


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which move the clock and take no time."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(waiting, "sleep", sleep)
    monkeypatch.setattr(waiting, "clock", lambda: sum(pauses))
    return pauses


def looks(*results: object) -> Callable[[], Any]:
    """A look with these results, of which the last one stays."""
    left = list(results)

    async def look() -> object:
        return left.pop(0) if len(left) > 1 else left[0]

    return look


def wait(look: Callable[[], Any], **options: Any) -> Any:
    return anyio.run(lambda: wait_until(look, **options))


def test_what_is_there_is_returned_without_a_pause(paused: list[float]) -> None:
    assert wait(looks("there")) == "there"
    assert paused == []


@pytest.mark.parametrize("nothing", [None, False, 0, ""])
def test_whatever_is_not_a_not_yet_is_a_result(paused: list[float], nothing: object) -> None:
    assert wait(looks(nothing)) == nothing
    assert paused == []


def test_pauses_grow_up_to_the_longest(paused: list[float]) -> None:
    assert wait(looks(*[NotYet()] * 6, "there"), pause=(1.0, 2.0)) == "there"
    assert paused == pytest.approx([1.0, 1.3, 1.69, 2.0, 2.0, 2.0])


def test_each_reason_is_said_and_none_is_not(paused: list[float]) -> None:
    said: list[str] = []
    wait(looks(NotYet("building"), NotYet(), NotYet("booting"), "there"), say=said.append)
    assert said == ["building", "booting"]


def test_it_gives_up_when_the_time_is_over_with_the_last_reason(paused: list[float]) -> None:
    said: list[str] = []
    with pytest.raises(TimedOut, match=r"^still booting \(waited 10 s\)$") as caught:
        wait(looks(NotYet("building"), NotYet("still booting")), timeout=10, pause=(4.0, 4.0), say=said.append)
    assert (caught.value.seconds, caught.value.reason) == (10, "still booting")
    assert paused == [4.0, 4.0, 4.0]
    assert said == ["building", *["still booting"] * 3], "also the reason of the last look is said"


def test_without_any_time_it_looks_and_gives_up_after_the_first_pause(paused: list[float]) -> None:
    with pytest.raises(TimedOut, match=r"^nothing happened"):
        wait(looks(NotYet()), timeout=0)
    assert len(paused) == 1


def test_without_a_timeout_it_waits_for_as_long_as_it_takes(paused: list[float]) -> None:
    assert wait(looks(*[NotYet()] * 500, "there"), pause=(60.0, 60.0)) == "there"


def test_what_a_look_raises_ends_it(paused: list[float]) -> None:
    async def look() -> object:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wait(look)
