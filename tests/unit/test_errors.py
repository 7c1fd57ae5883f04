"""Errors: exit codes, and the line that users see."""

from __future__ import annotations

import os
import sys

import pytest

from zerojhub import cli
from zerojhub.errors import CloudError, Interrupted, MachineError, Problems, UserError, ZeroJHubError
from zerojhub.helm.client import HelmError
from zerojhub.hub.client import HubError
from zerojhub.kube.client import KubeError
from zerojhub.waiting import TimedOut

EXIT_CODES = [
    (ZeroJHubError("x"), 1),
    (UserError("x"), 2),
    (Problems([UserError("x")]), 2),
    (CloudError("x"), 1),
    (MachineError("x"), 1),
    (Interrupted("x"), 130),
    (KubeError("x"), 1),
    (HubError("x"), 1),
    (HelmError(1, b"x"), 1),
    (TimedOut(5, "x"), 1),
]


@pytest.mark.parametrize(("error", "code"), EXIT_CODES, ids=[type(error).__name__ for error, _ in EXIT_CODES])
def test_each_error_has_its_exit_code(error, code):
    assert error.exit_code == code
    assert isinstance(error, ZeroJHubError)


@pytest.mark.parametrize("kind", [ZeroJHubError, UserError, CloudError, MachineError, Interrupted, KubeError, HubError])
def test_the_line_has_the_place_the_message_and_the_hint(kind):
    assert str(kind("it broke")) == "it broke"
    assert str(kind("it broke", where="hub.yaml:3")) == "hub.yaml:3: it broke"
    assert str(kind("it broke", hint="mend it")) == "it broke (mend it)"
    error = kind("it broke", where="hub.yaml:3", hint="mend it")
    assert str(error) == "hub.yaml:3: it broke (mend it)"
    assert (error.message, error.where, error.hint) == ("it broke", "hub.yaml:3", "mend it")


def test_a_cloud_error_keeps_the_status():
    assert CloudError("refused", status=409).status == 409
    assert CloudError("no response").status is None


def test_problems_lists_every_problem_with_its_place_and_hint():
    problems = [UserError("first", where="hub.yaml:1"), ZeroJHubError("second", hint="wait")]
    error = Problems(problems)
    assert str(error).splitlines() == ["hub.yaml:1: first", "second (wait)"]
    assert error.problems == problems
    third = UserError("third")
    assert Problems([error, third]).problems == [*problems, third]


@pytest.mark.parametrize(("error", "code"), EXIT_CODES[:3])
def test_the_program_prints_an_error_and_exits_with_its_code(monkeypatch, capsys, error, code):
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, error)
    assert left.value.code == code
    assert capsys.readouterr() == ("", "error: x\n")


def test_the_program_prints_each_problem_on_its_own_line(monkeypatch, capsys):
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, Problems([UserError("first"), UserError("second", where="a:1", hint="b")]))
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: first\nerror: a:1: second (b)\n"


def test_an_error_is_one_line_whatever_a_service_has_put_into_it(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, Problems([CloudError("no\nroom\x1b[2J"), Problems([UserError("b\r\nc")])]))
    assert capsys.readouterr().err == "error: no room\N{REPLACEMENT CHARACTER}[2J\nerror: b c\n"


def test_details_are_lines_of_their_own_with_their_indentation(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, ZeroJHubError("it broke", details=["  pod hub\tfailed", "    Traceback"], hint="see the log"))
    assert capsys.readouterr().err == "error: it broke\nerror:   pod hub failed\nerror:     Traceback (see the log)\n"


def test_an_interrupted_command_says_what_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, Interrupted("job pi keeps running"))
    assert left.value.code == 130
    assert capsys.readouterr().err == "stopped: job pi keeps running\n"


def run(monkeypatch, error: Exception) -> None:
    """The program, with a command that raises the error."""

    def command(**options: str) -> None:
        raise error

    monkeypatch.setattr(cli, "app", command)
    cli.main()
