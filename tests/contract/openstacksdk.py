"""Runs openstacksdk's functional tests, which upstream runs on DevStack, and reports the outcome of each.

`python -m tests.contract.openstacksdk SERVICE|MODULE…` prints one JSON object per line, {"name", "outcome", "why"}: the
test's name relative to openstack.tests.functional; passed, skipped or failed; and the last line of its output. The
clouds come from clouds.yaml, under the names that these tests use.
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
"""The module of tests that need a project of their own, and clean it out: not run with the rest of the package."""
UNLOADED = "unittest.loader._FailedTest."


class Outcomes(unittest.TestResult):
    """Prints results as they arrive. The cases come from testtools, which passes details instead of an exception."""

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
    """Shorten the SDK's polling: what takes minutes on a real cloud takes no time here."""
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
    time.sleep = hurry  # type: ignore[assignment]  # its second parameter has a default
    for name in sys.argv[1:]:
        tests_of(name).run(Outcomes())
