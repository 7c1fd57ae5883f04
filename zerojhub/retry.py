"""Transient faults: which failures may pass, how long to wait, how often to try again, and what is said meanwhile.

The only place that decides this. A client sends a request through `attempts` and raises Transient for a failure that may
pass. Reads are sent again, and so are writes that have the same effect when they are repeated. Any other write whose answer
is lost raises OutcomeUnknown; `settle` then looks whether it was done before it is sent again.
"""

from __future__ import annotations

import math
import random
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from zerojhub.clocks import date_of
from zerojhub.errors import ZeroJHubError
from zerojhub.text import Say, plural

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses of answers that may be different the next time."""
ATTEMPTS = 5
"""Consecutive failures after which a request has failed."""
LIMIT = 60.0
"""Seconds after its start in which a request may be sent again."""
FIRST, GROWTH, JITTER = 1.0, 3.0, 0.2
"""Seconds of the first pause, the factor from one pause to the next, and the share by which pauses vary at random."""

NEVER_SENT = frozenset(
    {
        "httpx.ConnectError",
        "httpx.ConnectTimeout",
        "httpx.PoolTimeout",
        "httpx.ProxyError",
        "urllib3.ConnectTimeoutError",
        "urllib3.NameResolutionError",
        "urllib3.NewConnectionError",
    }
)
"""Exceptions of a request that failed before it was sent, by name: importing a library to compare with it is slow."""

INVALID = frozenset({"InvalidProxyURL", "InvalidSchema", "InvalidURL", "MissingSchema", "UnsupportedProtocol"})
"""Exceptions of a URL that cannot be requested at all, by name."""

INCOMPLETE = "incomplete answer"
"""The answer of a service whose body, or the JSON in it, is cut short."""

clock = time.monotonic
sleep = anyio.sleep

_report: ContextVar[Say] = ContextVar("report")


@dataclass(frozen=True)
class Fault:
    """Why a request failed that may succeed if it is sent again."""

    service: str
    """As people know it: container-infra, Kubernetes, hub."""
    answer: str
    """What it answered, in a few words: 503, connection refused."""
    nothing_done: bool = False
    """The request certainly had no effect, as it was never sent."""
    retry_after: float | None = None
    """The seconds that the service asks to wait."""
    expected: bool = False
    """It is part of normal operation, and is not reported."""


class Transient(Exception):
    """One attempt failed with a fault that may pass. `error` is what the user sees if it does not."""

    def __init__(self, fault: Fault, error: ZeroJHubError):
        super().__init__(f"{fault.service}: {fault.answer}")
        self.fault, self.error = fault, error


class OutcomeUnknown(ZeroJHubError):
    """A write was sent and its answer lost: whether it was done can only be found out by looking (exit code 1)."""

    def __init__(self, fault: Fault, error: ZeroJHubError):
        super().__init__(
            error.message, where=error.where, hint=error.hint or "look whether it was carried out all the same"
        )
        self.fault, self.error = fault, error


@contextmanager
def reported(say: Say) -> Iterator[None]:
    """Within: `say` gets a line for every fault before the request is sent again, and when its service responds again."""
    token = _report.set(say)
    try:
        yield
    finally:
        _report.reset(token)


def report_to(say: Say) -> None:
    """As `reported`, from now on."""
    _report.set(say)


async def attempts(attempt: Callable[[], Awaitable[T]], *, repeatable: bool, limit: int = ATTEMPTS) -> T:
    """The result of the first attempt that does not raise Transient.

    `repeatable`: sending the request twice has the same effect as sending it once. Any other is sent again only if it had no
    effect. Raises the error of the last Transient after `limit` attempts, or when the minute is over; OutcomeUnknown when
    the request may have been carried out and is not repeatable; and whatever else `attempt` raises.
    """

    def may_repeat(error: BaseException) -> bool:
        return isinstance(error, Transient) and (repeatable or error.fault.nothing_done)

    try:
        return await _again(attempt, may_repeat, "retrying in {:.0f} s", limit)
    except Transient as failed:
        if may_repeat(failed):
            raise failed.error from failed.__cause__
        raise OutcomeUnknown(failed.fault, failed.error) from failed.__cause__


class Resumed(Generic[T]):
    """The items of a stream that is opened again after each fault: `attempts(resumed.next, repeatable=True)`."""

    def __init__(self, open: Callable[[], AsyncIterator[T]]) -> None:
        self._open = open
        self._stream: AsyncIterator[T] | None = None

    async def next(self) -> T | None:
        """The next item; None at the end. Raises Transient."""
        self._stream = self._stream or self._open()
        try:
            return await anext(self._stream, None)
        except Transient:
            self._stream = None
            raise


async def settle(act: Callable[[], Awaitable[T]], look: Callable[[], Awaitable[T | None]]) -> T:
    """The result of `act`, or what `look` finds after the answer to `act` was lost; None means that nothing was done.

    `act` is repeated only after such a look, as often as `attempts` would. If it is refused then, because of what the lost
    attempt did, the result is what `look` finds as well. Raises what both of them raise, and the error of the last
    OutcomeUnknown.
    """
    lost = False

    async def attempt() -> T:
        nonlocal lost
        if lost and (found := await look()) is not None:
            return found
        try:
            return await act()
        except OutcomeUnknown:
            lost = True
            raise
        except ZeroJHubError:
            if lost and (found := await look()) is not None:
                return found
            raise

    try:
        return await _again(
            attempt,
            lambda error: isinstance(error, OutcomeUnknown),
            "checking in {:.0f} s whether it was done",
            ATTEMPTS,
        )
    except OutcomeUnknown as last:
        if (found := await look()) is not None:
            return found
        raise last.error from last.__cause__


async def _again(
    attempt: Callable[[], Awaitable[T]], may_repeat: Callable[[BaseException], bool], next_step: str, limit: int
) -> T:
    """The result of the first attempt that succeeds. Raises the last exception, with the number of attempts in its message."""
    started = clock()
    try:
        return await attempt()
    except (Transient, OutcomeUnknown) as error:
        if not may_repeat(error) or limit == 1:
            raise
        first = error
    if isinstance(first, OutcomeUnknown):
        started = math.inf  # what is settled may take as long as it takes: only the number of attempts is limited

    import tenacity  # takes 50 ms, which a command without a fault does not spend

    failures: list[Transient | OutcomeUnknown] = [first]

    async def attempt_again() -> T:
        if failures:
            raise failures.pop()
        return await attempt()

    def left() -> float:
        return LIMIT - max(clock() - started, 0.0)

    def pause(state: RetryCallState) -> float:
        growing = FIRST * GROWTH ** (state.attempt_number - 1) * random.uniform(1 - JITTER, 1 + JITTER)
        return min(_fault(state).retry_after or growing, left())

    def report(state: RetryCallState) -> None:
        fault = _fault(state)
        if not fault.expected:
            _say(f"{fault.service}: {fault.answer}, {next_step.format(state.upcoming_sleep)}")

    retrying = tenacity.AsyncRetrying(
        sleep=sleep,
        retry=tenacity.retry_if_exception(may_repeat),
        wait=pause,
        stop=lambda state: state.attempt_number >= limit or left() <= 0,
        before_sleep=report,
        reraise=True,
    )
    try:
        result: T = await retrying(attempt_again)
    except (Transient, OutcomeUnknown) as failed:
        number = retrying.statistics["attempt_number"]
        failed.error.message = f"{failed.error.message.rstrip('.')}, after {plural(number, 'attempt')}"
        raise
    if not first.fault.expected:
        _say(f"{first.fault.service} responds again")
    return result


def _fault(state: RetryCallState) -> Fault:
    """Of the attempt that has just failed."""
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, Transient | OutcomeUnknown)  # nothing else is repeated
    return error.fault


def _say(text: str) -> None:
    if say := _report.get(None):
        say(text)


def of_status(service: str, status: int, headers: Mapping[str, str]) -> Fault | None:
    """The fault that an answer with this HTTP status is; None if the answer is final."""
    if status not in STATUSES:
        return None
    return Fault(service, str(status), retry_after=seconds_of(headers.get("Retry-After"), headers.get("Date")))


def of_exception(service: str, error: BaseException) -> Fault | None:
    """The fault behind an HTTP client's exception; None if it will not pass, such as an invalid certificate."""
    # A TLS stream that waits for data does so in the handler of these.
    chain = [each for each in _chain(error) if not isinstance(each, ssl.SSLWantReadError | ssl.SSLWantWriteError)]
    unsent = any(f"{type(each).__module__.partition('.')[0]}.{type(each).__name__}" in NEVER_SENT for each in chain)

    def first(*kinds: type[BaseException]) -> BaseException | None:
        return next((each for each in chain if isinstance(each, kinds)), None)

    if unknown_host := first(socket.gaierror):
        if unknown_host.args[0] != socket.EAI_AGAIN:
            return None
        return Fault(service, "name resolution failed", nothing_done=True)
    if tls := first(ssl.SSLError):
        if not isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
            return None
        return Fault(service, "TLS connection closed", nothing_done=unsent)
    if INVALID & {type(each).__name__ for each in chain}:
        return None
    if first(ConnectionRefusedError):
        return Fault(service, "connection refused", nothing_done=True)
    if first(TimeoutError) or any("Timeout" in type(each).__name__ for each in chain):
        return Fault(service, "no response in time", nothing_done=unsent)
    if first(ConnectionError, anyio.BrokenResourceError):
        return Fault(service, "connection reset", nothing_done=unsent)
    if any("IncompleteRead" in type(each).__name__ or "complete message body" in str(each) for each in chain):
        return Fault(service, INCOMPLETE)
    return Fault(service, "connection closed", nothing_done=unsent)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that caused it. Clients chain them in several ways, and repeat some in their arguments."""
    todo, seen = [error], set[int]()
    while todo:
        each = todo.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        behind = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        several = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        inner = (behind, getattr(each, "reason", None), *each.args, *several)
        todo += [one for one in inner if isinstance(one, BaseException) and not isinstance(one, ZeroJHubError)]


def seconds_of(retry_after: str | None, date: str | None = None) -> float | None:
    """The seconds that a Retry-After header asks to wait, given as seconds or as a date; None without a valid one.

    `date`: the answer's own. Only the difference of the two dates counts, not this machine's clock.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    then = date_of(text)
    if then is None:
        return None
    return max((then - (date_of(date) or datetime.now(UTC))).total_seconds(), 0.0)
