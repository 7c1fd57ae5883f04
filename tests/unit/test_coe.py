"""The table of `openstack coe` commands and options names commands, options and arguments that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from zerojhub import cli
from zerojhub.yamlfile import read_yaml

TABLE: dict[str, Any] = read_yaml(Path(__file__).parents[2] / "docs" / "reference" / "coe.yaml")
ROOT: Any = typer.main.get_command(cli.app)


def parameters(name: str) -> tuple[set[str], set[str]]:
    """The options, and the arguments by the first word of their metavar, of a command such as "cluster list"."""
    command, context = ROOT, typer.Context(ROOT)
    for word in name.split():
        command = command.get_command(context, word)
        assert command, f"there is no zerojhub {name}"
    assert not hasattr(command, "list_commands"), f"zerojhub {name} is a group"
    found = command.get_params(context)
    options = {option for each in found for option in (*each.opts, *each.secondary_opts)}
    return options, {each.metavar.partition("[")[0] for each in found if each.param_type_name == "argument"}


@pytest.mark.parametrize("name", TABLE)
def test_what_takes_their_place_is_there(name: str) -> None:
    entry = TABLE[name]
    assert entry.keys() <= {"here", "note", "options"}
    options, arguments = parameters(entry["here"])
    for option, value in entry["options"].items():
        if isinstance(value, dict):
            assert value.keys() in ({"here", "note"}, {"why"}), f"{option} of {name}"
            value = value.get("here")
        if value is not None:
            word = option if value == "same" else value
            assert word in (options if word.startswith("-") else arguments), f"{word} for {option} of {name}"
