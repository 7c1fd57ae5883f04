"""zerojhub move: the hub of one deployment on the cluster of another."""

from __future__ import annotations

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
    confirm,
    locks,
    logs_in,
)
from zerojhub.errors import UserError
from zerojhub.report.move import show_finished, show_move_plan, show_moved, show_rehearsed
from zerojhub.report.results import Output
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.moving.plan import Plan
    from zerojhub.moving.rehearsal import Rehearsed
    from zerojhub.moving.switch import Finished, Moved
    from zerojhub.moving.way import Way
    from zerojhub.run import Run

TO_DO = 3
"""Exit code of --plan if there is something to do."""

app = App()


@app.command()
@logs_in
@locks
def move(
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Deployment file of the new cluster and hub.")],
    copy: Annotated[
        bool,
        typer.Option("--copy", help="Copy all files through backups, to any project or cloud; the old volumes stay."),
    ] = False,
    only_plan: Annotated[
        bool,
        typer.Option("--plan", help="Only show who moves, what differs and what cannot work (exit code 3 if to do)."),
    ] = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Try it with copies of some volumes, while people work, and clean up.")
    ] = False,
    go_back: Annotated[bool, typer.Option("--back", help="Undo it: the old cluster runs the hub again.")] = False,
    end: Annotated[bool, typer.Option("--finish", help="Delete the old cluster. There is no way back then.")] = False,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    yes: YesOption = False,
) -> None:
    """Move the hub to another cluster, with everybody's files, accounts and logins. Nothing is copied.

    Creates the new cluster while people work. Then stops their servers and the hub, has the new cluster take over the
    volumes, starts the hub there and tests it. Run it again if it was interrupted. The old cluster stays until --finish.

    Volumes cannot go to another project or cloud. With --copy, all files are backed up and restored there instead, while
    people work, and when nobody does, what has changed since. One of the two files needs the section backup.

    Examples:
        zerojhub move --to new.hub.yaml --plan
        zerojhub move --to new.hub.yaml --rehearse
        zerojhub move --to new.hub.yaml
        zerojhub move --to new.hub.yaml --back
        zerojhub move --to new.hub.yaml --finish
        zerojhub move --to elsewhere.hub.yaml --copy
    """
    if sum((only_plan, rehearse, go_back, end)) > 1:
        raise UserError("--plan, --rehearse, --back and --finish are different things to do", hint="give one of them")
    if copy and rehearse:
        raise UserError(
            "--rehearse needs volumes that Cinder can copy, and --copy is for where it cannot",
            hint="--copy --plan shows what cannot work",
        )

    from zerojhub import graph
    from zerojhub.cli.run import load, with_runs
    from zerojhub.moving import copying, rehearsal, sides
    from zerojhub.moving import move as moving
    from zerojhub.moving import plan as planning
    from zerojhub.moving.plan import Progress
    from zerojhub.tasks import gather

    deployments = load(file, cloud), load(to, cloud, logging_in=False)
    planning.refuse_alike(*deployments, copy=copy)
    if copy:
        copying.share_backups(*deployments)
    names = (deployments[0].name, deployments[1].name)
    if names[0] == names[1]:
        names = (f"{names[0]} in {deployments[0].cloud}", f"{names[1]} in {deployments[1].cloud}")
    way: Way = copying if copy else moving

    async def look(old: Run, new: Run) -> tuple[sides.Side, sides.Side, Plan]:
        with graph.step(new, "look") as step:
            here, there = await gather(sides.look(old), sides.look(new))
            plan = await way.make(here, there)
            step.detail = f"{plan.progress}, {plural(len(plan.volumes), 'volume')}"
        return here, there, plan

    async def only_look(old: Run, new: Run) -> Plan:
        return (await look(old, new))[-1]

    async def there(old: Run, new: Run) -> Moved:
        here, built, plan = await look(old, new)
        plan.refuse()
        if plan.progress not in (Progress.moved, Progress.finished):
            confirm(way.ask_there(names, plan), yes=yes)
        return await way.there(here, built, plan)

    async def back(old: Run, new: Run) -> Moved:
        here, built, plan = await look(old, new)
        confirm(await way.ask_back(names, here, built), yes=yes)
        return await way.back(here, built, plan)

    async def finish(old: Run, new: Run) -> Finished:
        here, built, plan = await look(old, new)
        confirm(way.ask_finish(names, plan), yes=yes)
        return await way.finish(here, built, plan)

    async def try_it(old: Run, new: Run) -> Rehearsed:
        here, built, plan = await look(old, new)
        return await rehearsal.rehearse(here, built, plan)

    if only_plan:
        plan = with_runs(only_look, deployments, quiet=quiet, verbose=verbose, locked=False)
        show_move_plan(plan, output)
        if plan.problems:
            plan.refuse()
        if plan.progress not in (Progress.moved, Progress.finished):
            raise typer.Exit(TO_DO)
    elif rehearse:
        show_rehearsed(with_runs(try_it, deployments, quiet=quiet, verbose=verbose, locked=True), output)
    elif end:
        finished = with_runs(finish, deployments, quiet=quiet, verbose=verbose, locked=True)
        show_finished(finished, names[0], file, output)
    else:
        work = back if go_back else there
        moved = with_runs(work, deployments, quiet=quiet, verbose=verbose, locked=True)
        show_moved(moved, output, back=go_back, quiet=quiet)
