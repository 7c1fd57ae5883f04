"""The program's output: tables, JSON and YAML, pod logs, progress."""

from __future__ import annotations

import ast
import io
import json
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from zerojhub import report
from zerojhub.backup.pod import PROGRAMS
from zerojhub.errors import UserError
from zerojhub.report import jobs, progress, results
from zerojhub.report.results import Listing, ListOutput, Output


@dataclass(frozen=True)
class Volume:
    name: str
    size_gb: int | None


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch, no_color: str | None = None) -> Terminal:
    """Make both streams a 40-column colour terminal. (pytest's capture would undo this in a fixture.)"""
    for variable in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_a_table_is_aligned_and_has_no_frames(capsys):
    results.table([{"name": "a", "size": 10}, {"name": "longer", "size": None}, {"name": "b"}], ("name", "size"))
    assert capsys.readouterr().out == "NAME    SIZE\na       10\nlonger\nb\n"


def test_a_table_takes_dataclasses(capsys):
    results.table([Volume("home", 10), Volume("hub", None)], ("size_gb", "name"))
    assert capsys.readouterr().out.splitlines() == ["SIZE_GB  NAME", "10       home", "         hub"]


def test_a_table_without_rows_says_so(capsys):
    results.table([], ("name",))
    results.table([], ("name",), empty="no volumes")
    assert capsys.readouterr().out == "none\nno volumes\n"


def test_a_terminal_cuts_lines_at_its_edge_and_a_pipe_gets_them_whole(monkeypatch):
    terminal = on_terminal(monkeypatch)
    results.table([{"detail": "x" * 100}], ("detail",))
    assert [len(line) for line in terminal.getvalue().splitlines()] == [6, 40]
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    results.table([{"detail": "x" * 100}], ("detail",))
    assert len(pipe.getvalue().splitlines()[1]) == 100


RESULT = {
    "volumes": [Volume("home", 10)],
    "path": Path("a/b"),
    "time": datetime(2026, 1, 31, tzinfo=UTC),
    "none": None,
    "state": Output.json,
}
DATA = {
    "volumes": [{"name": "home", "size_gb": 10}],
    "path": "a/b",
    "time": "2026-01-31 00:00:00+00:00",
    "none": None,
    "state": "json",
}


@pytest.mark.parametrize(("output", "read"), [(Output.json, json.loads), (Output.yaml, yaml.safe_load)])
def test_programs_get_the_same_data_in_each_format(capsys, output, read):
    results.show(RESULT, output, lambda: pytest.fail("printed as text"))
    assert read(capsys.readouterr().out) == DATA


def test_people_get_text_and_nothing_else(capsys):
    results.show(RESULT, Output.table, lambda: print("one volume"))
    assert capsys.readouterr().out == "one volume\n"


def test_an_object_of_an_api_is_shown_field_by_field(capsys):
    item = {"uuid": "1", "name": "k8s", "links": [{"href": "http://x"}], "servers": []}
    results.show_fields(item, Output.table)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["FIELD", "VALUE"],
        ["uuid", "1"],
        ["name", "k8s"],
        ["servers", "[]"],
    ]
    results.show_fields(item, Output.json)
    assert json.loads(capsys.readouterr().out) == item


def test_what_was_done_names_the_item_and_its_uuid(capsys):
    results.show_done({"uuid": "1", "name": "k8s"}, Output.table, "created cluster")
    assert capsys.readouterr().out == "created cluster k8s (1)\n"


def test_a_single_pod_is_not_named_and_several_are(capsys):
    log = jobs.JobLog(Output.table)
    log("pi-1", "3.14")
    log("pi-2", "3.15")
    log("pi-1", "3.16")
    assert capsys.readouterr().out.splitlines() == ["3.14", "pi-2 | 3.15", "pi-1 | 3.16"]


@pytest.mark.parametrize(("variable", "coloured"), [(None, True), ("", True), ("1", False)])
def test_pods_have_colours_on_a_terminal_unless_no_color_is_set(monkeypatch, variable, coloured):
    terminal = on_terminal(monkeypatch, variable)
    log = jobs.JobLog(Output.table, several=True)
    log("pi-1", "3.14")
    log("pi-2", "3.15")
    lines = terminal.getvalue().splitlines()
    assert ("\x1b[" in lines[0]) is coloured
    assert (lines[0].replace("pi-1", "") != lines[1].replace("pi-2", "").replace("3.15", "3.14")) is coloured


def run_steps(*, quiet: bool = False, verbose: bool = False, seconds: float = 0) -> None:
    """Two steps, one done and one failed; the first reports a detail twice, `seconds` after it started."""
    with progress.Progress(quiet=quiet, verbose=verbose) as shown:
        shown.start("cluster")
        shown._running["cluster"].last_line -= seconds
        shown.say("cluster", "booting")
        shown.say("cluster", "booting")
        shown.end("cluster", "done", "created")
        shown.start("hub")
        shown.end("hub", "failed", "no quota")
        shown.note("that was all")


def printed(capsys) -> list[list[str]]:
    """The words of each line on standard error. Standard output must be empty."""
    out, err = capsys.readouterr()
    assert out == ""
    return [line.split() for line in err.splitlines()]


def test_each_step_is_a_line_when_it_ends(capsys):
    run_steps()
    assert printed(capsys) == [
        ["✓", "cluster", "0.0", "s", "created"],
        ["✗", "hub", "0.0", "s", "no", "quota"],
        ["that", "was", "all"],
    ]


@pytest.mark.parametrize("how", [{"verbose": True}, {"seconds": progress.QUIET_SPELL}])
def test_a_step_says_once_what_it_does_when_asked_or_after_a_while(capsys, how):
    run_steps(**how)
    assert printed(capsys)[0] == ["…", "cluster", "0.0", "s", "booting"]
    run_steps(**how)
    assert len(printed(capsys)) == 4


def test_quiet_prints_failures_and_notes_only(capsys):
    run_steps(quiet=True, verbose=True)
    assert printed(capsys) == [["✗", "hub", "0.0", "s", "no", "quota"], ["that", "was", "all"]]


@pytest.mark.parametrize(("variable", "coloured"), [(None, True), ("1", False)])
def test_progress_has_colours_on_a_terminal_unless_no_color_is_set(monkeypatch, variable, coloured):
    terminal = on_terminal(monkeypatch, variable)
    run_steps()
    shown = terminal.getvalue()
    assert "created" in shown
    assert any(f"\x1b[{code}m" in shown for code in (32, 31)) is coloured


def prints(file: Path) -> list[int]:
    """The lines of a module that write to standard output or standard error."""
    text = file.read_text()
    if not re.search(r"\b(print|s?echo|stdout|stderr)\b", text):
        return []
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    names = [(call.lineno, ast.unparse(call.func)) for call in calls]
    return [line for line, name in names if re.fullmatch(r"print|typer\.s?echo|sys\.std(out|err)\..*write\w*", name)]


def test_only_the_report_package_prints():
    """Except for the practice cloud, whose daemons write their own logs, and for programs that run in the cluster."""
    package = Path(report.__file__).parents[1]
    elsewhere = {package.parent / path for path in PROGRAMS.values()}
    modules = {file: file.relative_to(package).parts[0] for file in package.rglob("*.py") if file not in elsewhere}
    printing = {file: part for file, part in modules.items() if part != "practice" and prints(file)}
    assert set(printing.values()) == {"report"}, printing


ROWS: list[dict[str, object]] = [
    {"name": "a", "labels": {"x": "1"}, "count": 2},
    {"name": "b,c", "labels": {}, "count": None, "more": [1]},
]


@pytest.mark.parametrize(
    ("listing", "printed"),
    [
        (Listing(), "NAME  COUNT\na     2\nb,c\n"),
        (Listing(columns=["count", "more"]), "COUNT  MORE\n2\n       [1]\n"),
        (Listing(ListOutput.csv), 'name,count\na,2\n"b,c",\n'),
        (Listing(ListOutput.csv, ["labels"]), 'labels\n"{""x"": ""1""}"\n{}\n'),
        (Listing(ListOutput.yaml, ["name"]), "- name: a\n- name: b,c\n"),
    ],
)
def test_a_list_has_the_chosen_fields(capsys, listing, printed):
    results.show_rows(ROWS, ("name", "count"), listing)
    assert capsys.readouterr().out == printed


def test_a_list_as_data_is_whole_unless_fields_are_chosen(capsys):
    results.show_rows(ROWS, ("name", "count"), Listing(ListOutput.json))
    assert json.loads(capsys.readouterr().out) == ROWS
    results.show_rows([], ("name", "count"), Listing(ListOutput.csv))
    assert capsys.readouterr().out == "name,count\n"


@pytest.mark.parametrize(
    ("field", "hint"), [("nam", "did you mean 'name'?"), ("flavor", "fields: name, count, labels, more")]
)
def test_a_field_that_none_has_is_refused(field, hint):
    with pytest.raises(UserError, match=re.escape(f"-c: no field {field!r} in the list ({hint})")):
        results.show_rows(ROWS, ("name", "count"), Listing(columns=[field]))
