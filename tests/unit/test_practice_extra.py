"""Without the `practice` extra, all its commands immediately say what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import sys
sys.modules["{package}"] = None
from zerojhub.cli import main
sys.argv[:] = ["zerojhub", *sys.argv[1:]]
main()
"""


def without(package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, as if the extra were not installed."""
    argv = [sys.executable, "-c", WITHOUT.format(package=package), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "command",
    ["build", "start", "status", "stop", "env", "logs", "reset --yes", "record --cloud mycloud"],
)
def test_a_command_without_the_extra(command: str) -> None:
    done = without("uvicorn", "practice", *command.split())
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "error: the practice cloud needs uvicorn (pip install 'zerojhub[practice]')\n"


def test_a_workshop_without_the_extra() -> None:
    done = without("starlette", "workshop", "start", "1")
    assert done.returncode == 1
    assert done.stderr == "error: the practice cloud needs starlette (pip install 'zerojhub[practice]')\n"


def test_help_needs_no_extra() -> None:
    done = without("starlette", "practice", "build", "--help")
    assert done.returncode == 0
    assert "--all" in done.stdout


def test_a_profile_is_read_without_the_extra() -> None:
    """The reference page on profiles is built without the extra."""
    code = "import sys; sys.modules['starlette'] = None; from zerojhub.practice import profile; print(len(profile.names()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "3\n"
