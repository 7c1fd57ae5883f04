"""Cluster templates as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerojhub.report.results import Output, show_line, show_table

if TYPE_CHECKING:
    from zerojhub.openstack.magnum import ClusterTemplate

COLUMNS = ("uuid", "name", "coe", "image_id", "flavor_id", "public")


def show_templates(templates: Sequence[ClusterTemplate], output: Output) -> None:
    """A line per template."""
    show_table(templates, COLUMNS, output)


def show_deleted(template: ClusterTemplate, output: Output) -> None:
    """That the template was deleted."""
    show_line({"deleted": template["uuid"]}, output, f"deleted template {template['name']}")
