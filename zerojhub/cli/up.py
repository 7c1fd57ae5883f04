"""up, plan, status, down and stage: the whole deployment, or single stages of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    DEFAULT_FILE,
    CloudOption,
    FileOption,
    OutputOption,
    QuietOption,
    VerboseOption,
    YesOption,
    completed,
    confirm,
    locks,
    logs_in,
)
from zerojhub.errors import UserError
from zerojhub.report.results import Output
from zerojhub.report.stages import show_doomed, show_kept, show_plan, show_stages, show_status, show_undone, show_up
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.backup.state import Status as Backups
    from zerojhub.graph import AnyStage, StageStatus
    from zerojhub.openstack.remains import Remains
    from zerojhub.run import Run
    from zerojhub.running import Running

TO_DO = 3
"""Exit code of `plan` and `status` if something differs from the deployment file, and everything could be looked at."""

app = App()
stage_app = App("List and run single stages of the deployment.")
app.add_typer(stage_app, name="stage")

ChartOption = Annotated[
    str | None,
    typer.Option("--chart", metavar="REF", help="Chart to install.", show_default="the deployment file's"),
]


def stage_names() -> list[str]:
    from zerojhub.stages import STAGES

    return [stage.name for stage in STAGES]


STAGE = completed(stage_names)
StageArgument = Annotated[
    str, typer.Argument(metavar="STAGE", help="Stage, as in `zerojhub stage list`.", autocompletion=STAGE)
]


@app.command()
@logs_in
@locks
def up(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="STAGE", help="Run this stage and the stages that need it.", autocompletion=STAGE
        ),
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", metavar="STAGE", help="Run only this stage.", autocompletion=STAGE)
    ] = None,
    chart: ChartOption = None,
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Undo the last upgrade of the hub's chart or image instead, with its accounts."),
    ] = False,
    from_backup: Annotated[
        bool, typer.Option("--from-backup", help="Restore everybody's files and accounts from the backups, too.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Create what is missing between the project and a working hub, and print its URL.

    Before it changes the version of the chart or the hub's image, it saves the hub's accounts. --undo goes back to that version and to these
    accounts; it asks first, because accounts created since are lost. --from-backup creates the hub again from its backups
    alone, also in another project: all it needs is hub.yaml with the files that it names.

    Examples:
        zerojhub up -f hub.yaml
        zerojhub up --undo
        zerojhub up --from-backup
    """
    from zerojhub import graph
    from zerojhub.stages import STAGES

    if (undo or from_backup) and (only or start or chart or (undo and from_backup)):
        raise UserError("--undo, --from-backup, --from, --only and --chart exclude each other")
    if from_backup:
        _up(STAGES, file, cloud, output, quiet, verbose, chart, from_backup=True)
        return
    if undo:
        _undo(file, cloud, output, functools.partial(confirm, yes=yes), quiet=quiet, verbose=verbose)
        return
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
    *,
    from_backup: bool = False,
) -> None:
    from zerojhub import graph
    from zerojhub.cli.run import with_run
    from zerojhub.stages import STAGES, Endpoint

    needed = set(graph.with_needs(list(act)))
    stages = [stage for stage in STAGES if stage in needed]

    async def work(run: Run) -> tuple[str | None, list[StageStatus]]:
        if from_backup:
            from zerojhub import restoring

            await restoring.whole_hub(run)
        statuses = await graph.up(run, stages, act=act)
        return run.get(Endpoint), statuses

    url, statuses = with_run(
        work, file, cloud, quiet=quiet, verbose=verbose, locked=True, later=not from_backup, chart=chart
    )
    show_up(url, statuses, output, quiet=quiet)


def _undo(
    file: Path, cloud: str | None, output: Output, ask: Callable[[str], None], *, quiet: bool, verbose: bool
) -> None:
    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.data.saved import Saved
    from zerojhub.stages import Chart
    from zerojhub.stages.chart import undo_upgrade

    async def work(run: Run) -> tuple[Saved, bool]:
        found = await running.look(run, graph.with_needs([Chart]))
        name = found.release.name
        with graph.step(found.run, Chart.name) as step:
            before, image = await undo_upgrade(found.run, ask)
            step.outcome, step.detail = "done", f"release {name} has chart {before.chart}"
        return before, image

    before, image = with_run(work, file, cloud, quiet=quiet, verbose=verbose, locked=True)
    show_undone(before, output, image=image)


@app.command()
@logs_in
def plan(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Show what `up` would do and why (exit code 3 if there is something to do).

    Examples:
        zerojhub plan -o json
    """
    from zerojhub import graph
    from zerojhub.cli.run import with_run
    from zerojhub.stages import STAGES

    statuses = with_run(lambda run: graph.look(run, STAGES), file, cloud, silent=True, notes=True)
    show_plan(statuses, output)
    _exit_code(statuses)


@app.command()
@logs_in
def status(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C, with servers and users.")] = False,
) -> None:
    """Show the state of every stage and the hub's URL (exit code 3 if something differs).

    Also shows the age of the last backups, where the deployment has them (exit code 3 if one is overdue).

    Examples:
        zerojhub status --watch
    """
    from zerojhub import running
    from zerojhub.cli.run import with_run

    if watch:
        from zerojhub.cli.watch import watch_status

        with_run(lambda run: watch_status(run, output), file, cloud, silent=True)

    async def work(run: Run) -> tuple[Running, Backups | None]:
        found = await running.look(run)
        return found, await _backups(found)

    found, backups = with_run(work, file, cloud, silent=True)
    show_status(found.url, found.statuses, found.drift, output, backups)
    if not found.statuses:
        raise typer.Exit(TO_DO)
    _exit_code(found.statuses)
    if backups and backups.overdue:
        raise typer.Exit(TO_DO)


async def _backups(found: Running) -> Backups | None:
    """How the deployment's backups are; None if it has none, or the cluster does not tell."""
    from zerojhub.backup import state
    from zerojhub.errors import ZeroJHubError
    from zerojhub.kube.crons import Crons
    from zerojhub.stages import Access

    wanted = found.run.deployment.backup
    if wanted is None or Access not in found.run:
        return None
    try:
        return await state.status(Crons.of(found.reach, found.run.deployment.namespace), wanted.to)
    except ZeroJHubError:
        return None  # the stages say what is wrong


def _exit_code(statuses: list[StageStatus]) -> None:
    """Exit with TO_DO if something differs. Raises the first failure to look: then nobody knows whether anything does."""
    for status in statuses:
        if status.failure:
            raise status.failure
    if any(status.state != "found" for status in statuses):
        raise typer.Exit(TO_DO)


@app.command()
@logs_in
@locks
def down(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    yes: YesOption = False,
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Also delete the users' volumes.")] = False,
) -> None:
    """Delete the hub and everything created for it. Users' volumes and accounts are kept; the next `up` gives them back.

    Then looks whether anything is left that was created for it, and lists it with the command that deletes it.

    Examples:
        zerojhub down --yes
    """
    from zerojhub import graph, running
    from zerojhub.cli.run import load, with_run
    from zerojhub.openstack import remains
    from zerojhub.stage import Teardown
    from zerojhub.stages import STAGES

    name = load(file, cloud).name
    teardown = Teardown()
    if delete_data:
        doomed = with_run(running.volumes_of, file, cloud, silent=True)
        teardown.doomed = {volume.id for volume in doomed}
        show_doomed(doomed)
        gb = sum(volume.size_gb for volume in doomed)
        confirm(f"Delete hub {name} AND ALL USERS' DATA ({plural(len(doomed), 'volume')}, {gb} GB)?", yes=yes)
    else:
        confirm(f"Delete hub {name}; users' volumes are kept?", yes=yes)

    async def work(run: Run) -> list[Remains]:
        await graph.down(run, STAGES, teardown)
        with graph.step(run, "remains") as step:
            found = await remains.left(run.cloud, teardown.traces)
            step.outcome, step.detail = "kept", plural(len(found), "resource") if found else "nothing is left"
        return found

    left = with_run(work, file, cloud, quiet=quiet, verbose=verbose, locked=True)
    show_kept(teardown.kept, output, left)


@stage_app.command("list")
def list_stages(output: OutputOption = Output.table) -> None:
    """List the stages, with what each needs and does.

    Examples:
        zerojhub stage list
    """
    from zerojhub.stages import STAGES

    show_stages(STAGES, output)


@stage_app.command("run")
@logs_in
@locks
def run_stage(
    name: StageArgument,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    chart: ChartOption = None,
) -> None:
    """Run a single stage; the stages that it needs must be done.

    Examples:
        zerojhub stage run storage
    """
    from zerojhub import graph
    from zerojhub.stages import STAGES

    _up([graph.find_stage(STAGES, name)], file, cloud, output, quiet, verbose, chart)
