"""Node groups as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerojhub.report.results import Listing, Output, show, show_deleted_ones, show_rows, table

if TYPE_CHECKING:
    from zerojhub.openstack.magnum import NodeGroup

COLUMNS = ("uuid", "name", "flavor_id", "node_count", "min_node_count", "max_node_count", "status", "role")


def show_nodegroups(groups: Sequence[NodeGroup], listing: Listing) -> None:
    """A line per node group."""
    show_rows(groups, COLUMNS, listing)


def show_updated(group: NodeGroup, output: Output) -> None:
    """The node group with its new bounds."""
    show(group, output, lambda: table([group], COLUMNS))


def show_deleted(groups: Sequence[NodeGroup], output: Output) -> None:
    """That the node groups were deleted."""
    show_deleted_ones("node group", groups, output)
