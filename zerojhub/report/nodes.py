"""Nodes and their machine-ids as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from zerojhub.kube.nodes import NodeRow
from zerojhub.report.plain import print
from zerojhub.report.results import Output, show, table

COLUMNS = ("name", "role", "ready", "nodegroup", "server", "machine_id", "matches", "protected")


def show_nodes(rows: Sequence[NodeRow], output: Output) -> None:
    """A line per node; a machine-id that does not fit stands out."""
    words = {"ready": ("no", "yes"), "matches": ("no", "yes"), "protected": ("no", "yes")}
    people = [asdict(row) | {key: word[getattr(row, key)] for key, word in words.items()} for row in rows]
    show(rows, output, lambda: table(people, COLUMNS))


def show_fixed(rows: Sequence[NodeRow], output: Output, *, keep: bool) -> None:
    """The nodes whose machine-ids were changed."""

    def people() -> None:
        table(rows, ("name", "server", "machine_id"), empty="every machine-id is its server's UUID")
        if keep:
            print("the DaemonSet kube-system/zerojhub-machine-id fixes nodes that join later")

    show(rows, output, people)
