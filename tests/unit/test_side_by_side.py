"""The runner of `make test`: what it prints last, and its exit code."""

from __future__ import annotations

import pytest

from tests.side_by_side import main

PYTEST = """printf '%s\\n' 'FAILED tests/a.py::test_b - assert' '=== 1 failed, 2 passed in 3.45s ==='; exit 1"""


def test_the_last_lines_are_every_commands_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["one", PYTEST, "another", "echo '5 passed, 1 warning in 0.10s'"]) == 1
    live, _, summary = capsys.readouterr().out.partition("\n\n")
    assert "one     | FAILED tests/a.py::test_b - assert" in live.splitlines()
    assert summary.splitlines() == [
        "one: failed (exit code 1), 0 s",
        "FAILED tests/a.py::test_b - assert",
        "=== 1 failed, 2 passed in 3.45s ===",
        "another: passed, 0 s",
        "5 passed, 1 warning in 0.10s",
        "failed: one, 0 s in all",
    ]


def test_they_run_at_the_same_time(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    assert (
        main(
            [
                "reader",
                f"until [ -e {pipe} ]; do sleep 0.05; done; cat {pipe}",
                "writer",
                f"mkfifo {pipe}; echo hello >{pipe}",
            ]
        )
        == 0
    )
    assert "reader | hello" in capsys.readouterr().out


def test_a_command_that_fails_without_tests_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "exit 2"]) == 1
    assert capsys.readouterr().out == "\nlint: failed (exit code 2), 0 s\nfailed: lint, 0 s in all\n"
