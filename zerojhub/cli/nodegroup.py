"""zerojhub nodegroup: groups of like workers in a cluster, each with its flavor and bounds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    CloudOption,
    ClusterArgument,
    ColumnOption,
    LabelsOption,
    LimitOption,
    ListOutputOption,
    OutputOption,
    QuietOption,
    SortDirOption,
    SortKeyOption,
    WaitOption,
    YesOption,
    confirm,
    locks,
    logs_in,
)
from zerojhub.cli.run import in_cloud, on_cluster, request
from zerojhub.report import nodegroups as report
from zerojhub.report.results import Listing, ListOutput, Output, show_done, show_fields

if TYPE_CHECKING:
    from zerojhub.cluster import Connect
    from zerojhub.openstack.magnum import NodeGroup
    from zerojhub.run import Run
    from zerojhub.text import Say

app = App("Manage the node groups of a cluster.")

Group = Annotated[str, typer.Argument(metavar="NODEGROUP", help="Node group, by name or UUID.")]


NodeLabelsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Kubernetes labels of the nodes, separated by commas (repeatable)."),
]
NodeTaintsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY[=VALUE]:EFFECT",
        help="Kubernetes taints of the nodes, separated by commas (repeatable).",
    ),
]


@app.command("list")
def list_groups(
    cluster: ClusterArgument,
    role: Annotated[str | None, typer.Option(metavar="ROLE", help="Only node groups with this role.")] = None,
    limit: LimitOption = None,
    sort_key: SortKeyOption = None,
    sort_dir: SortDirOption = None,
    column: ColumnOption = None,
    cloud: CloudOption = None,
    output: ListOutputOption = ListOutput.table,
) -> None:
    """List the node groups of a cluster.

    Examples:
        zerojhub nodegroup list k8s
        zerojhub nodegroup list k8s --role worker --sort-key name
    """
    from zerojhub.cluster import nodegroups
    from zerojhub.openstack.magnum import Order

    order = Order(sort_key, sort_dir, limit)
    found = request(cloud, lambda here: nodegroups.listed(here, cluster, role, order))
    report.show_nodegroups(found, Listing(output, column or ()))


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
@logs_in
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
    docker_volume_size: Annotated[
        int | None,
        typer.Option(metavar="GB", min=1, help="Size of a volume for container images.", show_default="the cluster's"),
    ] = None,
    labels: LabelsOption = None,
    merge_labels: Annotated[
        bool,
        typer.Option(
            "--merge-labels/--replace-labels", help="Add the labels to the cluster's, or use only these labels."
        ),
    ] = True,
    node_labels: NodeLabelsOption = None,
    node_taints: NodeTaintsOption = None,
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Add a node group to a cluster.

    Where Magnum or its driver does not give nodes their labels and taints, they are set through Kubernetes, and a program in
    the cluster marks nodes that join later.

    Examples:
        zerojhub nodegroup create k8s gpu --flavor g1.large --nodes 0 --max 4
        zerojhub nodegroup create k8s gpu --node-labels gpu=a100 --node-taints nvidia.com/gpu:NoSchedule
    """
    from zerojhub.cli.arguments import parse_labels, parse_node_labels, parse_taints
    from zerojhub.cluster import marks, nodegroups

    body = nodegroups.request(
        group,
        nodes=nodes,
        least=least,
        most=most,
        flavor=flavor,
        image=image,
        role=role,
        labels=parse_labels(labels) if labels else None,
        docker_volume_size=docker_volume_size,
        node_labels=parse_node_labels(node_labels) if node_labels else None,
        node_taints=parse_taints(node_taints) if node_taints else None,
    )
    how = {"merge_labels": merge_labels, "wait": wait}
    if node_labels or node_taints:
        created = on_cluster(
            cluster, lambda run, connect, say: marks.create(run, connect, body, say, **how), cloud, quiet
        )
    else:
        created = in_cloud(cluster, lambda here, say: nodegroups.create(here, cluster, body, say, **how), cloud, quiet)
    show_done(created, output, "created node group")


@app.command("update")
@logs_in
def update_group(
    cluster: ClusterArgument,
    group: Group,
    least: Annotated[int | None, typer.Option("--min", metavar="N", min=0, help="Minimum number of nodes.")] = None,
    most: Annotated[int | None, typer.Option("--max", metavar="N", min=1, help="Maximum number of nodes.")] = None,
    node_labels: NodeLabelsOption = None,
    node_taints: NodeTaintsOption = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Change the bounds of a node group, or the labels and taints of its nodes.

    Labels and taints replace the present ones; an empty text removes them all.

    Examples:
        zerojhub nodegroup update k8s default-worker --min 1 --max 6
        zerojhub nodegroup update k8s gpu --node-labels gpu=a100,rack=3
    """
    from zerojhub.cli.arguments import parse_node_labels, parse_taints
    from zerojhub.cluster import marks, nodegroups

    change = nodegroups.change(
        least,
        most,
        parse_node_labels(node_labels) if node_labels else None,
        parse_taints(node_taints) if node_taints else None,
    )
    if change.keys() & {"node_labels", "node_taints"}:
        changed = on_cluster(
            cluster, lambda run, connect, say: marks.update(run, connect, group, change, say), cloud, quiet
        )
    else:
        changed = in_cloud(
            cluster, lambda here, say: nodegroups.update(here, cluster, group, change, say), cloud, quiet
        )
    report.show_updated(changed, output)


@app.command("delete")
@logs_in
@locks
def delete_group(
    cluster: ClusterArgument,
    groups: Annotated[list[str], typer.Argument(metavar="NODEGROUP", help="Node groups, by name or UUID.")],
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Delete node groups after draining their nodes. A cluster's first node groups cannot be deleted.

    Several node groups are deleted one after the other; `--no-wait` is about the last one.

    Examples:
        zerojhub nodegroup delete k8s gpu
        zerojhub nodegroup delete k8s gpu large
    """
    from zerojhub.cluster import nodegroups
    from zerojhub.cluster.resize import remove_group
    from zerojhub.openstack.names import find_each
    from zerojhub.text import named, plural

    found = request(cloud, lambda here: find_each(groups, lambda each: nodegroups.removable(here, cluster, each)))
    doomed = named("node group", [f"{group['name']} ({plural(group['node_count'], 'node')})" for group in found])
    confirm(f"Delete {doomed} of cluster {cluster}?", yes=yes)

    deleted: list[NodeGroup] = []

    async def work(run: Run, connect: Connect, say: Say) -> None:
        for group in found:
            now = wait or group is not found[-1]
            await remove_group(run, connect, group["uuid"], say, partial(confirm, yes=yes), wait=now)
            deleted.append(group)

    try:
        on_cluster(cluster, work, cloud, quiet)
    finally:  # also what was done before one could not be deleted
        if deleted:
            report.show_deleted(deleted, output)
