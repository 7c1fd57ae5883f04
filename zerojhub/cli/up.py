"""up, plan, status, down and stage: the whole deployment, or single stages of it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.options import (
    DEFAULT_FILE,
    CloudOption,
    FileOption,
    OutputOption,
    QuietOption,
    VerboseOption,
    YesOption,
    confirm,
)
from zerojhub.report.results import Output
from zerojhub.report.stages import show_kept, show_plan, show_stages, show_status, show_up

if TYPE_CHECKING:
    from zerojhub.graph import AnyStage, StageStatus
    from zerojhub.run import Run

TO_DO = 3
"""Exit code of `plan` and `status` when something is not as the deployment asks."""

app = typer.Typer()
stage_app = typer.Typer(help="Single stages of the deployment.", no_args_is_help=True)
app.add_typer(stage_app, name="stage")

ChartOption = Annotated[str | None, typer.Option("--chart", metavar="REF", help="Use this chart, not the file's.")]


@app.command()
def up(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    start: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Do this stage and those that need it.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="STAGE", help="Do only this stage.")] = None,
    chart: ChartOption = None,
) -> None:
    """Create what is missing between the project and a working hub, and print its URL.

    zerojhub up -f hub.yaml
    """
    from zerojhub import graph
    from zerojhub.stages import STAGES

    act: Collection[AnyStage] = STAGES
    if only:
        act = [graph.find_stage(STAGES, only)]
    elif start:
        act = graph.downstream(STAGES, graph.find_stage(STAGES, start))
    _up(act, file, cloud, output, quiet, verbose, chart)


def _up(
    act: Collection[AnyStage],
    file: Path,
    cloud: str | None,
    output: Output,
    quiet: bool,
    verbose: bool,
    chart: str | None,
) -> None:
    from zerojhub import graph
    from zerojhub.cli.run import with_run
    from zerojhub.stages import STAGES, Endpoint

    needed = set(graph.with_needs(list(act)))
    stages = [stage for stage in STAGES if stage in needed]

    async def work(run: Run) -> tuple[str | None, list[StageStatus]]:
        statuses = await graph.up(run, stages, act=act)
        return run.get(Endpoint), statuses

    url, statuses = with_run(work, file, cloud, quiet=quiet, verbose=verbose, locked=True, chart=chart)
    show_up(url, statuses, output, quiet=quiet)


@app.command()
def plan(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Show what `up` would do and why, without doing it (exit code 3 when there is something to do).

    zerojhub plan -o json
    """
    from zerojhub import graph
    from zerojhub.cli.run import with_run
    from zerojhub.stages import STAGES

    statuses = with_run(lambda run: graph.look(run, STAGES), file, cloud, silent=True)
    show_plan(statuses, output)
    _exit_code(statuses)


@app.command()
def status(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep looking, with servers and users, until Ctrl-C.")] = False,
) -> None:
    """Show the state of every stage and the hub's URL (exit code 3 when something is not as the deployment asks).

    zerojhub status --watch
    """
    from zerojhub import running
    from zerojhub.cli.run import with_run

    if watch:
        from zerojhub.cli.watch import watch_status

        with_run(lambda run: watch_status(run, output), file, cloud, silent=True)

    found = with_run(running.look, file, cloud, silent=True)
    show_status(found.url, found.statuses, found.drift, output)
    if not found.statuses:
        raise typer.Exit(TO_DO)
    _exit_code(found.statuses)


def _exit_code(statuses: list[StageStatus]) -> None:
    if any(status.state != "found" for status in statuses):
        raise typer.Exit(TO_DO)


@app.command()
def down(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    yes: YesOption = False,
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Delete the users' volumes too.")] = False,
) -> None:
    """Delete the hub and everything created for it; users' volumes are kept and listed.

    zerojhub down --yes
    """
    from zerojhub import graph
    from zerojhub.cli.run import load, with_run
    from zerojhub.stage import Teardown
    from zerojhub.stages import STAGES

    name = load(file, cloud).name
    data = "AND ALL ITS USERS' DATA" if delete_data else "(users' volumes are kept)"
    confirm(f"Delete the hub {name} {data}?", yes=yes)
    teardown = Teardown(delete_data)
    with_run(lambda run: graph.down(run, STAGES, teardown), file, cloud, quiet=quiet, verbose=verbose, locked=True)
    show_kept(teardown.kept, output)


@stage_app.command("list")
def list_stages(output: OutputOption = Output.table) -> None:
    """List the stages with what each needs and does.

    zerojhub stage list
    """
    from zerojhub.stages import STAGES

    show_stages(STAGES, output)


@stage_app.command("run")
def run_stage(
    name: Annotated[str, typer.Argument(metavar="STAGE")],
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    chart: ChartOption = None,
) -> None:
    """Do a single stage; the stages that it needs must be there.

    zerojhub stage run storage
    """
    from zerojhub import graph
    from zerojhub.stages import STAGES

    _up([graph.find_stage(STAGES, name)], file, cloud, output, quiet, verbose, chart)
