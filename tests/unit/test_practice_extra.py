"""Without the `practice` extra, all its commands immediately say what to install."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.command import Ended
from zerojhub.errors import ZeroJHubError
from zerojhub.practice import extra

COMMANDS = ["build", "start", "status", "stop", "env", "logs", "reset --yes", "record --cloud mycloud"]
HELP = "practice build --help"
WORKSHOP = "workshop start 1"
WITHOUT = """
import json, sys
from dataclasses import asdict
sys.modules |= dict.fromkeys({packages})
from tests.command import run
from zerojhub.practice import profile
ended = {{command: asdict(run(*command.split())) for command in sys.argv[1:]}}
print(json.dumps({{"ended": ended, "profiles": profile.names()}}))
"""


@pytest.fixture(scope="module")
def without() -> dict[str, Any]:
    """How commands end and which profiles there are, in one process for all, as if the extra were not installed."""
    commands = [*(f"practice {command}" for command in COMMANDS), WORKSHOP, HELP]
    argv = [sys.executable, "-c", WITHOUT.format(packages=extra.PACKAGES), *commands]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("command", [*(f"practice {command}" for command in COMMANDS), WORKSHOP])
def test_a_command_without_the_extra(without: dict[str, Any], command: str) -> None:
    said = "error: the practice cloud needs starlette and uvicorn (pip install 'zerojhub[practice]')\n"
    assert Ended(**without["ended"][command]) == Ended(1, "", said)


@pytest.mark.parametrize("package", extra.PACKAGES)
def test_each_package_is_needed(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ZeroJHubError, match=f"needs {package} "):
        extra.require()


def test_help_needs_no_extra(without: dict[str, Any]) -> None:
    done = Ended(**without["ended"][HELP])
    assert done.code == 0
    assert "--all" in done.stdout


def test_a_profile_is_read_without_the_extra(without: dict[str, Any]) -> None:
    """The reference page on profiles is built without the extra."""
    assert len(without["profiles"]) == 3
