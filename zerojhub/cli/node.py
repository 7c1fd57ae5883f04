"""zerojhub node: the nodes of a cluster, and the machine-ids that Kubernetes reads on them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from zerojhub.cli.options import CloudOption, ClusterArgument, OutputOption, QuietOption, YesOption, confirm
from zerojhub.cli.run import on_cluster
from zerojhub.report.results import Output, show, table

app = typer.Typer(help="Nodes of a cluster, and their machine-ids.", no_args_is_help=True)
COLUMNS = ("name", "role", "ready", "nodegroup", "server", "machine_id", "fits", "protected")


@app.command("list")
def list_nodes(
    cluster: ClusterArgument, cloud: CloudOption = None, output: OutputOption = Output.table, quiet: QuietOption = False
) -> None:
    """The nodes of a cluster, each with its server's UUID and its machine-id: FITS says whether they are the same.

    zerojhub node list k8s
    """
    from zerojhub.operations.machine_ids import listed

    rows = [asdict(row) for row in on_cluster(cluster, lambda hub, say: listed(hub), cloud, quiet, locked=False)]
    people = [
        {key: {True: "yes", False: "NO" if key == "fits" else "no"}.get(value, value) for key, value in row.items()}
        for row in rows
    ]
    show(rows, output, lambda: table(people, COLUMNS))


@app.command("fix-machine-id")
def fix_machine_id(
    cluster: ClusterArgument,
    nodes: Annotated[list[str] | None, typer.Argument(metavar="[NODE...]", help="All, when left out.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave a DaemonSet that does it on nodes that come later, too.")
    ] = False,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Make /etc/machine-id the UUID of the node's server, restart its kubelet, and wait until Kubernetes shows it.

    Pods go on running. Over SSH, or by a DaemonSet where nobody logs in to nodes. What --keep leaves goes with
    `kubectl -n kube-system delete daemonset zerojhub-machine-id`.

    zerojhub node fix-machine-id k8s
    """
    from zerojhub.operations.machine_ids import mend

    confirm(f"Rewrite /etc/machine-id on {', '.join(nodes or ['every node'])} of {cluster}?", yes=yes)
    done = [
        asdict(row)
        for row in on_cluster(cluster, lambda hub, say: mend(hub, nodes or [], say, keep=keep), cloud, quiet)
    ]

    def people() -> None:
        table(done, ("name", "server", "machine_id"), empty="every machine-id is its server's UUID")
        if keep:
            print("nodes that come later are mended by the DaemonSet kube-system/zerojhub-machine-id")

    show(done, output, people)
