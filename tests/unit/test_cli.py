"""The command line as users see it, without a cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer

from zerojhub.cli import app
from zerojhub.cli.commands import COMMANDS


def test_help_names_every_command(shell):
    shown = shell.zerojhub("--help").stdout
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_own_help_says_the_same(shell, name):
    shown = " ".join(shell.zerojhub(name, "--help").stdout.split())
    assert COMMANDS[name][1] in shown


def test_every_commands_help_has_an_example():
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="zerojhub")

    def without(command, path: str) -> Iterator[str]:
        if hasattr(command, "get_command"):
            for name in command.list_commands(context):
                yield from without(command.get_command(context, name), f"{path} {name}")
        elif path not in command.help.partition("\n")[2]:
            yield path

    assert list(without(root, "zerojhub")) == []


def test_an_unknown_command_is_the_users_mistake(shell):
    assert "clustr" in shell.zerojhub("clustr", code=2).stderr


def test_options_may_come_before_the_command(shell):
    before = shell.zerojhub("-o", "json", "stage", "list").stdout
    assert before == shell.zerojhub("stage", "list", "-o", "json").stdout
    assert before.startswith("[")
    missing = shell.zerojhub("-f", "none.yaml", "plan", code=2).stderr
    assert "none.yaml: no such file" in missing


def test_stages_are_listed_with_what_they_need(shell):
    stages = {stage["name"]: stage for stage in shell.json("stage", "list")}
    assert stages["chart"]["needs"] == "helm, storage, values"
    assert "stages: preflight, keypair" in shell.zerojhub("stage", "run", "chrt", code=2).stderr


def test_a_pipe_that_closes_early_is_no_error(shell):
    done = shell.run("bash", "-c", f"'{__import__('sys').executable}' -m zerojhub stage list | head -1")
    assert done.stderr == ""


def test_down_asks_and_refuses_without_a_terminal(shell):
    (shell.folder / "hub.yaml").write_text("name: a\ncloud: none\ncluster: {template: t}\n")
    assert "--yes" in shell.zerojhub("down", code=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("replace", "name=x"), "name cannot change: a cluster keeps the name it was created with"),
        (("replace", "master_count=3"), "master_count cannot change"),
        (("add", "node_count=3"), "node_count cannot be added"),
        (("replace", "node_count=many"), "is not a number of workers"),
        (("replace", "labels=a"), "labels cannot change"),
        (("swap", "node_count=1"), "one of replace, add, remove"),
        (("replace", "colour=red"), "'colour' cannot be changed (only node_count can)"),
    ],
)
def test_what_cannot_change_in_a_cluster_is_refused_with_its_reason(shell, words, said):
    assert said in shell.zerojhub("cluster", "update", "k8s", *words, code=2).stderr
