"""zerojhub cluster: the project's clusters."""

from __future__ import annotations

from typing import Annotated

import typer

from zerojhub.cli.options import CloudOption, OutputOption
from zerojhub.report.results import Output, show, table

app = typer.Typer(help="Clusters of the project.", no_args_is_help=True)
COLUMNS = ("uuid", "name", "keypair", "node_count", "master_count", "status", "health_status")


@app.command("list")
def list_clusters(cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """The clusters in the project."""
    import anyio

    from zerojhub.openstack.session import Cloud

    clusters = anyio.run(Cloud(cloud).container_infra.all, "/clusters", "clusters")
    show(clusters, output, lambda: table(clusters, COLUMNS))


@app.command("show")
def show_cluster(
    name: Annotated[str, typer.Argument(help="Name or UUID.")],
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """One cluster, whole."""
    import anyio

    from zerojhub.openstack import magnum
    from zerojhub.openstack.session import Cloud

    cluster = anyio.run(magnum.get_one, Cloud(cloud), "clusters", name)
    rows = [{"field": key, "value": value} for key, value in cluster.items() if key != "links"]
    show(cluster, output, lambda: table(rows, ("field", "value")))
