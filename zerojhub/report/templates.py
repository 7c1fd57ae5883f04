"""Cluster templates as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerojhub.report.results import Listing, Output, show_deleted_ones, show_rows

if TYPE_CHECKING:
    from zerojhub.openstack.magnum import ClusterTemplate

COLUMNS = ("uuid", "name", "coe", "image_id", "flavor_id", "public")


def show_templates(templates: Sequence[ClusterTemplate], listing: Listing) -> None:
    """A line per template."""
    show_rows(templates, COLUMNS, listing)


def show_deleted(templates: Sequence[ClusterTemplate], output: Output) -> None:
    """That the templates were deleted."""
    show_deleted_ones("template", templates, output)
