"""Clusters as text: one in full, and what an upgrade did."""

from __future__ import annotations

from zerojhub.cluster.lifecycle import Description
from zerojhub.cluster.upgrade import Upgraded
from zerojhub.report.results import Output, print_fields, show, table


def show_description(found: Description, output: Output) -> None:
    """The cluster with its servers and, if it failed, why."""
    data = {**found.cluster, **({"failure": found.failure} if found.failure else {})}

    def people() -> None:
        print_fields(data)
        print()
        table(found.servers, ("name", "status", "flavor", "addresses", "fault"), empty="no servers")

    show({**data, "servers": found.servers}, output, people)


def show_upgraded(done: Upgraded, output: Output) -> None:
    """Every node's versions, and for how long the hub did not answer."""

    def people() -> None:
        table(done.nodes, ("name", "kubelet", "runtime"))
        if done.silent is not None:
            print(f"the hub did not answer for {done.silent} s")

    show(done, output, people)
