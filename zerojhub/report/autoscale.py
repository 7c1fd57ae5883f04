"""Autoscaling as text."""

from __future__ import annotations

from collections.abc import Sequence

from zerojhub.cluster.autoscale import Bounds
from zerojhub.cluster.autoscale_status import AutoscaleStatus
from zerojhub.openstack.magnum import NodeGroup
from zerojhub.report.results import Output, show, show_line, table
from zerojhub.text import plural


def show_enabled(cluster: str, group: NodeGroup, bounds: Bounds, output: Output) -> None:
    """The node group's size and bounds, and where to watch it."""
    least, most = bounds
    row = {"nodegroup": group["name"], "nodes": group["node_count"], "min": least, "max": most}

    def people() -> None:
        now = plural(group["node_count"], "node")
        print(f"{group['name']} of {cluster} has {now} now, and will have {least} to {most} as needed")
        print(f"see: zerojhub autoscale status {cluster}")

    show(row, output, people)


def show_autoscaling(status: AutoscaleStatus, output: Output) -> None:
    """Whether it runs, its node groups, the pods that wait for a node, and the nodes that it cannot remove."""

    def people() -> None:
        if status.enabled:
            times = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in status.times.items())
            runs = "runs" if status.running else "does not run"
            print(f"the autoscaler {runs} {status.where}{f' ({times})' if times else ''}")
        else:
            print(f"autoscaling of {status.cluster} is off")
        if status.trouble:
            print(status.trouble)
        table(status.groups, ("name", "min", "max", "nodes", "ready", "scale_up", "scale_down", "error"))
        print()
        table(status.pending, ("namespace", "pod", "why"), empty="no pod waits for a node")
        marked = [node for node in status.nodes if node.protected or node.trouble]
        if marked:
            print()
            table(marked, ("name", "protected", "trouble"))

    show(status, output, people)


def show_protected(node: str, output: Output, *, protected: bool) -> None:
    """Whether the node is protected from the autoscaler now."""
    line = f"the autoscaler no longer removes {node}" if protected else f"the autoscaler may remove {node} again"
    show_line({"node": node, "protected": protected}, output, line)


def show_disabled(nodegroups: Sequence[str], output: Output) -> None:
    """The node groups that are no longer autoscaled."""
    line = f"no longer autoscaled: {', '.join(nodegroups) or 'nothing was'}"
    show_line({"disabled": nodegroups}, output, line)
