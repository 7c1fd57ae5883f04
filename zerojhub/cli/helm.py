"""zerojhub helm: Helm itself, wherever the deployment's Helm runs, with the cluster's kubeconfig."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import DEFAULT_FILE, CloudOption, ClusterOption, FileOption, logs_in

if TYPE_CHECKING:
    from zerojhub.cluster import Connect
    from zerojhub.run import Run
    from zerojhub.text import Say

app = App()


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@logs_in
def helm(
    arguments: Annotated[list[str], typer.Argument(metavar="HELM-ARGUMENT", help="Arguments for Helm.")],
    cluster: ClusterOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
) -> None:
    """Run Helm with the cluster's kubeconfig, in the hub's namespace.

    Options of this command come before Helm's arguments. Helm runs on the master, or on this machine for clusters of
    Cluster API drivers. With --cluster, it is installed there if necessary, and its namespace is `default`.

    Examples:
        zerojhub helm list
        zerojhub helm -f other.yaml get values workshop
        cat config.yaml | zerojhub helm --cluster k8s upgrade --install jhub jupyterhub/jupyterhub -f -
    """
    from zerojhub import graph, running
    from zerojhub.cli.run import on_cluster, with_run
    from zerojhub.helm.client import run_as_given
    from zerojhub.machine import Result
    from zerojhub.report.results import show_bytes, show_drift
    from zerojhub.stages import HelmProgram

    data = None if sys.stdin.isatty() else sys.stdin.buffer.read()

    async def for_hub(run: Run) -> Result:
        found = await running.look(run, graph.with_needs([HelmProgram]))
        show_drift(found.drift)
        namespace = run.deployment.namespace
        return await run_as_given(found.reach, found.run[HelmProgram].path, arguments, namespace=namespace, input=data)

    async def for_cluster(run: Run, connect: Connect, say: Say) -> Result:
        reach = await connect()
        await graph.ensure(run, HelmProgram)
        return await run_as_given(reach, run[HelmProgram].path, arguments, namespace="default", input=data)

    if cluster:
        result = on_cluster(cluster, for_cluster, cloud, quiet=True, locked=False)
    else:
        result = with_run(for_hub, file, cloud, silent=True)
    show_bytes(result.stdout, result.stderr)
    raise typer.Exit(result.code)
