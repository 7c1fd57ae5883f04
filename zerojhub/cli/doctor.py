"""zerojhub doctor: look for everything that is known to go wrong with a hub or a cluster, and repair it where that is safe."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    DEFAULT_FILE,
    CloudOption,
    FileOption,
    OutputOption,
    QuietOption,
    YesOption,
    confirm,
    logs_in,
)
from zerojhub.report.results import Output

if TYPE_CHECKING:
    from zerojhub.cluster import Ask, Connect
    from zerojhub.doctor.finding import Diagnosis, Unchecked
    from zerojhub.run import Run
    from zerojhub.text import Say

FOUND = 3
"""Exit code when something is wrong."""
NOT_LOOKED = 1
"""Exit code when nothing was found, but not everything could be looked at."""

app = App()


@app.command()
@logs_in
def doctor(
    cluster: Annotated[
        str | None,
        typer.Argument(metavar="CLUSTER", help="Cluster, by name or UUID.", show_default="the deployment file's"),
    ] = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Repair what can be repaired without a risk to data, after asking.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Find what is wrong with a hub or a cluster, why it matters, and what to do (exit code 3 if something is).

    Looks at the cluster, its servers, volumes, load balancers, networks, certificates and credentials, and at what runs in
    it. Without --fix it changes nothing, and shows what --fix would do. Exit code 1: nothing was found, but something could
    not be looked at.

    Examples:
        zerojhub doctor
        zerojhub doctor k8s -o json
        zerojhub doctor --fix
    """
    from zerojhub.cli.run import Place, on_cluster, with_run
    from zerojhub.errors import UserError
    from zerojhub.report.doctor import show_diagnosis

    if cluster is None and not file.exists():
        hint = "name a deployment file with -f, or a cluster: zerojhub doctor CLUSTER"
        raise UserError("no such file", where=str(file), hint=hint)

    options = Place(None, DEFAULT_FILE if cluster else file, cloud).words()

    def ask(question: str) -> None:
        confirm(question, yes=yes)

    async def of_cluster(run: Run, connect: Connect, say: Say) -> tuple[Diagnosis, list[str], list[Unchecked]]:
        return await _treat(run, None, ask if fix else None, say)

    async def of_deployment(run: Run) -> tuple[Diagnosis, list[str], list[Unchecked]]:
        return await _treat(run, options, ask if fix else None, run.note)

    if cluster:
        diagnosis, fixed, failed = on_cluster(cluster, of_cluster, cloud, quiet, locked=fix)
    else:
        diagnosis, fixed, failed = with_run(of_deployment, file, cloud, silent=True, locked=fix)
    again = f"zerojhub doctor{f' {shlex.quote(cluster)}' if cluster else ''}{options} --fix"
    show_diagnosis(diagnosis, output, fixed=fixed if fix else None, failed=failed, again=again)
    if diagnosis.findings:
        raise typer.Exit(FOUND)
    if diagnosis.unchecked or failed:
        raise typer.Exit(NOT_LOOKED)


async def _treat(
    run: Run, options: str | None, ask: Ask | None, say: Say
) -> tuple[Diagnosis, list[str], list[Unchecked]]:
    """Look; with `ask`, repair what may be repaired, and look again."""
    from zerojhub.doctor.examine import examine, repair
    from zerojhub.report.doctor import show_fixes

    diagnosis = await examine(run, options)
    if ask is None or not diagnosis.fixes:
        return diagnosis, [], []
    show_fixes(diagnosis.fixes)
    ask(f"Do {'this' if len(diagnosis.fixes) == 1 else 'all of this'}?")
    fixed, failed = await repair(run, options, diagnosis.fixes, say)
    return await examine(run, options), fixed, failed
