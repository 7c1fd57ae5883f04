"""zerojhub nodegroup: groups of like workers in a cluster, each with its flavor and bounds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    CloudOption,
    ClusterArgument,
    OutputOption,
    QuietOption,
    WaitOption,
    YesOption,
    confirm,
    logs_in,
)
from zerojhub.cli.run import in_cloud, on_cluster, request
from zerojhub.report import nodegroups as report
from zerojhub.report.results import Output, show_done, show_fields

if TYPE_CHECKING:
    from zerojhub.cluster import Connect
    from zerojhub.run import Run
    from zerojhub.text import Say

app = App("Manage the node groups of a cluster.")

Group = Annotated[str, typer.Argument(metavar="NODEGROUP", help="Node group, by name or UUID.")]


@app.command("list")
def list_groups(cluster: ClusterArgument, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """List the node groups of a cluster.

    Examples:
        zerojhub nodegroup list k8s
    """
    from zerojhub.cluster import nodegroups

    report.show_nodegroups(request(cloud, lambda here: nodegroups.listed(here, cluster)), output)


@app.command("show")
def show_group(
    cluster: ClusterArgument, group: Group, cloud: CloudOption = None, output: OutputOption = Output.table
) -> None:
    """Show all fields of a node group.

    Examples:
        zerojhub nodegroup show k8s gpu
    """
    from zerojhub.cluster import nodegroups

    show_fields(request(cloud, lambda here: nodegroups.get_one(here, cluster, group)), output)


@app.command("create")
def create_group(
    cluster: ClusterArgument,
    group: Annotated[str, typer.Argument(metavar="NODEGROUP", help="Name of the new node group.")],
    nodes: Annotated[int, typer.Option("--nodes", metavar="N", min=0, help="Number of nodes.")] = 1,
    least: Annotated[
        int, typer.Option("--min", metavar="N", min=0, help="Minimum number of nodes, for autoscaling.")
    ] = 0,
    most: Annotated[
        int | None, typer.Option("--max", metavar="N", min=1, help="Maximum number of nodes, for autoscaling.")
    ] = None,
    flavor: Annotated[
        str | None, typer.Option(metavar="FLAVOR", help="Flavor of the nodes.", show_default="the cluster's")
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Image of the nodes.", show_default="the cluster's")
    ] = None,
    role: Annotated[str, typer.Option(metavar="ROLE", help="Role, a label of the nodes in Kubernetes.")] = "worker",
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Add a node group to a cluster.

    Examples:
        zerojhub nodegroup create k8s gpu --flavor g1.large --nodes 0 --max 4
    """
    from zerojhub.cluster import nodegroups

    body = nodegroups.request(group, nodes=nodes, least=least, most=most, flavor=flavor, image=image, role=role)
    created = in_cloud(cluster, lambda here, say: nodegroups.create(here, cluster, body, say, wait=wait), cloud, quiet)
    show_done(created, output, "created node group")


@app.command("update")
def update_group(
    cluster: ClusterArgument,
    group: Group,
    least: Annotated[int | None, typer.Option("--min", metavar="N", min=0, help="Minimum number of nodes.")] = None,
    most: Annotated[int | None, typer.Option("--max", metavar="N", min=1, help="Maximum number of nodes.")] = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Change the bounds of a node group.

    Examples:
        zerojhub nodegroup update k8s default-worker --min 1 --max 6
    """
    from zerojhub.cluster import nodegroups

    bounds = nodegroups.bounds(least, most)
    changed = in_cloud(cluster, lambda here, say: nodegroups.update(here, cluster, group, bounds, say), cloud, quiet)
    report.show_updated(changed, output)


@app.command("delete")
@logs_in
def delete_group(
    cluster: ClusterArgument,
    group: Group,
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Delete a node group after draining its nodes. A cluster's first node groups cannot be deleted.

    Examples:
        zerojhub nodegroup delete k8s gpu
    """
    from zerojhub.cluster import nodegroups
    from zerojhub.cluster.resize import remove_group
    from zerojhub.text import plural

    found = request(cloud, lambda here: nodegroups.removable(here, cluster, group))
    nodes = plural(found["node_count"], "node")
    confirm(f"Delete node group {found['name']} of cluster {cluster} ({nodes})?", yes=yes)

    async def work(run: Run, connect: Connect, say: Say) -> None:
        await remove_group(run, connect, found["uuid"], say, partial(confirm, yes=yes), wait=wait)

    on_cluster(cluster, work, cloud, quiet)
    report.show_deleted(found, output)
