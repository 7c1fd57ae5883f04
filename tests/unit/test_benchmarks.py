"""The benchmarks measure what they say."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

import pytest

from benchmarks.__main__ import Row, people
from benchmarks.chart import draw
from benchmarks.processes import Sample, in_turns, once
from benchmarks.wait import Wait

BUSY = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nkept = b'x' * (150 << 20)"


def test_time_processor_and_memory_are_of_the_whole_process():
    idle, busy = in_turns([[[sys.executable, "-c", code]] for code in ("pass", BUSY)], 1)
    assert busy.processor > idle.processor + 0.2
    assert busy.megabytes > idle.megabytes + 100
    assert busy.seconds > 0.3


def test_several_commands_are_added_up_but_their_memory_is_not():
    commands = [[sys.executable, "-c", BUSY]] * 2
    sample = once(commands)
    assert sample.processor > 0.6
    assert sample.megabytes < 300


def test_a_command_that_fails_is_no_result():
    with pytest.raises(SystemExit, match=r"exit code 3\nbecause"):
        once([[sys.executable, "-c", "print('because'); raise SystemExit(3)"]])


ROW = Row("zerojhub x", "openstack x", Sample(0.5, 0.4, 30), Sample(2, 1.9, 90.4))


def test_people_get_a_table(capsys):
    people([ROW], {"of a kind": Wait(1.5, 40, 26, 28, 0.0051)})
    heading, row, waited = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "ZEROJHUB",
        "TIME",
        "PROCESSOR",
        "MEMORY",
        "INSTEAD",
        "TIME",
        "PROCESSOR",
        "MEMORY",
        "FASTER",
    ]
    assert re.sub(" +", " ", row) == "zerojhub x 0.50 s 0.40 s 30 MB openstack x 2.00 s 1.90 s 90 MB 4.0 times"
    assert waited == (
        "a cluster of 14 minutes, of a kind: noticed 1.5 s after it was complete, 40 calls meanwhile (the goal: 60),"
        " 26 before and after, 28 for the lock, 0.51% more than the cloud takes"
    )


def test_bars_are_as_long_as_their_times():
    root = ElementTree.fromstring(draw([("ours", 0.5, "theirs", 2.0)]))
    bars = {box.get("class"): float(box.get("width", 0)) for box in root.iter() if box.tag.endswith("rect")}
    assert bars["theirs"] / bars["ours"] == pytest.approx(4, abs=0.01)
    assert {"ours", "theirs", "0.50 s", "2.00 s"} <= {text.text for text in root.iter() if text.tag.endswith("text")}
