"""zerojhub cluster: access to a cluster (kubeconfig, SSH), its CA, and its own credential in the cloud."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    CloudOption,
    NameArgument,
    OutputOption,
    QuietOption,
    WaitOption,
    YesOption,
    confirm,
    locks,
    logs_in,
)
from zerojhub.cli.run import in_cloud, on_cluster, request
from zerojhub.report.results import Output, show_done

if TYPE_CHECKING:
    from zerojhub.cluster import Connect
    from zerojhub.cluster.credentials import Credential, Replaced
    from zerojhub.cluster.expose import Exposure
    from zerojhub.run import Run
    from zerojhub.text import Say

app = App()


@app.command("credentials")
@logs_in
@locks
def show_credentials(
    name: NameArgument,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Show secrets unmasked.")] = False,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Have Magnum replace the credential first, and revoke the old one.")
    ] = False,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Show the credential with which the cluster uses the cloud, and whether it is valid.

    Examples:
        zerojhub cluster credentials k8s
        zerojhub cluster credentials k8s --rotate
    """
    from zerojhub.cluster import credentials
    from zerojhub.report.credentials import show_credential

    async def work(run: Run, connect: Connect, say: Say) -> tuple[Credential, Replaced | None]:
        if rotate:
            return await credentials.rotate(run, connect, say, partial(confirm, yes=yes), show_secrets=show_secrets)
        return await credentials.read(await connect(), show_secrets=show_secrets), None

    show_credential(*on_cluster(name, work, cloud, quiet, locked=rotate), output)


@app.command("rotate-ca")
def rotate_ca(
    name: NameArgument,
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Replace the cluster's certificate authority. Existing kubeconfigs stop working.

    Examples:
        zerojhub cluster rotate-ca k8s
    """
    from zerojhub.cluster import lifecycle
    from zerojhub.openstack import clusters

    cluster = request(cloud, lambda here: clusters.get_idle(here, name))
    confirm(f"Replace the CA of cluster {cluster['name']}? Existing kubeconfigs will stop working.", yes=yes)
    rotated = in_cloud(name, lambda here, say: lifecycle.rotate_ca(here, cluster, say, wait=wait), cloud, quiet)
    show_done(rotated, output, "replaced the CA of cluster")


@app.command("kubeconfig")
def write_kubeconfig(
    name: NameArgument,
    path: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="File to write.", show_default="$KUBECONFIG or ~/.kube/config"),
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Add to the existing file.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    output_certs: Annotated[
        bool, typer.Option("--output-certs", help="Also write ca.pem, cert.pem and key.pem beside it.")
    ] = False,
    use_keystone: Annotated[
        bool,
        typer.Option(
            "--use-keystone", help="Log in with the token in OS_TOKEN, on clusters that accept those of Keystone."
        ),
    ] = False,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Write an administrator's kubeconfig with mode 0600.

    The private key is generated on this machine, and Magnum signs its certificate.

    Examples:
        zerojhub cluster kubeconfig k8s --to k8s.kubeconfig
        zerojhub cluster kubeconfig k8s --to k8s/config --output-certs --force
    """
    from zerojhub.cluster import kubeconfig
    from zerojhub.report.clusters import show_kubeconfig

    target = path.expanduser() if path else kubeconfig.default_path()
    wanted = kubeconfig.Wanted(merge=merge, force=force, certificates=output_certs, keystone=use_keystone)
    show_kubeconfig(request(cloud, lambda here: kubeconfig.save(here, name, target, wanted)), output)


@app.command("expose")
@locks
def expose(
    name: NameArgument,
    floating_ip: Annotated[
        str | None,
        typer.Option(
            "--floating-ip",
            metavar="ADDRESS",
            help="Floating IP of the project, by address or ID.",
            show_default="a new one",
        ),
    ] = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Give the first master a floating IP, so that commands can log in to it.

    A floating IP that this command allocates is released with the cluster. Clusters of Cluster API drivers need none.

    Examples:
        zerojhub cluster expose k8s
        zerojhub cluster expose k8s --floating-ip 203.0.113.7
    """
    from zerojhub.report.clusters import show_exposed

    show_exposed(give_floating_ip(name, floating_ip, cloud, quiet), output)


def give_floating_ip(name: str, floating_ip: str | None, cloud: str | None, quiet: bool) -> Exposure:
    """Expose the cluster of this name or UUID."""
    from zerojhub.cluster import expose
    from zerojhub.openstack import magnum

    async def work(run: Run, connect: Connect, say: Say) -> Exposure:
        return await expose.expose(run.cloud, await magnum.get_cluster(run.cloud, name), floating_ip, say)

    return on_cluster(name, work, cloud, quiet)


@app.command("unexpose")
@locks
def unexpose(
    name: NameArgument,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Detach the first master's floating IP, and release it if `cluster expose` allocated it.

    Examples:
        zerojhub cluster unexpose k8s
    """
    from zerojhub.cluster import expose
    from zerojhub.openstack import magnum
    from zerojhub.report.clusters import show_unexposed

    async def work(run: Run, connect: Connect, say: Say) -> Exposure:
        return await expose.unexpose(run.cloud, await magnum.get_cluster(run.cloud, name), partial(confirm, yes=yes))

    show_unexposed(on_cluster(name, work, cloud, quiet), output)


@app.command("ssh")
@logs_in
def ssh(
    name: NameArgument,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="Command to run there, after `--`.", show_default="a shell"),
    ] = None,
    node: Annotated[
        str | None, typer.Option("--node", metavar="NODE", help="Node, by name.", show_default="the first master")
    ] = None,
    cloud: CloudOption = None,
    quiet: QuietOption = False,
) -> None:
    """Log in to the master, or through it to a node, with pinned host keys.

    Examples:
        zerojhub cluster ssh k8s
        zerojhub cluster ssh k8s -- sudo kubectl get nodes
    """
    import os

    from zerojhub.cluster import ssh as login
    from zerojhub.machine.local import environment

    async def work(run: Run, connect: Connect, say: Say) -> list[str]:
        return await login.command(run, await connect(), node)

    words = on_cluster(name, work, cloud, quiet, locked=False) + (command or [])
    os.execvpe(words[0], words, environment())
