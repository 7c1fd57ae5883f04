"""zerojhub cluster: the ways into a cluster, and what it may do itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.options import CloudOption, NameArgument, OutputOption, QuietOption, WaitOption, YesOption, confirm
from zerojhub.cli.run import on_cluster, under_way
from zerojhub.report.results import Output, show, show_done, table

if TYPE_CHECKING:
    from zerojhub.openstack.clusters import Say
    from zerojhub.openstack.session import Cloud

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

    from zerojhub.openstack import clusters
    from zerojhub.openstack.session import Cloud

    cluster = anyio.run(clusters.settled, Cloud(cloud), name)
    confirm(f"Make a new CA for {cluster['name']}, and every kubeconfig so far useless?", yes=yes)

    async def rotate(here: Cloud, say: Say) -> dict:
        await here.container_infra.patch(f"/certificates/{cluster['uuid']}", None)
        if not wait:
            return cluster
        return await clusters.wait(here, cluster["uuid"], say, minutes=60, before=cluster)

    show_done(under_way(name, rotate, cloud, quiet), output, "made a new CA for cluster")


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

    from zerojhub.operations.login import ssh_words

    words = on_cluster(name, lambda hub, say: ssh_words(hub, node), cloud, quiet) + (command or [])
    os.execvp(words[0], words)
