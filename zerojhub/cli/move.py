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
    logs_in,
)
from zerojhub.errors import UserError
from zerojhub.report.move import show_finished, show_move_plan, show_moved, show_rehearsed
from zerojhub.report.results import Output
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.moving.move import Finished, Moved
    from zerojhub.moving.plan import Plan
    from zerojhub.moving.rehearsal import Rehearsed
    from zerojhub.run import Run

TO_DO = 3
"""Exit code of --plan if there is something to do."""

app = App()


@app.command()
@logs_in
def move(
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Deployment file of the new cluster and hub.")],
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

    Examples:
        zerojhub move --to new.hub.yaml --plan
        zerojhub move --to new.hub.yaml --rehearse
        zerojhub move --to new.hub.yaml
        zerojhub move --to new.hub.yaml --back
        zerojhub move --to new.hub.yaml --finish
    """
    if sum((only_plan, rehearse, go_back, end)) > 1:
        raise UserError("--plan, --rehearse, --back and --finish are different things to do", hint="give one of them")

    from zerojhub import graph
    from zerojhub.cli.run import load, with_runs
    from zerojhub.moving import move as moving
    from zerojhub.moving import plan as planning
    from zerojhub.moving import rehearsal, sides
    from zerojhub.moving.plan import Progress
    from zerojhub.tasks import gather

    deployments = load(file, cloud), load(to, cloud, logging_in=False)
    planning.refuse_alike(*deployments)
    names = [each.name for each in deployments]

    async def look(old: Run, new: Run) -> tuple[sides.Side, sides.Side, Plan]:
        with graph.step(new, "look") as step:
            here, there = await gather(sides.look(old), sides.look(new))
            plan = await planning.make(here, there)
            step.detail = f"{plan.progress}, {plural(len(plan.volumes), 'volume')}"
        return here, there, plan

    async def only_look(old: Run, new: Run) -> Plan:
        return (await look(old, new))[-1]

    async def there(old: Run, new: Run) -> Moved:
        here, built, plan = await look(old, new)
        plan.refuse()
        if plan.progress not in (Progress.moved, Progress.finished):
            confirm(
                f"Move {plural(len(plan.volumes), 'volume')} from {names[0]} to {names[1]}? Nobody can work for about"
                f" {plan.downtime_seconds} s",
                yes=yes,
            )
        return await moving.there(here, built, plan)

    async def back(old: Run, new: Run) -> Moved:
        here, built, plan = await look(old, new)
        confirm(
            f"Have {names[0]} run the hub again? All servers are stopped; if the new chart has upgraded the accounts, they"
            " are as before the move",
            yes=yes,
        )
        return await moving.back(here, built, plan)

    async def finish(old: Run, new: Run) -> Finished:
        here, built, plan = await look(old, new)
        confirm(f"Delete {names[0]} and its cluster? Its users' volumes are those of {names[1]} and stay", yes=yes)
        return await moving.finish(here, built, plan)

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
        show_finished(with_runs(finish, deployments, quiet=quiet, verbose=verbose, locked=True), names[0], output)
    else:
        work = back if go_back else there
        moved = with_runs(work, deployments, quiet=quiet, verbose=verbose, locked=True)
        show_moved(moved, output, back=go_back, quiet=quiet)
