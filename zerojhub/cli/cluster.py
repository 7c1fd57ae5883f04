"""zerojhub cluster: the project's clusters, from their making to their end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerojhub.cli.options import CloudOption, OutputOption, QuietOption, YesOption, confirm
from zerojhub.report.results import Output, show, table

if TYPE_CHECKING:
    from zerojhub.openstack.clusters import Say
    from zerojhub.openstack.session import Cloud

app = typer.Typer(help="Clusters of the project.", no_args_is_help=True)
COLUMNS = ("uuid", "name", "keypair", "node_count", "master_count", "status", "health_status")

Name = Annotated[str, typer.Argument(help="Name or UUID.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")]


@app.command("list")
def list_clusters(cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """The clusters in the project.

    zerojhub cluster list
    """
    import anyio

    from zerojhub.openstack.session import Cloud

    clusters = anyio.run(Cloud(cloud).container_infra.all, "/clusters", "clusters")
    show(clusters, output, lambda: table(clusters, COLUMNS))


@app.command("show")
def show_cluster(name: Name, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """One cluster, whole: with its servers, and why it is not well.

    zerojhub cluster show k8s -o yaml
    """
    import anyio

    from zerojhub.openstack import clusters
    from zerojhub.openstack.session import Cloud

    cluster = anyio.run(clusters.describe, Cloud(cloud), name)
    rows = [{"field": key, "value": value} for key, value in cluster.items() if key not in ("links", "servers")]

    def people() -> None:
        table(rows, ("field", "value"))
        print()
        table(cluster["servers"], ("name", "status", "flavor", "addresses", "fault"), empty="no servers are to be seen")

    show(cluster, output, people)


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

    async def create(here: Cloud, say: Say) -> dict:
        uuid = await clusters.create(here, template, body, duplicate=duplicate)
        return await clusters.wait(here, uuid, say, minutes=timeout) if wait else {"uuid": uuid, "name": name}

    _report(under_way(name, create, cloud, quiet), output, "making" if not wait else "made")


@app.command("delete")
def delete_cluster(
    name: Name,
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

    from zerojhub.openstack import magnum
    from zerojhub.openstack.session import Cloud
    from zerojhub.operations.delete import delete as end

    cluster = anyio.run(magnum.get_one, Cloud(cloud), "clusters", name)
    data = " AND THE VOLUMES OF ITS CLAIMS" if delete_data else ""
    confirm(f"Delete the cluster {cluster['name']} ({cluster['uuid']}){data}?", yes=yes)

    async def delete(here: Cloud, say: Say) -> list[dict]:
        if not wait:
            await here.container_infra.delete(f"/clusters/{cluster['uuid']}")
            return []
        return await end(here, cluster, say, data=delete_data)

    kept = under_way(cluster["name"], delete, cloud, quiet)

    def people() -> None:
        print(f"deleted cluster {cluster['name']} ({cluster['uuid']})")
        if kept:
            print("volumes of its claims are kept (openstack volume delete ID removes one):")
            table(kept, ("id", "name", "size_gb", "owner"))

    show({"deleted": cluster["uuid"], "kept": kept}, output, people)


@app.command("update")
def update_cluster(
    name: Name,
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
    from zerojhub.openstack import updates
    from zerojhub.operations.resize import update

    patch = updates.patch(operation, attributes)

    def work(hub, say: Say):
        return update(hub, patch, say, lambda question: confirm(question, yes=yes))

    _report(on_cluster(name, work, cloud, quiet), output, "updated")


@app.command("resize")
def resize_cluster(
    name: Name,
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
    from zerojhub.operations.resize import resize

    def work(hub, say: Say):
        return resize(hub, count, nodegroup, nodes_to_remove or [], say, lambda question: confirm(question, yes=yes))

    _report(on_cluster(name, work, cloud, quiet), output, "resized")


@app.command("upgrade")
def upgrade_cluster(
    name: Name,
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
) -> None:
    """Another Kubernetes, node by node, checked before and verified after.

    zerojhub cluster upgrade k8s --kube-tag v1.34.5
    """
    from dataclasses import asdict

    from zerojhub.operations.upgrade import upgrade

    done = on_cluster(name, lambda hub, say: upgrade(hub, kube_tag, template, batch, hub_url, say), cloud, quiet)

    def people() -> None:
        table(done.nodes, ("name", "kubelet", "runtime"))
        if done.silent is not None:
            print(f"the hub went without an answer for {done.silent} s")

    show(asdict(done), output, people)


@app.command("credentials")
def show_credentials(
    name: Name,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print them, not stars.")] = False,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Have Magnum give it another first, and end this one.")
    ] = False,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """What the cluster itself may do in the cloud: its credential, as it holds it, and whether it still works.

    zerojhub cluster credentials k8s --rotate
    """
    from zerojhub.operations import credentials

    def work(hub, say: Say):
        if rotate:
            return credentials.rotate(hub, say, lambda question: confirm(question, yes=yes), show_secrets=show_secrets)
        return credentials.read(hub, show_secrets=show_secrets)

    found = on_cluster(name, work, cloud, quiet)

    def people() -> None:
        if before := found.get("before"):
            print(f"{before['kind']} {before['id']} {'works still' if before['works'] else 'is ended'}")
        print(f"{found['kind']} {found['id']} {'works' if found['works'] else 'does not work: ' + found['why_not']}")
        table([{"setting": key, "value": value} for key, value in found["settings"].items()], ("setting", "value"))

    show(found, output, people)


@app.command("rotate-ca")
def rotate_ca(
    name: Name,
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """A new certificate authority for the cluster; every kubeconfig that was made before stops working.

    zerojhub cluster rotate-ca k8s
    """
    import anyio

    from zerojhub.openstack import clusters
    from zerojhub.openstack.session import Cloud

    cluster = anyio.run(clusters.settled, Cloud(cloud), name)
    confirm(f"Make a new CA for {cluster['name']}, and every kubeconfig so far useless?", yes=yes)

    async def rotate(here: Cloud, say: Say) -> dict:
        await here.container_infra.patch(f"/certificates/{cluster['uuid']}", None)
        if not wait:
            return cluster
        return await clusters.wait(here, cluster["uuid"], say, minutes=60, before=cluster)

    _report(under_way(name, rotate, cloud, quiet), output, "made a new CA for")


@app.command("kubeconfig")
def write_kubeconfig(
    name: Name,
    path: Annotated[
        Path | None, typer.Option("--to", help="Where to, in place of KUBECONFIG or ~/.kube/config.")
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Add to the file that is there.")] = False,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """An administrator's kubeconfig: the key is made here, Magnum signs it; written so that only you can read it.

    zerojhub cluster kubeconfig k8s --to k8s.kubeconfig
    """
    import os

    import anyio

    from zerojhub.openstack import kubeconfig, magnum
    from zerojhub.openstack.session import Cloud
    from zerojhub.operations.kubeconfig import merged, there, write

    target = path or Path(os.environ.get("KUBECONFIG", "").partition(":")[0] or "~/.kube/config").expanduser()
    here, before = Cloud(cloud), there(target, merge=merge)

    async def make() -> dict:
        return await kubeconfig.make(here, await magnum.get_one(here, "clusters", name))

    config = anyio.run(make)
    write(target, merged(before, config))
    answer = {"path": str(target), "context": config["current-context"]}
    show(answer, output, lambda: print(f"wrote {target}, context {config['current-context']}"))


@app.command("ssh")
def ssh(
    name: Name,
    command: Annotated[
        list[str] | None, typer.Argument(help="What to run there, after `--`; a shell when left out.")
    ] = None,
    node: Annotated[
        str | None, typer.Option("--node", help="A node, by its name, in place of the first master.")
    ] = None,
    cloud: CloudOption = None,
    quiet: QuietOption = False,
) -> None:
    """Log in to the master, or through it to a node, with the host keys that were pinned.

    zerojhub cluster ssh k8s -- sudo kubectl get nodes
    """
    import os

    from zerojhub.operations.login import ssh_words

    words = on_cluster(name, lambda hub, say: ssh_words(hub, node), cloud, quiet) + (command or [])
    os.execvp(words[0], words)


def under_way(name: str, work: Callable[[Cloud, Say], Awaitable[Any]], cloud: str | None, quiet: bool) -> Any:
    """Run `work` with a step of live progress named after the cluster."""
    from functools import partial

    import anyio

    from zerojhub.openstack.session import Cloud
    from zerojhub.report import Progress

    with Progress(quiet=quiet) as progress:
        progress.start(name)
        outcome = "failed"
        try:
            answer = anyio.run(work, Cloud(cloud), partial(progress.say, name))
            outcome = "done"
        finally:
            progress.end(name, outcome)
    return answer


def on_cluster(name: str, work: Callable[[Any, Say], Awaitable[Any]], cloud: str | None, quiet: bool) -> Any:
    """Run `work(hub, say)` on the deployment that the cluster belongs to, or on one that adopts it."""
    from zerojhub.cli.run import lock
    from zerojhub.journey import Hub
    from zerojhub.operations.adopt import deployment_of
    from zerojhub.report import Progress

    async def run(here: Cloud, say: Say) -> Any:
        deployment = await deployment_of(here, name, cloud)
        with lock(deployment, wanted_lock=True), Progress(quiet=True) as progress:
            hub = Hub(deployment, progress)
            try:
                return await work(hub, say)
            finally:
                await hub.close()

    return under_way(name, run, cloud, quiet)


def _report(cluster: dict, output: Output, word: str) -> None:
    show(cluster, output, lambda: print(f"{word} cluster {cluster['name']} ({cluster['uuid']})"))
