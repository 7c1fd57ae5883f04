"""Node groups as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerojhub.report.results import Output, show, show_line, show_table, table

if TYPE_CHECKING:
    from zerojhub.openstack.magnum import NodeGroup

COLUMNS = ("uuid", "name", "flavor_id", "node_count", "min_node_count", "max_node_count", "status", "role")


def show_nodegroups(groups: Sequence[NodeGroup], output: Output) -> None:
    """A line per node group."""
    show_table(groups, COLUMNS, output)


def show_updated(group: NodeGroup, output: Output) -> None:
    """The node group with its new bounds."""
    show(group, output, lambda: table([group], COLUMNS))


def show_deleted(group: NodeGroup, output: Output) -> None:
    """That the node group was deleted."""
    show_line({"deleted": group["uuid"]}, output, f"deleted node group {group['name']}")
