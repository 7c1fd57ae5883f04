"""zerojhub cluster: the project's clusters, from their making to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from zerojhub.cli import cluster_access
from zerojhub.cli.options import CloudOption, NameArgument, OutputOption, QuietOption, WaitOption, YesOption, confirm
from zerojhub.cli.run import in_cloud, on_cluster
from zerojhub.report.results import Output, show_done

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zerojhub.cluster import Connect
    from zerojhub.cluster.upgrade import Upgraded
    from zerojhub.openstack.leftovers import KeptVolume
    from zerojhub.openstack.magnum import Cluster, ClusterOptions
    from zerojhub.openstack.session import Cloud
    from zerojhub.run import Run
    from zerojhub.text import Say

app = typer.Typer(help="Clusters of the project.", no_args_is_help=True)
app.add_typer(cluster_access.app)


@app.command("list")
def list_clusters(cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """The clusters in the project.

    zerojhub cluster list
    """
    import anyio

    from zerojhub.openstack import magnum
    from zerojhub.openstack.session import Cloud
    from zerojhub.report.clusters import show_clusters

    show_clusters(anyio.run(magnum.clusters, Cloud(cloud)), output)


@app.command("show")
def show_cluster(name: NameArgument, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """One cluster, whole: with its servers, and why it is not well.

    zerojhub cluster show k8s -o yaml
    """
    import anyio

    from zerojhub.cluster.lifecycle import describe
    from zerojhub.openstack.session import Cloud
    from zerojhub.report.clusters import show_description

    show_description(anyio.run(describe, Cloud(cloud), name), output)


@app.command("create")
def create_cluster(
    name: Annotated[str, typer.Argument(help="Letters, digits, `_`, `.` and `-`, a letter first.")],
    template: Annotated[str, typer.Option("--template", help="Cluster template, by name or UUID.")],
    keypair: Annotated[str | None, typer.Option(help="Keypair of the servers.")] = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="How many workers.")] = 1,
    masters: Annotated[int, typer.Option("--masters", min=1, help="How many masters.")] = 1,
    flavor: Annotated[str | None, typer.Option(help="Flavor of workers, in place of the template's.")] = None,
    master_flavor: Annotated[str | None, typer.Option(help="Flavor of masters, likewise.")] = None,
    docker_volume_size: Annotated[int | None, typer.Option(min=1, help="GB of a volume for images.")] = None,
    fixed_network: Annotated[str | None, typer.Option(help="Network for the servers.")] = None,
    fixed_subnet: Annotated[str | None, typer.Option(help="Subnet for the servers.")] = None,
    floating_ip_enabled: Annotated[
        bool | None, typer.Option("--floating-ip/--no-floating-ip", help="A floating IP for each server.")
    ] = None,
    master_lb_enabled: Annotated[
        bool | None, typer.Option("--master-lb/--no-master-lb", help="A load balancer before the API.")
    ] = None,
    labels: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Labels; again for more.")] = None,
    merge_labels: Annotated[
        bool, typer.Option("--merge-labels/--replace-labels", help="With the template's, or in their place.")
    ] = True,
    timeout: Annotated[int, typer.Option(min=1, help="Minutes until Magnum gives up.")] = 60,
    duplicate: Annotated[bool, typer.Option("--duplicate", help="Make it although the name is taken.")] = False,
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Make a cluster, checked first for what Magnum would refuse or fail on later.

    zerojhub cluster create k8s --template kubernetes-v1.34.4 --keypair mykey --workers 2
    """
    from zerojhub.cli.arguments import parse_labels
    from zerojhub.cluster import lifecycle
    from zerojhub.openstack import clusters

    optional = {
        "keypair": keypair,
        "flavor_id": flavor,
        "master_flavor_id": master_flavor,
        "docker_volume_size": docker_volume_size,
        "fixed_network": fixed_network,
        "fixed_subnet": fixed_subnet,
        "floating_ip_enabled": floating_ip_enabled,
        "master_lb_enabled": master_lb_enabled,
        "labels": parse_labels(labels) if labels else None,
    }
    body = {
        "name": name,
        "node_count": workers,
        "master_count": masters,
        "create_timeout": timeout,
        **{key: value for key, value in optional.items() if value is not None},
        **({"merge_labels": merge_labels} if labels else {}),
    }
    options = cast("ClusterOptions", body)  # typer has checked the types

    async def create(here: Cloud, say: Say) -> Mapping[str, object]:
        uuid = await clusters.create(here, template, options, duplicate=duplicate)
        return await lifecycle.wait(here, uuid, say, minutes=timeout) if wait else {"uuid": uuid, "name": name}

    show_done(in_cloud(name, create, cloud, quiet), output, "making cluster" if not wait else "made cluster")


@app.command("delete")
def delete_cluster(
    name: NameArgument,
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Delete its claims' volumes too.")] = False,
    yes: YesOption = False,
) -> None:
    """Delete a cluster and what its Services leave; volumes of claims are kept and listed unless --delete-data.

    zerojhub cluster delete k8s
    """
    import anyio

    from zerojhub.cluster.delete import delete as delete_whole
    from zerojhub.openstack import magnum
    from zerojhub.openstack.session import Cloud
    from zerojhub.report.clusters import show_deleted

    cluster = anyio.run(magnum.get_cluster, Cloud(cloud), name)
    data = " AND THE VOLUMES OF ITS CLAIMS" if delete_data else ""
    confirm(f"Delete the cluster {cluster['name']} ({cluster['uuid']}){data}?", yes=yes)

    async def delete(here: Cloud, say: Say) -> list[KeptVolume]:
        if not wait:
            await magnum.delete_cluster(here, cluster["uuid"])
            return []
        return await delete_whole(here, cluster, say, data=delete_data)

    show_deleted(cluster, in_cloud(cluster["name"], delete, cloud, quiet), output)


@app.command("update")
def update_cluster(
    name: NameArgument,
    operation: Annotated[str, typer.Argument(help="replace or remove.")],
    attributes: Annotated[list[str], typer.Argument(metavar="ATTRIBUTE[=VALUE]...", help="node_count=N.")],
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Change what can change in a cluster: its number of workers. `remove node_count` sets it back to 1.

    Nodes that go are drained first, as with resize.

    zerojhub cluster update k8s replace node_count=3
    """
    from zerojhub.cluster.resize import update
    from zerojhub.openstack import updates

    patch = updates.patch(operation, attributes)

    async def work(run: Run, connect: Connect, say: Say) -> Cluster:
        return await update(run, connect, patch, say, lambda question: confirm(question, yes=yes))

    show_done(on_cluster(name, work, cloud, quiet), output, "updated cluster")


@app.command("resize")
def resize_cluster(
    name: NameArgument,
    count: Annotated[int, typer.Argument(metavar="N", min=0, help="How many workers.")],
    nodegroup: Annotated[str | None, typer.Option(help="A node group, in place of the first workers.")] = None,
    nodes_to_remove: Annotated[
        list[str] | None, typer.Option(metavar="NODE", help="A node that is to go; again for more.")
    ] = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """More workers or fewer. Nodes that go are drained first; users whose servers run there are named and asked about.

    zerojhub cluster resize k8s 3
    """
    from zerojhub.cluster.resize import resize

    async def work(run: Run, connect: Connect, say: Say) -> Cluster:
        leaving = nodes_to_remove or []
        return await resize(run, connect, count, nodegroup, leaving, say, lambda question: confirm(question, yes=yes))

    show_done(on_cluster(name, work, cloud, quiet), output, "resized cluster")


@app.command("upgrade")
def upgrade_cluster(
    name: NameArgument,
    kube_tag: Annotated[str | None, typer.Option("--kube-tag", help="Kubernetes version, such as v1.34.5.")] = None,
    template: Annotated[
        str | None, typer.Option("--template", help="A template that has it, in place of a copy of the cluster's.")
    ] = None,
    batch: Annotated[int, typer.Option("--max-batch-size", min=1, help="Nodes at once.")] = 1,
    hub_url: Annotated[
        str | None, typer.Option("--hub-url", help="A hub to watch meanwhile; the cluster's own when left out.")
    ] = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Another Kubernetes, node by node, checked before and verified after.

    zerojhub cluster upgrade k8s --kube-tag v1.34.5
    """
    from zerojhub.cluster.upgrade import upgrade
    from zerojhub.report.clusters import show_upgraded

    async def work(run: Run, connect: Connect, say: Say) -> Upgraded:
        return await upgrade(
            run, connect, kube_tag, template, batch, hub_url, say, lambda question: confirm(question, yes=yes)
        )

    show_upgraded(on_cluster(name, work, cloud, quiet), output)
