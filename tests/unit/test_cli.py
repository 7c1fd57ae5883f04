"""The command line as users see it, without a cloud."""

from __future__ import annotations

import inspect
import itertools
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.command import Ended, run
from zerojhub.cli import app
from zerojhub.cli.arguments import parse_labels, parse_pairs
from zerojhub.cli.commands import COMMANDS
from zerojhub.errors import UserError


def test_help_names_every_command(shell):
    shown = shell.zerojhub("--help").stdout
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_own_help_says_the_same(name):
    assert COMMANDS[name][1] in " ".join(run(name, "--help", code=0).stdout.split())


def tree(command: Any, context: typer.Context) -> Iterator[tuple[Any, typer.Context]]:
    """The command and all commands below it, with their contexts."""
    yield command, context
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            yield from tree(inner, typer.Context(inner, info_name=name, parent=context))


ROOT: Any = typer.main.get_command(app)
TREE = {
    context.command_path: (command, context)
    for command, context in tree(ROOT, typer.Context(ROOT, info_name="zerojhub", **ROOT.context_settings))
}
PROGRAMS = [path for path, (command, _) in TREE.items() if not hasattr(command, "list_commands")]


def help_of(path: str) -> str:
    """The help as a terminal of 80 columns shows it."""
    command, context = TREE[path]
    formatter = context.make_formatter()
    formatter.width = 78  # Click leaves a margin of two
    command.format_help(context, formatter)
    return formatter.getvalue()


def examples_of(path: str) -> list[str]:
    """The lines of the help's section "Examples:"."""
    _, _, section = help_of(path).partition("\nExamples:\n")
    return [line.strip() for line in section.partition("\n\n")[0].splitlines()]


@pytest.mark.parametrize("path", TREE)
def test_help_fits_a_terminal_and_shortens_nothing(path):
    shown = help_of(path)
    for mark in ("…", "<", "│"):
        assert mark not in shown
    examples = examples_of(path)
    assert [line for line in shown.splitlines() if len(line) > 80 and line.strip() not in examples] == []


@pytest.mark.parametrize("path", TREE)
def test_help_names_every_option_in_full_and_what_it_takes(path):
    command, context = TREE[path]
    shown = help_of(path)
    for parameter in command.get_params(context):
        for name in [*parameter.opts, *parameter.secondary_opts]:
            assert parameter.param_type_name == "argument" or f"{name}" in shown.replace(",", " ").split()
        if parameter.param_type_name == "argument" or not parameter.is_flag:
            assert parameter.metavar, f"{parameter.name} does not say what it takes"
            assert parameter.help, f"{parameter.name} is not explained"


@pytest.mark.parametrize("path", PROGRAMS)
def test_every_example_is_a_command_that_parses(path):
    examples = [words for line in examples_of(path) for words in commands_in(line)]
    assert any(" ".join(words).startswith(path) for words in examples)
    for words in examples:
        command, context = ROOT, typer.Context(ROOT, info_name=words.pop(0))
        while hasattr(command, "get_command"):
            command = command.get_command(context, name := words.pop(0))
            context = typer.Context(command, info_name=name, parent=context)
        command.make_context(context.info_name, words, parent=context.parent)


def commands_in(line: str) -> Iterator[list[str]]:
    """The words of each of this program's commands in a shell's line."""
    lexer = shlex.shlex(re.sub(r'"\$\((.*?)\)"', r"; \1", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for operator, words in itertools.groupby(lexer, key=lambda word: set(word) <= set("|&;<>()")):
        if not operator and (command := list(words))[0] == "zerojhub":
            yield command


def test_an_example_of_another_command_would_not_pass():
    assert list(commands_in("zerojhub practice start")) == [["zerojhub", "practice", "start"]]
    assert list(commands_in('xdg-open "$(zerojhub hub url)" | cat')) == [["zerojhub", "hub", "url"]]
    assert list(commands_in("cd workshop-1 && ls")) == []


@pytest.mark.parametrize("path", PROGRAMS)
def test_every_command_that_asks_can_be_told_not_to(path):
    command, _ = TREE[path]
    assert ("confirm" in inspect.getsource(command.callback)) == ("--yes" in help_of(path))


APART = re.compile(
    r"init|stats|(template|ca|quota|service|heat|practice|workshop) .*|stage list|nodegroup (list|show)"
    r"|cluster (list|show|create|delete|kubeconfig|rotate-ca|expose|unexpose)"
)
"""Commands that never connect to a cluster's servers, or connect to those of the practice cloud with its own key."""


@pytest.mark.parametrize("path", PROGRAMS)
def test_every_command_that_logs_in_takes_a_key_and_a_user(path):
    logs_in = not APART.fullmatch(path.removeprefix("zerojhub "))
    assert ("-i, --identity FILE" in help_of(path)) == logs_in
    assert ("--user USER" in help_of(path)) == (logs_in and path != "zerojhub hub logs")  # whose --user is another


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        (["a=1", "b=2"], {"a": "1", "b": "2"}),
        (["a=1, b=2;c=x=y"], {"a": "1", "b": "2", "c": "x=y"}),
        (["a="], {"a": ""}),
        (["a=x,y,b=z"], {"a": "x,y", "b": "z"}),
        (["a=x", "b=z", "a=y"], {"a": "x,y", "b": "z"}),
    ],
)
def test_labels_are_given_one_by_one_or_separated(given, labels):
    assert parse_labels(given) == labels


@pytest.mark.parametrize("word", ["a", "=1", ""])
def test_a_pair_without_name_or_value_is_refused_with_its_option(word):
    with pytest.raises(UserError, match=r"--parameter: '.*' is not KEY=VALUE"):
        parse_pairs([word], "--parameter")
    assert parse_pairs(["zones=a,b"], "--parameter") == {"zones": "a,b"}


@pytest.mark.parametrize("path", TREE)
def test_only_the_top_level_has_options_for_completion(path):
    assert ("--show-completion" in help_of(path)) == (path == "zerojhub")


def test_the_help_on_the_terminal_is_this_help(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run("cluster", "create", "--help").stdout == help_of("zerojhub cluster create")


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("zerojhub clu", "cluster"),
        ("zerojhub cluster cre", "create"),
        ("zerojhub cluster list --o", "--output"),
        ("zerojhub init cl", "classroom"),
        ("zerojhub up --only ke", "keypair"),
        ("zerojhub stage run cha", "chart"),
    ],
)
def test_the_shell_completes_commands_and_options(monkeypatch, words, completed):
    monkeypatch.setenv("_ZEROJHUB_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    assert completed in run().stdout.split()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("plann", "unknown command 'plann' (did you mean zerojhub plan?)"),
        ("cluster shw k8s", "unknown command 'shw' (did you mean zerojhub cluster show?)"),
        ("frobnicate", "unknown command 'frobnicate' (see zerojhub --help)"),
        ("plan -o xml", "--output: 'xml' is not one of 'table', 'json', 'yaml' (see zerojhub plan --help)"),
        ("-o xml plan", "--output: 'xml' is not one of 'table', 'json', 'yaml' (see zerojhub --help)"),
        ("plan --clod x", "no such option: --clod (did you mean --cloud?)"),
        ("plan --bogus", "no such option: --bogus (see zerojhub plan --help)"),
        ("plan x y", "unexpected argument: x y (see zerojhub plan --help)"),
        ("cluster show", "missing argument NAME (see zerojhub cluster show --help)"),
        ("heat create x", "missing option --template (see zerojhub heat create --help)"),
        ("cluster resize k8s -1", "-1: a number here cannot be negative (see zerojhub cluster resize --help)"),
        ("cluster resize k8s many", "N: must be a whole number (see zerojhub cluster resize --help)"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(words, said):
    assert run(*words.split()) == Ended(2, "", f"error: {said}\n")


def test_a_group_without_a_command_prints_its_help():
    assert "Manage clusters." in run("cluster", code=2).stderr


def test_a_folder_is_no_deployment_file():
    hint = "name the deployment file in it: -f hub.yaml"
    assert run("plan", "-f", "", code=2).stderr == f"error: .: is a directory ({hint})\n"


def test_ctrl_c_while_modules_are_imported(shell):
    """Instead of waiting for the right moment, an import raises what Ctrl-C does."""
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *more):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "import zerojhub.__main__\n"
        "zerojhub.__main__.main()\n"
    )
    done = shell.run(sys.executable, "-c", code)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped: nothing was done\n")


def test_options_may_come_before_the_command():
    before = run("-o", "json", "stage", "list", code=0).stdout
    assert before == run("stage", "list", "-o", "json", code=0).stdout
    assert before.startswith("[")
    assert "none.yaml: no such file" in run("-f", "none.yaml", "plan", code=2).stderr


def test_the_environment_of_a_practice_cloud_that_does_not_run(monkeypatch):
    from zerojhub.practice import control

    monkeypatch.setattr(control, "running", lambda: None)
    with pytest.raises(UserError, match="the practice cloud is not running"):
        app(["practice", "env"], standalone_mode=False)


def test_stages_are_listed_with_what_they_need():
    stages = {stage["name"]: stage for stage in json.loads(run("stage", "list", "-o", "json", code=0).stdout)}
    assert stages["chart"]["needs"] == "cluster, helm, storage, values, volumes"
    assert "stages: preflight, kept, keypair" in run("stage", "run", "chrt", code=2).stderr


def test_down_asks_and_refuses_without_a_terminal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("hub.yaml").write_text("name: a\ncloud: none\ncluster: {template: t}\n")
    said = "error: no terminal to ask on: Delete hub a; users' volumes are kept? (confirm with --yes)\n"
    assert run("down", code=2).stderr == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("replace", "name=x"), "name cannot change: a cluster keeps the name it was created with"),
        (("replace", "master_count=3"), "master_count cannot change"),
        (("add", "node_count=3"), "node_count cannot be added"),
        (("replace", "node_count=many"), "is not a number of workers"),
        (("replace", "labels=a"), "labels cannot change"),
        (("add", "labels/a"), "'labels/a' is not labels/KEY=VALUE"),
        (("add", "labels/a=b", "node_count=2"), "node_count and labels cannot change at the same time"),
        (("swap", "node_count=1"), "one of replace, add, remove"),
        (("replace", "colour=red"), "'colour' cannot be changed (only node_count can)"),
    ],
)
def test_what_cannot_change_in_a_cluster_is_refused_with_its_reason(words, said):
    assert said in run("cluster", "update", "k8s", *words, code=2).stderr
