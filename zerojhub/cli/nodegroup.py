"""zerojhub nodegroup: groups of like workers in a cluster, each with its flavor and bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.options import CloudOption, ClusterArgument, OutputOption, QuietOption, WaitOption, YesOption, confirm
from zerojhub.cli.run import in_cloud, on_cluster
from zerojhub.report import nodegroups as report
from zerojhub.report.results import Output, show_done, show_fields

if TYPE_CHECKING:
    from zerojhub.cluster import Connect
    from zerojhub.openstack.magnum import Bounds, NodeGroupRequest
    from zerojhub.run import Run
    from zerojhub.text import Say

app = typer.Typer(help="Node groups of a cluster.", no_args_is_help=True)

Group = Annotated[str, typer.Argument(metavar="NODEGROUP", help="Node group, by name or UUID.")]


@app.command("list")
def list_groups(cluster: ClusterArgument, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """The node groups of a cluster.

    zerojhub nodegroup list k8s
    """
    import anyio

    from zerojhub.cluster import nodegroups
    from zerojhub.openstack.session import Cloud

    report.show_nodegroups(anyio.run(nodegroups.listed, Cloud(cloud), cluster), output)


@app.command("show")
def show_group(
    cluster: ClusterArgument, group: Group, cloud: CloudOption = None, output: OutputOption = Output.table
) -> None:
    """One node group, whole.

    zerojhub nodegroup show k8s gpu
    """
    import anyio

    from zerojhub.cluster import nodegroups
    from zerojhub.openstack.session import Cloud

    show_fields(anyio.run(nodegroups.get_one, Cloud(cloud), cluster, group), output)


@app.command("create")
def create_group(
    cluster: ClusterArgument,
    group: Annotated[str, typer.Argument(metavar="NODEGROUP", help="Its name.")],
    nodes: Annotated[int, typer.Option("--nodes", min=0, help="How many nodes to begin with.")] = 1,
    least: Annotated[int, typer.Option("--min", min=0, help="Fewest nodes, for the autoscaler.")] = 0,
    most: Annotated[int | None, typer.Option("--max", min=1, help="Most nodes, for the autoscaler.")] = None,
    flavor: Annotated[str | None, typer.Option(help="Flavor of its servers; the cluster's when left out.")] = None,
    image: Annotated[str | None, typer.Option(help="Image of its servers; the cluster's when left out.")] = None,
    role: Annotated[str, typer.Option(help="A word of your own, which nodes carry as a label.")] = "worker",
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Add a node group to a cluster.

    zerojhub nodegroup create k8s gpu --flavor g1.large --nodes 0 --max 4
    """
    from zerojhub.cluster import nodegroups

    body: NodeGroupRequest = {"name": group, "node_count": nodes, "min_node_count": least, "role": role}
    if most is not None:
        body["max_node_count"] = most
    if flavor:
        body["flavor_id"] = flavor
    if image:
        body["image_id"] = image
    made = in_cloud(cluster, lambda here, say: nodegroups.create(here, cluster, body, say, wait=wait), cloud, quiet)
    show_done(made, output, "made node group")


@app.command("update")
def update_group(
    cluster: ClusterArgument,
    group: Group,
    least: Annotated[int | None, typer.Option("--min", min=0, help="Fewest nodes.")] = None,
    most: Annotated[int | None, typer.Option("--max", min=1, help="Most nodes.")] = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Change the bounds that the autoscaler keeps to.

    zerojhub nodegroup update k8s default-worker --min 1 --max 6
    """
    from zerojhub.cluster import nodegroups

    bounds: Bounds = {}
    if least is not None:
        bounds["min_node_count"] = least
    if most is not None:
        bounds["max_node_count"] = most
    changed = in_cloud(cluster, lambda here, say: nodegroups.update(here, cluster, group, bounds, say), cloud, quiet)
    report.show_updated(changed, output)


@app.command("delete")
def delete_group(
    cluster: ClusterArgument,
    group: Group,
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Take a node group away, its nodes drained first. The cluster's first groups stay as long as it does.

    zerojhub nodegroup delete k8s gpu
    """
    import anyio

    from zerojhub.cluster import nodegroups
    from zerojhub.cluster.resize import remove_group
    from zerojhub.openstack.session import Cloud

    gone = anyio.run(nodegroups.removable, Cloud(cloud), cluster, group)
    confirm(f"Delete the node group {gone['name']} of {cluster} and its {gone['node_count']} nodes?", yes=yes)

    async def work(run: Run, connect: Connect, say: Say) -> None:
        await remove_group(run, connect, gone["uuid"], say, lambda question: confirm(question, yes=yes), wait=wait)

    on_cluster(cluster, work, cloud, quiet)
    report.show_deleted(gone, output)
