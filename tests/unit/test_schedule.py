"""Cron schedules, as Kubernetes interprets them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from zerojhub.errors import UserError
from zerojhub.kube import schedule

MONDAY = datetime(2026, 6, 1, 12, 30, 15, tzinfo=UTC)


def times(text: str, zone: str | None = None, start: datetime = MONDAY) -> list[str]:
    return [f"{each:%a %m-%d %H:%M %Z}" for each in schedule.read(text, zone).after(start)]


@pytest.mark.parametrize(
    ("text", "words", "coming"),
    [
        ("* * * * *", "every minute", ["Mon 06-01 12:31 UTC", "Mon 06-01 12:32 UTC", "Mon 06-01 12:33 UTC"]),
        ("5 4 * * 2", "at 04:05 on Tuesday", ["Tue 06-02 04:05 UTC", "Tue 06-09 04:05 UTC", "Tue 06-16 04:05 UTC"]),
        ("0 0 1 jan ?", "at 00:00 on January 1", ["Fri 01-01 00:00 UTC", "Sat 01-01 00:00 UTC", "Mon 01-01 00:00 UTC"]),
        ("@hourly", "at the start of every hour", ["Mon 06-01 13:00 UTC", "Mon 06-01 14:00 UTC", "Mon 06-01 15:00 UTC"]),
        ("0 6 * * MON-FRI", "on Monday through Friday", ["Tue 06-02 06:00 UTC", "Wed 06-03 06:00 UTC", "Thu 06-04 06:00 UTC"]),
        ("50/5 * * * *", "minute", ["Mon 06-01 12:50 UTC", "Mon 06-01 12:55 UTC", "Mon 06-01 13:50 UTC"]),
    ],
)  # fmt: skip
def test_said_in_words_and_when_it_comes(text, words, coming):
    assert words in schedule.read(text).words()
    assert times(text) == coming


def test_a_day_fits_either_of_two_restricted_fields():
    assert times("0 0 13 * 5") == ["Fri 06-05 00:00 UTC", "Fri 06-12 00:00 UTC", "Sat 06-13 00:00 UTC"]
    # A star with a step restricts too, unlike in other crons.
    assert times("0 0 */10 * 1") == ["Mon 06-08 00:00 UTC", "Thu 06-11 00:00 UTC", "Mon 06-15 00:00 UTC"]
    assert times("0 0 */10 * *") == ["Thu 06-11 00:00 UTC", "Sun 06-21 00:00 UTC", "Wed 07-01 00:00 UTC"]


def test_a_time_zone_keeps_to_its_own_clock():
    eve = datetime(2026, 3, 27, 12, tzinfo=UTC)
    assert times("0 9 * * *", "Europe/London", eve) == [
        "Sat 03-28 09:00 GMT",
        "Sun 03-29 09:00 BST",
        "Mon 03-30 09:00 BST",
    ]
    # Half past one does not exist on the day when clocks go forward.
    assert times("30 1 * * *", "Europe/London", eve)[:2] == ["Sat 03-28 01:30 GMT", "Mon 03-30 01:30 BST"]
    assert "Europe/London" in schedule.read("0 9 * * *", "Europe/London").clock()
    assert "UTC" in schedule.read("0 9 * * *").clock()


def test_every_so_often_counts_from_when_it_was_made():
    every = schedule.read("@every 1h30m")
    made = datetime.now(UTC) - timedelta(hours=2)
    assert "1h30m" in every.words()
    assert every.next(made) == made + timedelta(hours=3)
    assert every.next(made, last=made + timedelta(hours=1, minutes=30)) == made + timedelta(hours=3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("61 * * * *", "minute '61': 61 is out of range"),
        ("0 24 * * *", "hour '24'"),
        ("0 0 0 * *", "day of the month '0': 0 is out of range"),
        ("0 0 * 13 *", "month '13'"),
        ("0 0 * * 7", "day of the week '7': 7 is out of range (Sunday is 0)"),
        ("0 0 * * FRI#1", "'FRI#1' is not a number"),
        ("0 17-9 * * *", "17 is greater than 9"),
        ("*/0 * * * *", "'0' is not a valid step"),
        ("*/99999999999999999999 * * * *", "is not a valid step"),
        ("?? * * * *", "minute '??': '??' is not a number"),
        ("* * * *", "has 4 fields"),
        ("@reboot", "known: @yearly"),
        ("@every sometimes", "such as @every 1h30m"),
        ("TZ=Europe/London 0 9 * * *", "give the time zone separately"),
        ("0 0 30 2 *", "never runs"),
    ],
)
def test_a_bad_schedule_is_refused_with_its_field(text, said):
    with pytest.raises(UserError) as refused:
        schedule.read(text, where="cron.yaml:7")
    assert str(refused.value).startswith("cron.yaml:7: ")
    assert said in str(refused.value)


def test_a_misspelt_time_zone():
    with pytest.raises(UserError, match="did you mean 'Europe/London'"):
        schedule.read("* * * * *", "Europe/Londn")
