"""zerojhub cluster: the ways into a cluster, and what it may do itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.options import CloudOption, NameArgument, OutputOption, QuietOption, WaitOption, YesOption, confirm
from zerojhub.cli.run import in_cloud, on_cluster
from zerojhub.report.results import Output, show_done

if TYPE_CHECKING:
    from zerojhub.cluster import Connect
    from zerojhub.cluster.credentials import Credential, Replaced
    from zerojhub.openstack.magnum import Cluster
    from zerojhub.openstack.session import Cloud
    from zerojhub.run import Run
    from zerojhub.text import Say

app = typer.Typer()


@app.command("credentials")
def show_credentials(
    name: NameArgument,
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
    from zerojhub.cluster import credentials
    from zerojhub.report.credentials import show_credential

    async def work(run: Run, connect: Connect, say: Say) -> tuple[Credential, Replaced | None]:
        if rotate:
            return await credentials.rotate(
                run, connect, say, lambda question: confirm(question, yes=yes), show_secrets=show_secrets
            )
        return await credentials.read(await connect(), show_secrets=show_secrets), None

    show_credential(*on_cluster(name, work, cloud, quiet), output)


@app.command("rotate-ca")
def rotate_ca(
    name: NameArgument,
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

    from zerojhub.cluster import lifecycle
    from zerojhub.openstack import clusters, magnum
    from zerojhub.openstack.session import Cloud

    cluster = anyio.run(clusters.get_idle, Cloud(cloud), name)
    confirm(f"Make a new CA for {cluster['name']}, and every kubeconfig so far useless?", yes=yes)

    async def rotate(here: Cloud, say: Say) -> Cluster:
        await magnum.rotate_ca(here, cluster["uuid"])
        if not wait:
            return cluster
        return await lifecycle.wait(here, cluster["uuid"], say, minutes=60, before=cluster)

    show_done(in_cloud(name, rotate, cloud, quiet), output, "made a new CA for cluster")


@app.command("kubeconfig")
def write_kubeconfig(
    name: NameArgument,
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

    from zerojhub.cluster.kubeconfig import merged, there, write
    from zerojhub.openstack import kubeconfig, magnum
    from zerojhub.openstack.session import Cloud
    from zerojhub.report.clusters import show_kubeconfig

    target = path or Path(os.environ.get("KUBECONFIG", "").partition(":")[0] or "~/.kube/config").expanduser()
    here, before = Cloud(cloud), there(target, merge=merge)

    async def make() -> kubeconfig.Kubeconfig:
        return await kubeconfig.make(here, await magnum.get_cluster(here, name))

    config = anyio.run(make)
    write(target, merged(before, config))
    show_kubeconfig(target, config["current-context"], output)


@app.command("ssh")
def ssh(
    name: NameArgument,
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

    from zerojhub.cluster import ssh as login

    async def work(run: Run, connect: Connect, say: Say) -> list[str]:
        return await login.command(run, await connect(), node)

    words = on_cluster(name, work, cloud, quiet) + (command or [])
    os.execvp(words[0], words)
