"""The table of `openstack coe` commands and options has all of python-magnumclient's, and no others."""

from __future__ import annotations

import argparse
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from magnumclient.osc import plugin  # type: ignore[import-untyped]  # as it says
from osc_lib.command import command

from zerojhub.yamlfile import read_yaml

TABLE: dict[str, Any] = read_yaml(Path(__file__).parents[2] / "docs" / "reference" / "coe.yaml")
COMMANDS = {entry.name.replace("_", " "): entry for entry in entry_points(group="openstack.container_infra.v1")}


class AnyList(command.Lister):
    """Has the options that every list has."""

    def take_action(self, parsed_args): ...


class AnyShow(command.ShowOne):
    """Has the options that every command has that shows one thing."""

    def take_action(self, parsed_args): ...


def named(parser: argparse.ArgumentParser) -> set[str]:
    """The options, each by its longest name, and the arguments."""
    names = {max(each.option_strings, key=len) if each.option_strings else each.dest for each in parser._actions}
    return names - {"--help"}


def options_of(kind: type) -> set[str]:
    return named(kind(None, None).get_parser(""))


def test_every_command_is_in_the_table() -> None:
    assert set(COMMANDS) == {name for name in TABLE if name.startswith("coe ")}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_in_the_table(name: str) -> None:
    kind = COMMANDS[name].load()
    common: set[str] = set()
    if issubclass(kind, command.Lister | command.ShowOne):
        common = options_of(AnyList if issubclass(kind, command.Lister) else AnyShow)
    assert options_of(kind) - common == set(TABLE[name]["options"])


def test_every_option_of_all_of_them_is_in_the_table() -> None:
    assert options_of(AnyList) == set(TABLE["every list"]["options"])
    assert options_of(AnyShow) == set(TABLE["every show"]["options"])
    parser = argparse.ArgumentParser()
    plugin.build_option_parser(parser)
    assert named(parser) == set(TABLE["every command"]["options"])
