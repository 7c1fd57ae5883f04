"""Magnum's quotas, statistics and services as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerojhub.report.results import Listing, Output, show_line, show_rows
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.openstack.magnum_quotas import MagnumService, Quota, Stats

QUOTAS = ("project_id", "resource", "hard_limit")
SERVICES = ("id", "host", "binary", "state", "disabled", "disabled_reason", "created_at", "updated_at")


def show_quotas(quotas: Sequence[Quota], listing: Listing) -> None:
    """A line per quota."""
    show_rows(quotas, QUOTAS, listing)


def show_quota(quota: Quota, stats: Stats, output: Output) -> None:
    """The quota, and how much of it is used."""
    default = "" if "id" in quota else " (Magnum's default)"
    line = f"project {quota['project_id']}: {stats['clusters']} of {plural(quota['hard_limit'], 'cluster')}{default}"
    show_line({**quota, "used": stats["clusters"]}, output, line)


def show_set(quota: Quota, output: Output) -> None:
    """The quota that applies now."""
    default = "" if "id" in quota else " (Magnum's default)"
    line = f"project {quota['project_id']} may have {plural(quota['hard_limit'], 'cluster')}{default}"
    show_line(quota, output, line)


def show_stats(stats: Stats, output: Output) -> None:
    """How many clusters and nodes there are."""
    show_line(stats, output, f"{plural(stats['clusters'], 'cluster')}, {plural(stats['nodes'], 'node')}")


def show_services(services: Sequence[MagnumService], listing: Listing) -> None:
    """A line per process."""
    show_rows(services, SERVICES, listing)
