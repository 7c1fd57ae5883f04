"""Where two clouds may differ: the tables of the documentation, and answers held to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.conftest import ROOT
from tests.contract.session import Answer

PAGE = (ROOT / "docs" / "explanation" / "practice-cloud.md").read_text()


def differences(heading: str) -> set[str]:
    """The questions that the table under the heading of the documentation lists."""
    section = re.split(r"^#+ ", PAGE.partition(f"# {heading}\n")[2], flags=re.MULTILINE)[0]
    return {
        name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }


def hold_to_the_table(name: str, listed: set[str], practice: Answer, real: Answer, of: Callable[[Any], Any]) -> None:
    """The two answers are the same by what of their bodies is compared, or listed as different and truly so."""
    ours, theirs = ((answer.status, answer.headers, of(answer.body)) for answer in (practice, real))
    if name in listed:
        assert ours != theirs, "the table of differences lists what is none"
    else:
        assert ours == theirs
