"""Where two clouds may differ: the tables of the documentation, and answers held to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from tests.conftest import ROOT
from tests.contract.clouds import Cloud
from tests.contract.session import Answer

PAGE = (ROOT / "docs" / "explanation" / "practice-cloud.md").read_text()


def differences(heading: str) -> set[str]:
    """The questions that the table under the heading of the documentation lists."""
    section = re.split(r"^#+ ", PAGE.partition(f"# {heading}\n")[2], flags=re.MULTILINE)[0]
    return {
        name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }


def known_of(cloud: Cloud, name: str, service: str) -> dict[str, str]:
    """What questions of one service know from the start: its root under its name, the other services', and the project."""
    # The service goes before `others`: on the practice cloud it begins with it.
    roots = {name: cloud.at(service), "keystone": cloud.at("/identity"), "others": cloud.at("")}
    return {**roots, "project": cloud.token().json()["token"]["project"]["id"]}


def hold_to_questions(listed: set[str], names: Collection[str]) -> None:
    """What the table lists is asked, and each question has a name of its own."""
    assert set(names) >= listed
    assert len(names) == len(set(names))


def hold_to_the_table(name: str, listed: set[str], practice: Answer, real: Answer, of: Callable[[Any], Any]) -> None:
    """The two answers are the same by what of their bodies is compared, or listed as different and truly so."""
    ours, theirs = ((answer.status, answer.headers, of(answer.body)) for answer in (practice, real))
    if name in listed:
        assert ours != theirs, "the table of differences lists what is none"
    else:
        assert ours == theirs
