"""zerojhub autoscale: node groups that grow while pods wait, and shrink when nobody needs their nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerojhub.cli.options import CloudOption, ClusterArgument, OutputOption, QuietOption, YesOption, confirm
from zerojhub.cli.run import on_cluster
from zerojhub.report.results import Output

if TYPE_CHECKING:
    from zerojhub.cluster import Connect
    from zerojhub.cluster.autoscale_status import AutoscaleStatus
    from zerojhub.openstack.magnum import NodeGroup
    from zerojhub.run import Run
    from zerojhub.text import Say

app = typer.Typer(help="Clusters that grow and shrink by themselves.", no_args_is_help=True)

Node = Annotated[str, typer.Argument(help="Node, by its name.")]


def duration(text: str | None) -> str | None:
    """A duration as Go reads it. BadParameter (exit 2) for anything else."""
    if text is not None and not re.fullmatch(r"(\d+(\.\d+)?(h|m|s))+", text):
        raise typer.BadParameter(f"{text!r} is no duration such as 10m, 90s or 1h30m")
    return text


def time_option(flag: str, text: str, usual: str) -> Any:
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
    from zerojhub.cluster import autoscale
    from zerojhub.report.autoscale import show_enabled

    if most < least:
        raise typer.BadParameter(f"--max {most} is less than --min {least}")
    given = {
        "unneeded_time": unneeded_time,
        "delay_after_add": delay_after_add,
        "delay_after_failure": delay_after_failure,
    }
    times = {name: value for name, value in given.items() if value}

    async def work(run: Run, connect: Connect, say: Say) -> NodeGroup:
        return await autoscale.enable(run, connect, (least, most), nodegroup, times, say)

    show_enabled(cluster, on_cluster(cluster, work, cloud, quiet), (least, most), output)


@app.command("status")
def status(
    cluster: ClusterArgument, cloud: CloudOption = None, output: OutputOption = Output.table, quiet: QuietOption = False
) -> None:
    """Bounds, what the autoscaler sees, which pods wait and why, and which nodes it cannot remove.

    zerojhub autoscale status k8s
    """
    from zerojhub.cluster import autoscale_status
    from zerojhub.openstack import magnum
    from zerojhub.report.autoscale import show_autoscaling

    async def work(run: Run, connect: Connect, say: Say) -> AutoscaleStatus:
        reach = await connect()
        return await autoscale_status.status(run.cloud, await magnum.get_cluster(run.cloud, cluster), reach)

    show_autoscaling(on_cluster(cluster, work, cloud, quiet, locked=False), output)


@app.command("logs")
def logs(
    cluster: ClusterArgument,
    lines: Annotated[int, typer.Option("--lines", min=1, help="How many of the last lines.")] = 100,
    cloud: CloudOption = None,
) -> None:
    """What the autoscaler in the cluster says.

    zerojhub autoscale logs k8s --lines 20
    """
    from zerojhub.cluster import autoscale
    from zerojhub.report.results import show_text

    async def work(run: Run, connect: Connect, say: Say) -> str:
        return await autoscale.logs(await connect(), lines)

    show_text(on_cluster(cluster, work, cloud, True, locked=False))


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
    _protect(cluster, node, cloud, output, quiet, on=True)


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
    _protect(cluster, node, cloud, output, quiet, on=False)


def _protect(cluster: str, node: str, cloud: str | None, output: Output, quiet: bool, *, on: bool) -> None:
    from zerojhub.cluster import autoscale
    from zerojhub.report.autoscale import show_protected

    async def work(run: Run, connect: Connect, say: Say) -> None:
        await autoscale.protect(await connect(), node, on=on)

    on_cluster(cluster, work, cloud, quiet)
    show_protected(node, output, protected=on)


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
    from zerojhub.cluster import autoscale
    from zerojhub.report.autoscale import show_disabled

    confirm(f"Stop scaling {nodegroup or 'the node groups'} of {cluster}?", yes=yes)

    async def work(run: Run, connect: Connect, say: Say) -> list[str]:
        return await autoscale.disable(run, connect, nodegroup, say)

    show_disabled(on_cluster(cluster, work, cloud, quiet), output)
