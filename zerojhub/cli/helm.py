"""zerojhub helm: Helm itself, wherever the deployment's Helm runs, with the cluster's kubeconfig."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.options import DEFAULT_FILE, CloudOption, FileOption

if TYPE_CHECKING:
    from zerojhub.run import Run

app = typer.Typer()
NAMESPACE_OPTIONS = {"-n", "--namespace", "-A", "--all-namespaces"}


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def helm(
    arguments: Annotated[list[str], typer.Argument(metavar="HELM-ARGUMENTS...", help="Helm's own arguments.")],
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
) -> None:
    """Run Helm for the hub's cluster, in its namespace, on the master or on this machine.

    zerojhub helm list

    zerojhub helm -f other.yaml get values workshop
    """
    from zerojhub import running
    from zerojhub.cli.run import with_run
    from zerojhub.graph import with_needs
    from zerojhub.machine import Result
    from zerojhub.report.results import show_bytes, show_drift
    from zerojhub.stages import HelmProgram

    async def work(run: Run) -> Result:
        found = await running.look(run, with_needs([HelmProgram]))
        reach = found.reach
        show_drift(found.drift)
        words = [found.run[HelmProgram], *arguments, "--kubeconfig", reach.kubeconfig]
        if not NAMESPACE_OPTIONS & set(arguments):
            words += ["--namespace", run.deployment.namespace]
        data = None if sys.stdin.isatty() else sys.stdin.buffer.read()
        return await reach.machine.run(words, sudo=reach.sudo, input=data, timeout=1800, check=False)

    result = with_run(work, file, cloud, silent=True)
    show_bytes(result.stdout, result.stderr)
    raise typer.Exit(result.code)
