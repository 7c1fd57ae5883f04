"""Without the `practice` extra, all its commands immediately say what to install."""

from __future__ import annotations

import functools
import json
import subprocess
import sys

import pytest

from tests.command import Ended

COMMANDS = ["build", "start", "status", "stop", "env", "logs", "reset --yes", "record --cloud mycloud"]
HELP = "practice build --help"
WORKSHOP = "workshop start 1"
RUN = """
import dataclasses, json, sys
sys.modules[sys.argv[1]] = None
from tests.command import run
print(json.dumps([dataclasses.asdict(run(*command.split())) for command in sys.argv[2:]]))
"""


@functools.cache
def without(package: str, *commands: str) -> dict[str, Ended]:
    """How the commands end in a process of their own, as if the package were not installed."""
    argv = [sys.executable, "-c", RUN, package, *commands]
    ended = json.loads(subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout)
    return dict(zip(commands, [Ended(**each) for each in ended], strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_the_extra(command: str) -> None:
    done = without("uvicorn", *(f"practice {each}" for each in COMMANDS))[f"practice {command}"]
    assert done == Ended(1, "", "error: the practice cloud needs uvicorn (pip install 'zerojhub[practice]')\n")


def test_a_workshop_without_the_extra() -> None:
    done = without("starlette", WORKSHOP, HELP)[WORKSHOP]
    assert done.code == 1
    assert done.stderr == "error: the practice cloud needs starlette (pip install 'zerojhub[practice]')\n"


def test_help_needs_no_extra() -> None:
    done = without("starlette", WORKSHOP, HELP)[HELP]
    assert done.code == 0
    assert "--all" in done.stdout


def test_a_profile_is_read_without_the_extra() -> None:
    """The reference page on profiles is built without the extra."""
    code = "import sys; sys.modules['starlette'] = None; from zerojhub.practice import profile; print(len(profile.names()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "3\n"
