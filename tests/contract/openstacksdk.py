"""Runs the functional tests that come with openstacksdk, which its makers run on DevStack, and says what became of each.

`python -m tests.contract.openstacksdk SERVICE|MODULE…` prints one JSON object a line, {"name", "outcome", "why"}: the test's
name below openstack.tests.functional, passed, skipped or failed, and the last line of what it said. The clouds are those
of clouds.yaml that these tests ask for by name.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
import unittest
import warnings
from collections.abc import Callable, Iterator

PACKAGE = "openstack.tests.functional."
ALONE = "cloud.test_project_cleanup"
"""The module of those that want a project to themselves, and leave nothing in it: not run with their package."""
UNLOADED = "unittest.loader._FailedTest."


class Outcomes(unittest.TestResult):
    """Prints as it goes; their cases are testtools', which give details in place of an exception."""

    def _say(self, test: unittest.TestCase, outcome: str, why: str = "") -> None:
        name = test.id().removeprefix(UNLOADED).removeprefix(PACKAGE)
        print(json.dumps({"name": name, "outcome": outcome, "why": why.strip().rpartition("\n")[2]}), flush=True)

    def addSuccess(self, test) -> None:
        self._say(test, "passed")

    def addSkip(self, test, reason) -> None:
        self._say(test, "skipped", reason)

    def addError(self, test, err=None, details=None) -> None:
        found = details["traceback"].as_text() if details else "".join(traceback.format_exception(*err))
        self._say(test, "failed", found)

    addFailure = addError


def hurry(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """What takes a real cloud minutes is done here before the SDK looks for the first time."""
    sleep(min(seconds, 0.05))


def each(tests: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def tests_of(name: str) -> unittest.TestSuite:
    if name == ALONE:
        return unittest.defaultTestLoader.loadTestsFromName(PACKAGE + name)
    found = each(unittest.defaultTestLoader.discover(PACKAGE + name))
    return unittest.TestSuite(test for test in found if not test.id().startswith(PACKAGE + ALONE))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    time.sleep = hurry
    for name in sys.argv[1:]:
        tests_of(name).run(Outcomes())
