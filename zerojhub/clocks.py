"""The clocks of servers: what is compared with a server's times must not depend on what this machine takes for the time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


class Clock:
    """A server's clock, as the `Date` of its last answer tells it; this machine's clock as long as none does."""

    def __init__(self) -> None:
        self._told: tuple[datetime, float] | None = None

    def hear(self, headers: Mapping[str, str]) -> None:
        """Set the clock by an answer that has just arrived."""
        if said := date_of(headers.get("Date")):
            self._told = said, time.monotonic()

    def now(self) -> datetime:
        """The server's time, with its zone. It may be late by a second, and by the time that the answer took."""
        if self._told is None:
            return datetime.now(UTC)
        said, at = self._told
        return said + timedelta(seconds=time.monotonic() - at)


def date_of(text: str | None) -> datetime | None:
    """A date of HTTP's; None if it is none."""
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=date.tzinfo or UTC)


def hint(error: object) -> str | None:
    """What to do about a TLS certificate that is refused for its dates; None for any other error."""
    text = str(error)
    if "certificate is not yet valid" in text or "certificate has expired" in text:
        return "is the clock of this machine right?"
    return None
