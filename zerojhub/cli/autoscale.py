"""zerojhub autoscale: node groups that grow while pods wait, and shrink when nobody needs their nodes."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from zerojhub.cli.options import CloudOption, ClusterArgument, OutputOption, QuietOption, YesOption, confirm
from zerojhub.cli.run import on_cluster
from zerojhub.report.results import Output, show, table
from zerojhub.text import plural

app = typer.Typer(help="Clusters that grow and shrink by themselves.", no_args_is_help=True)

Node = Annotated[str, typer.Argument(help="Node, by its name.")]


def duration(text: str | None) -> str | None:
    """A duration as Go reads it. BadParameter (exit 2) for anything else."""
    if text is not None and not re.fullmatch(r"(\d+(\.\d+)?(h|m|s))+", text):
        raise typer.BadParameter(f"{text!r} is no duration such as 10m, 90s or 1h30m")
    return text


def time_option(flag: str, text: str, usual: str):
    return Annotated[
        str | None, typer.Option(flag, metavar="TIME", callback=duration, help=f"{text} [{usual} at first]")
    ]


@app.command("enable")
def enable(
    cluster: ClusterArgument,
    least: Annotated[int, typer.Option("--min", min=0, help="Fewest workers.")],
    most: Annotated[int, typer.Option("--max", min=1, help="Most workers.")],
    nodegroup: Annotated[str | None, typer.Option(help="A node group, in place of the first workers.")] = None,
    unneeded_time: time_option("--unneeded-time", "How long a node is not needed before it goes.", "10m") = None,
    delay_after_add: time_option("--delay-after-add", "No node goes this long after one came.", "10m") = None,
    delay_after_failure: time_option("--delay-after-failure", "Or after one could not be removed.", "3m") = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Have a cluster get workers when pods wait for room, and give them back when they are not needed. Again to change it.

    Masters are not counted. On Magnum's Heat drivers, the cluster-autoscaler runs in the cluster then; on Cluster API
    drivers, the one outside of it gets the bounds.

    zerojhub autoscale enable k8s --min 1 --max 5 --unneeded-time 5m
    """
    from zerojhub.operations import autoscale

    if most < least:
        raise typer.BadParameter(f"--max {most} is less than --min {least}")
    given = {
        "unneeded_time": unneeded_time,
        "delay_after_add": delay_after_add,
        "delay_after_failure": delay_after_failure,
    }
    times = {name: value for name, value in given.items() if value}
    group = on_cluster(
        cluster, lambda hub, say: autoscale.enable(hub, (least, most), nodegroup, times, say), cloud, quiet
    )
    row = {"nodegroup": group["name"], "nodes": group["node_count"], "min": least, "max": most}

    def people() -> None:
        now = plural(group["node_count"], "node")
        print(f"{group['name']} of {cluster} has {now} now, and from {least} to {most} as needed")
        print(f"see: zerojhub autoscale status {cluster}")

    show(row, output, people)


@app.command("status")
def status(
    cluster: ClusterArgument, cloud: CloudOption = None, output: OutputOption = Output.table, quiet: QuietOption = False
) -> None:
    """Bounds, what the autoscaler sees, which pods wait and why, and which nodes it cannot remove.

    zerojhub autoscale status k8s
    """
    from zerojhub.operations.autoscale_status import status as look

    found = on_cluster(cluster, lambda hub, say: look(hub), cloud, quiet, locked=False)

    def people() -> None:
        if not found["enabled"]:
            print(f"autoscaling of {found['cluster']} is off")
        else:
            times = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found["times"].items())
            state = "runs" if found["running"] else "does not run"
            print(f"the autoscaler {state} {found['where']}{f' ({times})' if times else ''}")
        if found["trouble"]:
            print(found["trouble"])
        table(found["groups"], ("name", "min", "max", "nodes", "ready", "scale_up", "scale_down", "error"))
        print()
        table(found["pending"], ("namespace", "pod", "why"), empty="no pod waits for a node")
        marked = [node for node in found["nodes"] if node["protected"] or node["trouble"]]
        if marked:
            print()
            table(marked, ("name", "protected", "trouble"))

    show(found, output, people)


@app.command("logs")
def logs(
    cluster: ClusterArgument,
    lines: Annotated[int, typer.Option("--lines", min=1, help="How many of the last lines.")] = 100,
    cloud: CloudOption = None,
) -> None:
    """What the autoscaler in the cluster says.

    zerojhub autoscale logs k8s --lines 20
    """
    from zerojhub.operations import autoscale

    print(on_cluster(cluster, lambda hub, say: autoscale.logs(hub, lines), cloud, True, locked=False), end="")


@app.command("protect")
def protect(
    cluster: ClusterArgument,
    node: Node,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Keep the autoscaler from removing a node.

    zerojhub autoscale protect k8s k8s-x2x3-node-0
    """
    from zerojhub.operations import autoscale

    done = on_cluster(cluster, lambda hub, say: autoscale.protect(hub, node, on=True), cloud, quiet)
    show(done, output, lambda: print(f"the autoscaler does not remove {node} any more"))


@app.command("unprotect")
def unprotect(
    cluster: ClusterArgument,
    node: Node,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Let the autoscaler remove a node again.

    zerojhub autoscale unprotect k8s k8s-x2x3-node-0
    """
    from zerojhub.operations import autoscale

    done = on_cluster(cluster, lambda hub, say: autoscale.protect(hub, node, on=False), cloud, quiet)
    show(done, output, lambda: print(f"the autoscaler may remove {node} again"))


@app.command("disable")
def disable(
    cluster: ClusterArgument,
    nodegroup: Annotated[str | None, typer.Option(help="A node group, in place of all.")] = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Leave the cluster at the size that it has. Without --nodegroup, the autoscaler itself goes.

    zerojhub autoscale disable k8s
    """
    from zerojhub.operations import autoscale

    confirm(f"Stop scaling {nodegroup or 'the node groups'} of {cluster}?", yes=yes)
    done = on_cluster(cluster, lambda hub, say: autoscale.disable(hub, nodegroup, say), cloud, quiet)
    show(done, output, lambda: print(f"not scaled any more: {', '.join(done['disabled']) or 'nothing was'}"))
