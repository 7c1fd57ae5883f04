"""The practice cloud responds like a real Designate, except for the known differences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.agreement import differences, hold_to_questions, hold_to_the_list, known_of
from tests.contract.clouds import Cloud, Site, until
from tests.contract.real.cloud import Real
from tests.contract.real.dns import real_dns
from tests.contract.session import Answer, ask, filled, read
from zerojhub.practice.cloud.designate import records

QUESTIONS = read(Path(__file__).with_name("dns_questions.yaml"))
NAMES = [step["name"] for step in QUESTIONS["steps"]]
DIFFERENCES = differences("dns")
COUNTED = {"serial", "version"}
"""What counts the changes of a zone, which depends on the time."""
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000$"
AUTHORITY = r"(?<=\. )\d+ \d+(?= \d+ \d+ \d+$)"
"""The serial number in a start of authority, and the seconds to its refresh, which Designate draws."""


@pytest.fixture(scope="module")
def real_one(real: Real) -> Iterator[Cloud]:
    with real_dns(real) as cloud:
        yield cloud


def answers_of(cloud: Cloud) -> dict[str, Answer]:
    client = cloud.client(Accept="application/json")
    known = known_of(cloud, "designate", "/dns")
    answers = {}
    for step in QUESTIONS["steps"]:
        answers[step["name"]] = ask(cloud, client, step, QUESTIONS, known)[0]
        if "wait_for" in step:
            path, key, value = filled(step["wait_for"], known)
            until(partial(says, client, cloud.at(f"/dns/v2{path}"), key, value))
    return answers


def says(client: httpx.Client, url: str, key: str, value: object) -> bool:
    """Whether what is shown at the URL, a zone, a recordset or an error, has this value."""
    return bool(client.get(url).json().get(key) == value)


@pytest.fixture(scope="module")
def practice_answers(site: Site) -> Iterator[dict[str, Answer]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(records, "PUBLISHED_AFTER", 0.05)
        yield answers_of(site)


@pytest.fixture(scope="module")
def real_answers(real_one: Cloud) -> dict[str, Answer]:
    return answers_of(real_one)


def comparable(body: Any) -> Any:
    """The body without what is counted or drawn; records have no order in Designate."""
    if isinstance(body, dict):
        found = {name: "…" if name in COUNTED else comparable(item) for name, item in body.items()}
        return found | ({"records": sorted(found["records"], key=json.dumps)} if "records" in found else {})
    if isinstance(body, list):
        return [comparable(item) for item in body]
    return re.sub(AUTHORITY, "… …", re.sub(TIME, "<time>", body)) if isinstance(body, str) else body


@pytest.mark.parametrize("name", NAMES)
def test_both_say_the_same(practice_answers: dict[str, Answer], real_answers: dict[str, Answer], name: str) -> None:
    hold_to_the_list(name, DIFFERENCES, practice_answers[name], real_answers[name], comparable)


def test_known_differences_are_of_questions_that_are_asked() -> None:
    hold_to_questions(DIFFERENCES, NAMES)
