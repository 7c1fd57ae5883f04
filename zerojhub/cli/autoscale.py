"""zerojhub autoscale: node groups that grow while pods are pending, and shrink when nodes are not needed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    CloudOption,
    ClusterArgument,
    NodeGroupOption,
    OutputOption,
    QuietOption,
    YesOption,
    confirm,
    locks,
    logs_in,
)
from zerojhub.cli.run import on_cluster
from zerojhub.report.results import Output

if TYPE_CHECKING:
    from zerojhub.cluster import Connect
    from zerojhub.cluster.autoscale_status import AutoscaleStatus
    from zerojhub.openstack.magnum import NodeGroup
    from zerojhub.run import Run
    from zerojhub.text import Say

app = App("Manage the autoscaling of a cluster.")

NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="Node, by name.")]


def duration(text: str | None) -> str | None:
    """A duration as Go reads it. BadParameter (exit 2) for anything else."""
    if text is not None and not re.fullmatch(r"(\d+(\.\d+)?(h|m|s))+", text):
        raise typer.BadParameter(f"{text!r} is not a duration such as 10m, 90s or 1h30m")
    return text


def _duration(flag: str, text: str, default: str) -> Any:
    """An option for one of the autoscaler's delays."""
    return typer.Option(flag, metavar="DURATION", callback=duration, help=text, show_default=default)


@app.command("enable")
@logs_in
@locks
def enable(
    cluster: ClusterArgument,
    least: Annotated[int, typer.Option("--min", metavar="N", min=0, help="Minimum number of workers.")],
    most: Annotated[int, typer.Option("--max", metavar="N", min=1, help="Maximum number of workers.")],
    nodegroup: NodeGroupOption = None,
    unneeded_time: Annotated[
        str | None,
        _duration(
            "--unneeded-time", "Remove a node once it has not been needed for this long.", "10m, or the current setting"
        ),
    ] = None,
    delay_after_add: Annotated[
        str | None,
        _duration(
            "--delay-after-add", "Remove no node for this long after one was added.", "10m, or the current setting"
        ),
    ] = None,
    delay_after_failure: Annotated[
        str | None,
        _duration(
            "--delay-after-failure",
            "Remove no node for this long after a removal failed.",
            "3m, or the current setting",
        ),
    ] = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Add workers while pods are pending, and remove workers that are not needed. Repeat the command to change the settings.

    Masters are not counted. With Magnum's Heat drivers, the command installs the cluster-autoscaler in the cluster; with
    Cluster API drivers, it sets the bounds of the autoscaler that runs outside the cluster.

    Examples:
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
@logs_in
def status(
    cluster: ClusterArgument, cloud: CloudOption = None, output: OutputOption = Output.table, quiet: QuietOption = False
) -> None:
    """Show the bounds, the autoscaler's state, pending pods and nodes that cannot be removed, with reasons.

    Examples:
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
@logs_in
def logs(
    cluster: ClusterArgument,
    lines: Annotated[int, typer.Option("-n", "--lines", metavar="N", min=1, help="Number of lines.")] = 100,
    cloud: CloudOption = None,
) -> None:
    """Print the last lines of the autoscaler's log.

    Examples:
        zerojhub autoscale logs k8s --lines 20
    """
    from zerojhub.cluster import autoscale
    from zerojhub.report.results import show_text

    async def work(run: Run, connect: Connect, say: Say) -> str:
        return await autoscale.logs(await connect(), lines)

    show_text(on_cluster(cluster, work, cloud, True, locked=False))


@app.command("protect")
@logs_in
@locks
def protect(
    cluster: ClusterArgument,
    node: NodeArgument,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Protect a node from removal by the autoscaler.

    Examples:
        zerojhub autoscale protect k8s k8s-x2x3-node-0
    """
    _protect(cluster, node, cloud, output, quiet, on=True)


@app.command("unprotect")
@logs_in
@locks
def unprotect(
    cluster: ClusterArgument,
    node: NodeArgument,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Allow the autoscaler to remove a protected node again.

    Examples:
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
@logs_in
@locks
def disable(
    cluster: ClusterArgument,
    nodegroup: Annotated[
        str | None,
        typer.Option(metavar="NODEGROUP", help="Node group, by name.", show_default="every autoscaled one"),
    ] = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Stop autoscaling and keep the current number of nodes. Without --nodegroup, also delete the autoscaler.

    Examples:
        zerojhub autoscale disable k8s
    """
    from zerojhub.cluster import autoscale
    from zerojhub.report.autoscale import show_disabled

    confirm(f"Stop autoscaling {nodegroup or 'all node groups'} of cluster {cluster}?", yes=yes)

    async def work(run: Run, connect: Connect, say: Say) -> list[str]:
        return await autoscale.disable(run, connect, nodegroup, say)

    show_disabled(on_cluster(cluster, work, cloud, quiet), output)
