"""zerojhub cluster: create, inspect, change and delete clusters."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli import cluster_access
from zerojhub.cli.help import App
from zerojhub.cli.options import (
    CloudOption,
    ColumnOption,
    DuplicateOption,
    FixedSubnetOption,
    FloatingIPOption,
    KeypairOption,
    LabelsOption,
    LimitOption,
    ListOutputOption,
    NameArgument,
    NamesArgument,
    NodeGroupOption,
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
from zerojhub.report.results import Listing, ListOutput, Output, show_done

if TYPE_CHECKING:
    from zerojhub.cluster import Connect
    from zerojhub.cluster.upgrade import Upgraded
    from zerojhub.openstack.leftovers import KeptVolume
    from zerojhub.openstack.magnum import Cluster
    from zerojhub.run import Run
    from zerojhub.text import Say

app = App("Manage clusters.")
app.add_typer(cluster_access.app)


@app.command("list")
def list_clusters(
    limit: LimitOption = None,
    sort_key: SortKeyOption = None,
    sort_dir: SortDirOption = None,
    column: ColumnOption = None,
    cloud: CloudOption = None,
    output: ListOutputOption = ListOutput.table,
) -> None:
    """List the clusters of the project.

    Examples:
        zerojhub cluster list
        zerojhub cluster list --sort-key name -c name -c status -o csv
    """
    from zerojhub.openstack import magnum
    from zerojhub.report.clusters import show_clusters

    order = magnum.Order(sort_key, sort_dir, limit)
    show_clusters(request(cloud, lambda here: magnum.clusters(here, order)), Listing(output, column or ()))


@app.command("show")
def show_cluster(name: NameArgument, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """Show all fields of a cluster, its servers and, if it failed, why.

    Examples:
        zerojhub cluster show k8s -o yaml
    """
    from zerojhub.cluster.lifecycle import describe
    from zerojhub.report.clusters import show_description

    show_description(request(cloud, lambda here: describe(here, name)), output)


@app.command("create")
def create_cluster(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Letters, digits, `_`, `.` and `-`, starting with a letter.")
    ],
    template: Annotated[str, typer.Option("--template", metavar="TEMPLATE", help="Cluster template, by name or UUID.")],
    keypair: KeypairOption = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=0, help="Number of workers.")] = 1,
    masters: Annotated[int, typer.Option("--masters", metavar="N", min=1, help="Number of masters.")] = 1,
    flavor: Annotated[
        str | None,
        typer.Option(metavar="FLAVOR", help="Flavor of the workers.", show_default="the template's"),
    ] = None,
    master_flavor: Annotated[
        str | None,
        typer.Option(metavar="FLAVOR", help="Flavor of the masters.", show_default="the template's"),
    ] = None,
    docker_volume_size: Annotated[
        int | None,
        typer.Option(metavar="GB", min=1, help="Size of a volume for container images.", show_default="the template's"),
    ] = None,
    fixed_network: Annotated[
        str | None,
        typer.Option(metavar="NETWORK", help="Network of the servers.", show_default="the template's"),
    ] = None,
    fixed_subnet: FixedSubnetOption = None,
    floating_ip_enabled: FloatingIPOption = None,
    master_lb_enabled: Annotated[
        bool | None,
        typer.Option("--master-lb/--no-master-lb", help="Put a load balancer in front of the Kubernetes API."),
    ] = None,
    labels: LabelsOption = None,
    merge_labels: Annotated[
        bool,
        typer.Option(
            "--merge-labels/--replace-labels", help="Add the labels to the template's, or use only these labels."
        ),
    ] = True,
    discovery_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the members of etcd find each other (Heat drivers).")
    ] = None,
    timeout: Annotated[int, typer.Option(metavar="MINUTES", min=1, help="Timeout of the creation.")] = 60,
    duplicate: DuplicateOption = False,
    wait: WaitOption = True,
    expose: Annotated[
        bool, typer.Option("--expose", help="Then give the first master a floating IP, as `cluster expose` does.")
    ] = False,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Create a cluster. Whatever would make the creation fail is reported first.

    Examples:
        zerojhub cluster create k8s --template kubernetes-v1.34.4 --keypair mykey --workers 2
    """
    from zerojhub.cli.arguments import parse_labels
    from zerojhub.cluster import lifecycle
    from zerojhub.errors import UserError
    from zerojhub.openstack import clusters
    from zerojhub.report.clusters import show_created

    if expose and not wait:
        raise UserError(
            "--expose needs the complete cluster", hint=f"leave out --no-wait, or later: zerojhub cluster expose {name}"
        )
    options = clusters.options(
        name,
        workers=workers,
        masters=masters,
        minutes=timeout,
        keypair=keypair,
        flavor=flavor,
        master_flavor=master_flavor,
        docker_volume_size=docker_volume_size,
        fixed_network=fixed_network,
        fixed_subnet=fixed_subnet,
        floating_ip=floating_ip_enabled,
        master_lb=master_lb_enabled,
        labels=parse_labels(labels) if labels else None,
        merge_labels=merge_labels,
        discovery_url=discovery_url,
    )
    created = in_cloud(
        name,
        lambda here, say: lifecycle.create(
            here, template, options, say, duplicate=duplicate, wait=wait, floating_ips=int(expose)
        ),
        cloud,
        quiet,
    )
    exposure = cluster_access.give_floating_ip(created["uuid"], None, cloud, quiet) if expose else None
    show_created(created, exposure, output, complete=wait)


@app.command("delete")
def delete_cluster(
    names: NamesArgument,
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Also delete the volumes of its claims.")] = False,
    yes: YesOption = False,
) -> None:
    """Delete clusters and their load balancers; volumes of claims are kept and listed.

    Several clusters are deleted one after the other, until one cannot be deleted.

    Examples:
        zerojhub cluster delete k8s
        zerojhub cluster delete k8s --delete-data --yes
        zerojhub cluster delete first second
    """
    from zerojhub.cluster.delete import delete
    from zerojhub.openstack import magnum
    from zerojhub.openstack.names import find_each
    from zerojhub.report.clusters import show_deleted
    from zerojhub.text import named

    clusters = request(cloud, lambda here: find_each(names, lambda name: magnum.get_cluster(here, name)))
    doomed = named("cluster", [f"{cluster['name']} ({cluster['uuid']})" for cluster in clusters])
    data = f" AND THE VOLUMES OF {'ITS' if len(clusters) == 1 else 'THEIR'} CLAIMS" if delete_data else ""
    confirm(f"Delete {doomed}{data}?", yes=yes)

    def delete_one(cluster: Cluster) -> list[KeptVolume]:
        return in_cloud(
            cluster["name"],
            lambda here, say: delete(here, cluster, say, data=delete_data, wait=wait),
            cloud,
            quiet,
        )

    deleted: list[tuple[Cluster, list[KeptVolume]]] = []
    try:
        for cluster in clusters:
            deleted.append((cluster, delete_one(cluster)))
    finally:  # also what was done before one could not be deleted
        if deleted:
            show_deleted(deleted, output, complete=wait)


@app.command("update")
@logs_in
@locks
def update_cluster(
    name: NameArgument,
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="replace, remove or add.")],
    attributes: Annotated[
        list[str], typer.Argument(metavar="ATTRIBUTE[=VALUE]", help="node_count=N, or labels/KEY=VALUE.")
    ],
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Take a change back that fails, if the driver can (Heat drivers).")
    ] = False,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Change the number of workers. `remove node_count` sets it to 1.

    Nodes are drained before they are removed, as with resize. Labels change only on a Magnum that lets them.

    Examples:
        zerojhub cluster update k8s replace node_count=3
        zerojhub cluster update k8s replace node_count=3 --rollback
    """
    from zerojhub.cluster.resize import update
    from zerojhub.openstack import updates

    patch = updates.patch(operation, attributes)

    async def work(run: Run, connect: Connect, say: Say) -> Cluster:
        return await update(run, connect, patch, say, partial(confirm, yes=yes), rollback=rollback)

    show_done(on_cluster(name, work, cloud, quiet), output, "updated cluster")


@app.command("resize")
@logs_in
@locks
def resize_cluster(
    name: NameArgument,
    count: Annotated[int, typer.Argument(metavar="N", min=0, help="New number of nodes.")],
    nodegroup: NodeGroupOption = None,
    nodes_to_remove: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NODE", help="Node to remove (repeatable).", show_default="those with the fewest user servers"
        ),
    ] = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Change the number of workers, or of masters where the driver can.

    Workers are drained before they are removed. If that stops user servers, the command names the users and asks first.

    Examples:
        zerojhub cluster resize k8s 3
        zerojhub cluster resize k8s 3 --nodegroup default-master
        zerojhub cluster resize k8s 1 --nodes-to-remove k8s-x2x3-node-0
    """
    from zerojhub.cluster.resize import resize

    async def work(run: Run, connect: Connect, say: Say) -> Cluster:
        return await resize(run, connect, count, nodegroup, nodes_to_remove or [], say, partial(confirm, yes=yes))

    show_done(on_cluster(name, work, cloud, quiet), output, "resized cluster")


@app.command("upgrade")
@logs_in
@locks
def upgrade_cluster(
    name: NameArgument,
    kube_tag: Annotated[
        str | None, typer.Option("--kube-tag", metavar="VERSION", help="Kubernetes version, such as v1.34.5.")
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="TEMPLATE",
            help="Cluster template with the new version.",
            show_default="a copy of the cluster's",
        ),
    ] = None,
    batch: Annotated[
        int, typer.Option("--max-batch-size", metavar="N", min=1, help="Number of nodes upgraded at the same time.")
    ] = 1,
    nodegroup: Annotated[
        str | None,
        typer.Option(
            metavar="NODEGROUP",
            help="Only this node group, to the cluster's version, by name or UUID.",
            show_default="masters and default workers",
        ),
    ] = None,
    hub_url: Annotated[
        str | None,
        typer.Option(
            "--hub-url", metavar="URL", help="Hub to watch during the upgrade.", show_default="the cluster's own"
        ),
    ] = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Upgrade Kubernetes node by node, with checks before and after.

    Where the driver upgrades node groups one by one, those that were added later follow with --nodegroup.

    Examples:
        zerojhub cluster upgrade k8s --kube-tag v1.34.5
        zerojhub cluster upgrade k8s --nodegroup gpu
    """
    from zerojhub.cluster.upgrade import Wanted, upgrade
    from zerojhub.report.clusters import show_upgraded

    asked = Wanted(kube_tag, template, nodegroup, batch, hub_url)

    async def work(run: Run, connect: Connect, say: Say) -> Upgraded:
        return await upgrade(run, connect, asked, say, partial(confirm, yes=yes))

    show_upgraded(name, on_cluster(name, work, cloud, quiet), output)
