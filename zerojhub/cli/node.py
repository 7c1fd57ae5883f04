"""zerojhub node: the nodes of a cluster, and their machine IDs."""

from __future__ import annotations

from typing import Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    CloudOption,
    ClusterArgument,
    OutputOption,
    QuietOption,
    YesOption,
    confirm,
    locks,
    logs_in,
)
from zerojhub.cli.run import on_cluster
from zerojhub.report.results import Output

app = App("List the nodes of a cluster and repair their machine IDs.")


@app.command("list")
@logs_in
def list_nodes(
    cluster: ClusterArgument, cloud: CloudOption = None, output: OutputOption = Output.table, quiet: QuietOption = False
) -> None:
    """List a cluster's nodes with their machine IDs; MATCHES tells whether they are their servers' UUIDs.

    Examples:
        zerojhub node list k8s
    """
    from zerojhub.cluster import Connect, machine_ids
    from zerojhub.kube.nodes import NodeRow
    from zerojhub.report.nodes import show_nodes
    from zerojhub.run import Run
    from zerojhub.text import Say

    async def work(run: Run, connect: Connect, say: Say) -> list[NodeRow]:
        return await machine_ids.list_nodes(await connect())

    show_nodes(on_cluster(cluster, work, cloud, quiet, locked=False), output)


@app.command("fix-machine-id")
@logs_in
@locks
def fix_machine_id(
    cluster: ClusterArgument,
    nodes: Annotated[
        list[str] | None, typer.Argument(metavar="NODE", help="Nodes to repair.", show_default="all")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Also fix nodes that join later, with a DaemonSet.")] = False,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Set /etc/machine-id to the UUID of the node's server, restart the kubelet, and wait until Kubernetes shows it.

    Pods keep running. The command uses SSH, or a DaemonSet if the nodes have no SSH access. To delete the DaemonSet that
    --keep creates: `kubectl -n kube-system delete daemonset zerojhub-machine-id`.

    Examples:
        zerojhub node fix-machine-id k8s
    """
    from zerojhub.cluster import Connect, machine_ids
    from zerojhub.kube.nodes import NodeRow
    from zerojhub.report.nodes import show_fixed
    from zerojhub.run import Run
    from zerojhub.text import Say

    confirm(f"Change /etc/machine-id on {', '.join(nodes or ['every node'])} of cluster {cluster}?", yes=yes)

    async def work(run: Run, connect: Connect, say: Say) -> list[NodeRow]:
        return await machine_ids.fix(run, await connect(), nodes or [], say, keep=keep)

    show_fixed(on_cluster(cluster, work, cloud, quiet), output, keep=keep)
