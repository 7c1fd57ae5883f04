"""A cron job's schedule: read as Kubernetes reads it, in words, and when it comes next.

Kubernetes reads schedules with https://github.com/robfig/cron v3.0.1 (ParseStandard). It differs from the cron that
cronsim follows: Sunday is 0 and never 7, `?` is `*`, there is no `L` or `#`, and a day fits when it fits either of two
restricted day fields, `*/2` being restricted.
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
FIELDS = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 6, DAYS),
)
"""Name, least, most, and names that stand for numbers from the least on."""

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
    """A schedule that Kubernetes takes."""

    text: str
    """As it was given."""
    zone: str | None
    """A time zone of the IANA database; None for the clock of the cluster's controllers."""
    fields: tuple[str, ...] = ()
    """As cronsim takes them; empty for `@every`."""
    every: timedelta | None = None
    """Of `@every`: the time between two runs, counted from the making of the cron job."""

    def words(self) -> str:
        """Such as `at 04:05 on Tuesday`."""
        if self.every:
            return f"every {self.text.removeprefix('@every ')} from when it is made"
        said = Expression(["0", *self.fields]).explain()
        return said[0].lower() + said[1:]

    def clock(self) -> str:
        """Whose clock it goes by."""
        return self.zone or "the clock of the cluster's controllers, which is UTC unless the masters are set otherwise"

    def after(self, moment: datetime, count: int = 3) -> list[datetime]:
        """The next times after the moment (aware), in the schedule's zone; fewer when there are no more."""
        start = moment.astimezone(zoneinfo.ZoneInfo(self.zone) if self.zone else UTC)
        if self.every:
            return [start + self.every * each for each in range(1, count + 1)]
        # With its seconds said, cronsim leaves out times that summer time skips, as Kubernetes does.
        return list(islice(CronSim(" ".join(("0", *self.fields)), start), count))

    def next(self, made: datetime, last: datetime | None = None) -> datetime | None:
        """The next time from now on, of a cron job made and last scheduled at these moments."""
        now = datetime.now(UTC)
        if not self.every:
            return next(iter(self.after(now, 1)), None)
        moment = last or made
        return moment + self.every * max(1, -((moment - now) // self.every))


def read(text: str, zone: str | None = None, *, where: str = "--schedule", zone_where: str = "--time-zone") -> Schedule:
    """The schedule. UserError naming the field that is wrong, or the zone; `where` and `zone_where` say where they are."""
    _check_zone(zone, zone_where)
    if "TZ=" in text:
        raise UserError(f"{text!r} says its time zone itself", where=where, hint="give it as the time zone instead")
    if text.startswith("@every "):
        return Schedule(text, zone, every=_duration(text, where))
    if text.startswith("@") and text not in SHORTHANDS:
        raise UserError(
            f"{text!r} is no schedule", where=where, hint=f"there are: {', '.join(SHORTHANDS)}, @every 1h30m"
        )
    given = (SHORTHANDS.get(text) or text).split()
    if len(given) != len(FIELDS):
        names = ", ".join(name for name, *_ in FIELDS)
        raise UserError(f"{text!r} has {len(given)} fields, and a schedule has five: {names}", where=where)
    fields = [_field(part, *about, where=where) for part, about in zip(given, FIELDS, strict=True)]
    if "*" not in (fields[2], fields[4]):
        # Otherwise cronsim wants both of them to fit.
        fields[2], fields[4] = fields[2].replace("*", "1-31"), fields[4].replace("*", "0-6")
    schedule = Schedule(text, zone, tuple(fields))
    try:
        comes = schedule.after(datetime.now(UTC), 1)
    except CronSimError:
        comes = []
    if not comes:
        raise UserError(f"{text!r} never comes: no month of these has such a day", where=where)
    return schedule


def _field(text: str, name: str, least: int, most: int, names: list[str], *, where: str) -> str:
    """The field as cronsim takes it. UserError saying what is wrong with it."""

    def wrong(why: str) -> UserError:
        called = f", or {names[0]} to {names[-1]}" if names else ""
        return UserError(
            f"{name} {text!r}: {why}", where=where, hint=f"it takes {least} to {most}{called}, * , - and /"
        )

    def number(word: str) -> int:
        if word.upper() in names:
            return names.index(word.upper()) + least
        if not word.isascii() or not word.isdigit():
            raise wrong(f"{word!r} is no number")
        if not least <= int(word) <= most:
            sunday = ", and Sunday is 0" if names is DAYS else ""
            raise wrong(f"{word} is not within {least} to {most}{sunday}")
        return int(word)

    parts = []
    for part in text.replace("?", "*").split(","):
        span, slash, step = part.partition("/")
        if slash and (not step.isdigit() or int(step) == 0):
            raise wrong(f"{step!r} is no step")
        if span == "*":
            if step in ("", "1"):
                return "*"
            parts.append(part)
            continue
        low, dash, high = span.partition("-")
        first = number(low)
        last = number(high) if dash else most if slash else first
        if first > last:
            raise wrong(f"{low} comes after {high}")
        parts.append(f"{first}-{last}/{step}" if slash else f"{first}-{last}" if dash else str(first))
    return ",".join(parts)


def _duration(text: str, where: str) -> timedelta:
    """Go's durations, as far as schedules have them: `90s`, `1h30m`."""
    given = text.removeprefix("@every ")
    parts = re.findall(r"(\d+)([hms])", given)
    seconds = sum(int(number) * UNITS[unit] for number, unit in parts)
    if not seconds or "".join(number + unit for number, unit in parts) != given:
        raise UserError(f"{given!r} is no time between runs", where=where, hint="such as @every 1h30m")
    return timedelta(seconds=seconds)


def _check_zone(zone: str | None, where: str) -> None:
    if zone is None:
        return
    known = zoneinfo.available_timezones()
    if zone not in known:
        meant = nearest(zone, sorted(known))
        hint = f"did you mean {meant!r}?" if meant else "such as Europe/London or Etc/UTC"
        raise UserError(f"no time zone named {zone!r}", where=where, hint=hint)
