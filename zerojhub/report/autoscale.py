"""Autoscaling as text."""

from __future__ import annotations

from collections.abc import Sequence

from zerojhub.cluster.autoscale import Bounds
from zerojhub.cluster.autoscale_status import AutoscaleStatus
from zerojhub.openstack.magnum import NodeGroup
from zerojhub.report.plain import print
from zerojhub.report.results import Output, show, show_line, table
from zerojhub.text import plural


def show_enabled(cluster: str, group: NodeGroup, bounds: Bounds, output: Output) -> None:
    """The node group's size and bounds, and where to watch it."""
    least, most = bounds
    row = {"nodegroup": group["name"], "nodes": group["node_count"], "min": least, "max": most}

    def people() -> None:
        now = plural(group["node_count"], "node")
        print(f"node group {group['name']} of {cluster}: {now} now, scales between {least} and {most}")
        print(f"next: zerojhub autoscale status {cluster}")

    show(row, output, people)


def show_autoscaling(status: AutoscaleStatus, output: Output) -> None:
    """Whether it runs, its node groups, the pods that wait for a node, and the nodes that it cannot remove."""

    def people() -> None:
        if status.enabled:
            times = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in status.times.items())
            runs = "runs" if status.running else "does not run"
            print(f"the autoscaler {runs} {status.where}{f' ({times})' if times else ''}")
        else:
            print(f"autoscaling is off for cluster {status.cluster}")
        if status.problem:
            print(status.problem)
        table(status.groups, ("name", "min", "max", "nodes", "ready", "scale_up", "scale_down", "error"))
        print()
        table(status.pending, ("namespace", "pod", "why"), empty="no pods are pending")
        marked = [node for node in status.nodes if node.protected or node.problem]
        if marked:
            print()
            table(marked, ("name", "protected", "problem"))

    show(status, output, people)


def show_protected(node: str, output: Output, *, protected: bool) -> None:
    """Whether the node is protected from the autoscaler now."""
    line = f"protected {node}: the autoscaler will not remove it"
    if not protected:
        line = f"unprotected {node}: the autoscaler may remove it"
    show_line({"node": node, "protected": protected}, output, line)


def show_disabled(nodegroups: Sequence[str], output: Output) -> None:
    """The node groups that are no longer autoscaled."""
    line = f"autoscaling is off for {', '.join(nodegroups) or 'every node group'}"
    show_line({"disabled": nodegroups}, output, line)
