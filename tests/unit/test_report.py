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
from zerojhub.kube import marker
from zerojhub.report import board, failures, jobs, progress, results
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


HOSTILE = "k8s\x1b]0;owned\x07\x9b2J\u202etxt.exe\nNAME"
"""A name that would set the terminal's title, clear its screen, turn the direction of writing and begin a line of its own."""
HARMLESS = "k8s\ufffd]0;owned\ufffd\ufffd2J\ufffdtxt.exe"


@pytest.mark.parametrize("output", [Output.json, Output.yaml])
def test_programs_get_a_hostile_name_as_it_is(capsys, output):
    results.show_table([{"name": HOSTILE}], ("name",), output)
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert (json.loads(text) if output is Output.json else yaml.safe_load(text)) == [{"name": HOSTILE}]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_hostile_name_controls_no_terminal(monkeypatch, capsys, terminal):
    """In tables, lines, errors, steps and the board."""
    screen = on_terminal(monkeypatch) if terminal else None
    monkeypatch.setenv("COLUMNS", "200")
    cluster = {"name": HOSTILE, "status": HOSTILE}
    results.table([cluster], ("name", "status"))
    results.show_fields(cluster, Output.table)
    results.show_rows([cluster], ("name",), Listing(ListOutput.csv))
    results.show_done({"name": HOSTILE, "uuid": "u1"}, Output.table, "created cluster")
    failures.show_error(UserError("no such cluster", where=HOSTILE, hint=HOSTILE))
    failures.show_fault(HOSTILE)
    with progress.Progress(verbose=True) as shown:
        shown.start("cluster")
        shown.say("cluster", HOSTILE)
        shown.note(HOSTILE)
        shown.end("cluster", "done", HOSTILE)
    with board.Board() as live:
        live.show(board.Look([], None, None, trouble=HOSTILE))
    text = screen.getvalue() if screen else "".join(capsys.readouterr())
    assert len(re.findall("k8s\ufffd\\]0;owned\ufffd+2J\ufffdtxt.exe", text)) >= 10  # Rich leaves BEL out
    left = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text) if terminal else text  # colours, and the steps that are redrawn
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", left)


def test_a_log_on_a_terminal_keeps_its_colours_only_and_in_a_pipe_all_it_has(monkeypatch, capsys):
    line = f"\x1b[31mred\x1b[0m {HOSTILE}\n"
    results.show_text(line)
    assert capsys.readouterr().out == line
    screen = on_terminal(monkeypatch)
    results.show_text(line)
    jobs.JobLog(Output.table)("pi-1", line)
    assert screen.getvalue() == 2 * f"\x1b[31mred\x1b[0m {HARMLESS}\nNAME\n" + "\n"


@pytest.mark.parametrize(
    ("value", "cell"),
    [("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"), ("-x", "'-x"),
     ("-5", "-5"), ("+4.5", "+4.5"), ("-", "-"), (-5, "-5"), ("ada", "ada")],
)  # fmt: skip
def test_a_spreadsheet_computes_nothing_of_a_name(capsys, value, cell):
    results.show_rows([{"name": value}], ("name",), Listing(ListOutput.csv))
    assert capsys.readouterr().out == f"name\n{cell}\n"


def test_the_report_package_prints_nothing_that_could_control_a_terminal():
    folder = Path(report.__file__).parent
    for file in folder.glob("*.py"):
        text = file.read_text()
        if prints(file) and file.name != "plain.py":
            assert re.search(r"^from zerojhub\.report\.plain import .*\bprint\b", text, re.M), file
        assert file.name == "plain.py" or "import Console" not in text, file


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
    elsewhere = {package.parent / path for path in PROGRAMS.values()} | {Path(marker.__file__)}
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
