"""zerojhub helm: Helm as it is, wherever the deployment's Helm runs, with the cluster's kubeconfig."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from zerojhub.cli.options import DEFAULT_FILE, CloudOption, FileOption

app = typer.Typer()


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def helm(
    arguments: Annotated[list[str], typer.Argument(metavar="HELM-ARGUMENTS...", help="What Helm is to do.")],
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
) -> None:
    """Run Helm for the hub's cluster, in its namespace, on the master or here.

    zerojhub helm list        zerojhub helm -f other.yaml get values workshop
    """
    from zerojhub import journey
    from zerojhub.cli.run import with_hub
    from zerojhub.stages import Access, HelmProgram

    async def run(hub) -> int:
        reach, program = await journey.reach(hub, Access, HelmProgram)
        words = [program, *arguments, "--kubeconfig", reach.kubeconfig]
        words += (
            []
            if {"-n", "--namespace", "-A", "--all-namespaces"} & set(arguments)
            else ["--namespace", hub.deployment.hub.namespace]
        )
        data = None if sys.stdin.isatty() else sys.stdin.buffer.read()
        result = await reach.machine.run(words, sudo=reach.sudo, input=data, timeout=1800, check=False)
        sys.stdout.buffer.write(result.stdout)
        sys.stderr.buffer.write(result.stderr)
        return result.code

    raise typer.Exit(with_hub(run, file, cloud, quiet=True))
