"""zerojhub helm: Helm itself, wherever the deployment's Helm runs, with the cluster's kubeconfig."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import DEFAULT_FILE, CloudOption, FileOption, logs_in

if TYPE_CHECKING:
    from zerojhub.run import Run

app = App()


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@logs_in
def helm(
    arguments: Annotated[list[str], typer.Argument(metavar="HELM-ARGUMENT", help="Arguments for Helm.")],
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
) -> None:
    """Run Helm with the cluster's kubeconfig, in the hub's namespace.

    Options of this command come before Helm's arguments. Helm runs on the master, or on this machine for clusters of
    Cluster API drivers.

    Examples:
        zerojhub helm list
        zerojhub helm -f other.yaml get values workshop
    """
    from zerojhub import running
    from zerojhub.cli.run import with_run
    from zerojhub.graph import with_needs
    from zerojhub.helm import run_as_given
    from zerojhub.machine import Result
    from zerojhub.report.results import show_bytes, show_drift
    from zerojhub.stages import HelmProgram

    async def work(run: Run) -> Result:
        found = await running.look(run, with_needs([HelmProgram]))
        show_drift(found.drift)
        data = None if sys.stdin.isatty() else sys.stdin.buffer.read()
        namespace = run.deployment.namespace
        return await run_as_given(found.reach, found.run[HelmProgram], arguments, namespace=namespace, input=data)

    result = with_run(work, file, cloud, silent=True)
    show_bytes(result.stdout, result.stderr)
    raise typer.Exit(result.code)
