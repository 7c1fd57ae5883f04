"""Heat stacks as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from zerojhub.report.plain import print, print_data
from zerojhub.report.results import Output, show, show_line, show_table, table
from zerojhub.yamlfile import dump

if TYPE_CHECKING:
    from zerojhub.openstack.heat import Stack

COLUMNS = ("id", "stack_name", "stack_status", "creation_time")


def show_template(template: Mapping[str, object]) -> None:
    """A Heat template as YAML."""
    print_data(dump(template))


def show_stacks(stacks: Sequence[Stack], output: Output) -> None:
    """A line per stack."""
    show_table(stacks, COLUMNS, output)


def show_stack(stack: Stack, output: Output) -> None:
    """A stack with its outputs."""

    def people() -> None:
        table([stack], COLUMNS)
        for each in stack.get("outputs", []):
            print(f"{each['output_key']}: {each['output_value']}")

    show(stack, output, people)


def show_deleted(stack: Stack, output: Output) -> None:
    """That the stack was deleted."""
    show_line({"deleted": stack["id"]}, output, f"deleted stack {stack['stack_name']}")
