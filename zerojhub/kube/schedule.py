"""A cron job's schedule: parsed as Kubernetes parses it, in words, and its next times.

Kubernetes parses schedules with https://github.com/robfig/cron v3.0.1 (ParseStandard). It differs from the cron that
cronsim implements: Sunday is 0 and never 7, `?` is `*`, there is no `L` or `#`, and if both day fields are restricted
(`*/2` counts as restricted) a day has to match only one of them.
"""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from cronsim import CronSim, CronSimError
from cronsim.explain import Expression

from zerojhub.errors import UserError
from zerojhub.text import nearest

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
NO_NAMES: list[str] = []
FIELDS = (
    ("minute", 0, 59, NO_NAMES),
    ("hour", 0, 23, NO_NAMES),
    ("day of the month", 1, 31, NO_NAMES),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 6, DAYS),
)
"""Name, lowest and highest number, and names for the numbers from the lowest on."""

SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
UNITS = {"h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True)
class Schedule:
    """A schedule that Kubernetes accepts."""

    text: str
    """As the user wrote it."""
    zone: str | None
    """A time zone of the IANA database; None for that of the cluster's controllers."""
    fields: tuple[str, ...] = ()
    """For cronsim; empty for `@every`."""
    every: timedelta | None = None
    """For `@every`: the time between two runs, counted from the creation of the cron job."""

    def words(self) -> str:
        """Such as `at 04:05 on Tuesday`."""
        if self.every:
            return f"every {self.text.removeprefix('@every ')} from its creation"
        words: str = Expression(["0", *self.fields]).explain()
        return words[0].lower() + words[1:]

    def clock(self) -> str:
        """The time zone that it is in."""
        return self.zone or "the cluster's time zone, usually UTC"

    def after(self, moment: datetime, count: int = 3) -> list[datetime]:
        """The next times after the moment (aware), in the schedule's zone; fewer if there are no more."""
        start = moment.astimezone(zoneinfo.ZoneInfo(self.zone) if self.zone else UTC)
        if self.every:
            return [start + self.every * each for each in range(1, count + 1)]
        # Given seconds, cronsim leaves out times that the change to summer time skips, as Kubernetes does.
        return list(islice(CronSim(" ".join(("0", *self.fields)), start), count))

    def next(self, created: datetime, last: datetime | None = None) -> datetime | None:
        """The next time from now on, for a cron job that was created and last scheduled at these moments."""
        now = datetime.now(UTC)
        if not self.every:
            return next(iter(self.after(now, 1)), None)
        moment = last or created
        return moment + self.every * max(1, -((moment - now) // self.every))


def read(
    text: str, zone: str | None = None, *, where: str | None = "--schedule", zone_where: str | None = "--time-zone"
) -> Schedule:
    """The schedule. UserError for an invalid field or zone; `where` and `zone_where` locate them (file:line or option)."""
    _check_zone(zone, zone_where)
    if "TZ=" in text:
        raise UserError(f"{text!r} includes a time zone", where=where, hint="give the time zone separately")
    if text.startswith("@every "):
        return Schedule(text, zone, every=_duration(text, where))
    if text.startswith("@") and text not in SHORTHANDS:
        raise UserError(
            f"{text!r} is not a schedule", where=where, hint=f"known: {', '.join(SHORTHANDS)}, @every 1h30m"
        )
    given = (SHORTHANDS.get(text) or text).split()
    if len(given) != len(FIELDS):
        names = ", ".join(name for name, *_ in FIELDS)
        raise UserError(f"{text!r} has {len(given)} fields, but a schedule has five: {names}", where=where)
    fields = [_field(part, *about, where=where) for part, about in zip(given, FIELDS, strict=True)]
    if "*" not in (fields[2], fields[4]):
        # Otherwise cronsim would require both to match.
        fields[2], fields[4] = fields[2].replace("*", "1-31"), fields[4].replace("*", "0-6")
    schedule = Schedule(text, zone, tuple(fields))
    try:
        times = schedule.after(datetime.now(UTC), 1)
    except CronSimError:
        times = []
    if not times:
        raise UserError(f"{text!r} never runs: none of its months has such a day", where=where)
    return schedule


def _field(text: str, name: str, least: int, most: int, names: list[str], *, where: str | None) -> str:
    """The field for cronsim. UserError if it is invalid."""

    def invalid(why: str) -> UserError:
        or_names = f" (or {names[0]} to {names[-1]})" if names else ""
        return UserError(
            f"{name} {text!r}: {why}", where=where, hint=f"valid: {least} to {most}{or_names}, and the signs * , - /"
        )

    def number(word: str) -> int:
        if word.upper() in names:
            return names.index(word.upper()) + least
        if not word.isascii() or not word.isdigit():
            raise invalid(f"{word!r} is not a number")
        if not least <= int(word) <= most:
            sunday = " (Sunday is 0)" if names is DAYS else ""
            raise invalid(f"{word} is out of range{sunday}")
        return int(word)

    parts = []
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and (not re.fullmatch(r"\d{1,18}", step, re.ASCII) or int(step) == 0):
            raise invalid(f"{step!r} is not a valid step")
        if span in ("*", "?"):
            if step in ("", "1"):
                return "*"
            parts.append(f"*/{step}")
            continue
        low, dash, high = span.partition("-")
        first = number(low)
        last = number(high) if dash else most if slash else first
        if first > last:
            raise invalid(f"{low} is greater than {high}")
        parts.append(f"{first}-{last}/{step}" if slash else f"{first}-{last}" if dash else str(first))
    return ",".join(parts)


def _duration(text: str, where: str | None) -> timedelta:
    """A duration of Go in hours, minutes and seconds: `90s`, `1h30m`."""
    given = text.removeprefix("@every ")
    parts = re.findall(r"(\d+)([hms])", given)
    seconds = sum(int(number) * UNITS[unit] for number, unit in parts)
    if not seconds or "".join(number + unit for number, unit in parts) != given:
        raise UserError(f"{given!r} is not a valid interval", where=where, hint="such as @every 1h30m")
    return timedelta(seconds=seconds)


def _check_zone(zone: str | None, where: str | None) -> None:
    if zone is None:
        return
    known = zoneinfo.available_timezones()
    if zone not in known:
        meant = nearest(zone, sorted(known))
        hint = f"did you mean {meant!r}?" if meant else "such as Europe/London or Etc/UTC"
        raise UserError(f"no time zone named {zone!r}", where=where, hint=hint)
