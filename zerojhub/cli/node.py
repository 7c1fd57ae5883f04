"""zerojhub node: the nodes of a cluster, and the machine-ids that Kubernetes reads on them."""

from __future__ import annotations

from typing import Annotated

import typer

from zerojhub.cli.options import CloudOption, ClusterArgument, OutputOption, QuietOption, YesOption, confirm
from zerojhub.cli.run import on_cluster
from zerojhub.report.results import Output

app = typer.Typer(help="Nodes of a cluster, and their machine-ids.", no_args_is_help=True)


@app.command("list")
def list_nodes(
    cluster: ClusterArgument, cloud: CloudOption = None, output: OutputOption = Output.table, quiet: QuietOption = False
) -> None:
    """List a cluster's nodes with their servers' UUIDs and their machine-ids: FITS shows whether they are the same.

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
def fix_machine_id(
    cluster: ClusterArgument,
    nodes: Annotated[list[str] | None, typer.Argument(metavar="[NODE...]", help="Nodes (default: all).")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave a DaemonSet that fixes nodes added later, too.")] = False,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Set /etc/machine-id to the UUID of the node's server, restart its kubelet, and wait until Kubernetes shows it.

    Pods keep running. Done over SSH, or by a DaemonSet where nodes have no SSH access. To remove what --keep leaves:
    `kubectl -n kube-system delete daemonset zerojhub-machine-id`.

    zerojhub node fix-machine-id k8s
    """
    from zerojhub.cluster import Connect, machine_ids
    from zerojhub.kube.nodes import NodeRow
    from zerojhub.report.nodes import show_fixed
    from zerojhub.run import Run
    from zerojhub.text import Say

    confirm(f"Rewrite /etc/machine-id on {', '.join(nodes or ['every node'])} of {cluster}?", yes=yes)

    async def work(run: Run, connect: Connect, say: Say) -> list[NodeRow]:
        return await machine_ids.fix(run, await connect(), nodes or [], say, keep=keep)

    show_fixed(on_cluster(cluster, work, cloud, quiet), output, keep=keep)
