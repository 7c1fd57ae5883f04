"""zerojhub show: what a deployment consists of, as a list or as a map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import DEFAULT_FILE, CloudOption, FileOption, QuietOption, logs_in
from zerojhub.report.results import Output

if TYPE_CHECKING:
    from zerojhub.cluster.survey import Survey
    from zerojhub.run import Run

app = App()


@app.command()
@logs_in
def show(
    svg: Annotated[bool, typer.Option("--svg", help="Draw a map as an SVG image.")] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FORMAT|FILE",
            help="Output format: table, json or yaml. With --svg: the file to write.",
            show_default="table",
        ),
    ] = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show what the deployment consists of: servers, users, load balancers and volumes.

    Examples:
        zerojhub show --svg -o map.svg
    """
    from zerojhub import running
    from zerojhub.cli.run import with_run
    from zerojhub.cluster.survey import survey
    from zerojhub.errors import UserError, ZeroJHubError
    from zerojhub.report.results import show_drift
    from zerojhub.report.survey import show_map, show_survey
    from zerojhub.stages import Access

    if not svg and output not in (None, *Output):
        raise UserError(f"unknown output format {output!r}", where="-o", hint=f"{', '.join(Output)}; for a map: --svg")

    async def work(run: Run) -> tuple[Survey | None, list[str]]:
        found = await running.look(run)
        return await survey(found.run, found.run.get(Access), found.url), found.drift

    found, drift = with_run(work, file, cloud, silent=True)
    if found is None:
        raise ZeroJHubError("the cluster does not exist yet", hint="zerojhub up")
    show_drift(drift)
    if not svg:
        show_survey(found, Output(output or Output.table))
    else:
        show_map(found, Path(output) if output else None, quiet=quiet)
