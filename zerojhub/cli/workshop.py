"""zerojhub workshop: lessons on the practice cloud, with exercises that the program checks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import OutputOption, QuietOption, YesOption, confirm
from zerojhub.report.results import Output
from zerojhub.report.workshops import show_outcomes, show_started, show_workshops

if TYPE_CHECKING:
    from zerojhub.workshops.base import Outcome, Workshop

app = App("Learn on the practice cloud, from a first hub to a class.")
Number = Annotated[int, typer.Argument(metavar="N", help="Number of the workshop.")]

TO_DO = 3
"""Exit code of `check` while an exercise is not done."""


@app.command("list")
def list_workshops(output: OutputOption = Output.table) -> None:
    """List the workshops and the minutes that a group needs for each.

    Examples:
        zerojhub workshop list
    """
    from zerojhub.workshops import WORKSHOPS

    show_workshops(WORKSHOPS, output)


@app.command()
def start(number: Number, quiet: QuietOption = False) -> None:
    """Start a workshop: the practice cloud, what the workshop begins with, and a folder `workshop-N` with its files.

    Examples:
        zerojhub workshop start 1
        cd workshop-1 && eval "$(zerojhub practice env)"
    """
    from zerojhub import workshops
    from zerojhub.workshops import pages

    workshop = workshops.find(number)
    _practice(workshop, quiet=quiet)
    target = pages.lay_out(workshop)
    _begin(workshop, quiet=quiet)
    if not quiet:
        show_started(workshop, target)


@app.command()
def check(number: Number, output: OutputOption = Output.table) -> None:
    """Check which exercises are done, by looking at the cloud, Kubernetes and the hub (exit code 3 while one is not).

    Examples:
        zerojhub workshop check 1
    """
    import anyio

    from zerojhub import workshops

    workshop = workshops.find(number)
    _require_practice(workshop)
    outcomes = anyio.run(_check, workshop)
    show_outcomes(outcomes, output)
    if not all(outcome.done for outcome in outcomes):
        raise typer.Exit(TO_DO)


@app.command()
def reset(number: Number, quiet: QuietOption = False, yes: YesOption = False) -> None:
    """Reset a workshop to its start: the practice cloud, what the workshop begins with, and its files.

    Examples:
        zerojhub workshop reset 1
    """
    from zerojhub import workshops
    from zerojhub.cli import practice
    from zerojhub.workshops import pages

    workshop = workshops.find(number)
    _require_practice(workshop)
    target = pages.folder(workshop)
    confirm(f"Delete all clusters and volumes of the practice cloud and overwrite the files in {target.name}?", yes=yes)
    practice.reset(yes=True)
    pages.lay_out(workshop, overwrite=True)
    _begin(workshop, quiet=quiet)


async def _check(workshop: type[Workshop]) -> list[Outcome]:
    from zerojhub.workshops.world import World

    async with World(os.environ["OS_CLOUD"]) as world:
        return await workshop().check(world)


def _practice(workshop: type[Workshop], *, quiet: bool) -> None:
    """Start the practice cloud unless it runs, with the Kubernetes versions that the workshop needs."""
    from zerojhub.cli import practice
    from zerojhub.errors import UserError
    from zerojhub.practice import control, extra

    extra.require()
    with practice.one_line():
        found = control.running()
    if not found:
        practice.prepare(practice.PORT, quiet=quiet, older=workshop.older)
        practice.start(quiet=True)
    elif workshop.older and len(found.kubernetes) < 2:
        raise UserError(
            "this workshop upgrades a cluster, but the running practice cloud has only one Kubernetes version",
            hint="zerojhub practice stop && zerojhub practice build --all, then again",
        )
    _point_here()


def _require_practice(workshop: type[Workshop]) -> None:
    from zerojhub.cli import practice
    from zerojhub.errors import UserError
    from zerojhub.practice import control

    with practice.one_line():
        if not control.running():
            raise UserError("the practice cloud is not running", hint=f"zerojhub workshop start {workshop.number}")
    _point_here()


def _point_here() -> None:
    """Point OpenStack clients in this process to the practice cloud, whatever the environment says."""
    from zerojhub.practice import daemon

    os.environ |= {"OS_CLIENT_CONFIG_FILE": str(daemon.state_folder() / "clouds.yaml"), "OS_CLOUD": daemon.CLOUD}


def _begin(workshop: type[Workshop], *, quiet: bool) -> None:
    """Create what the workshop begins with."""
    import anyio

    from zerojhub import graph
    from zerojhub.cli.run import with_run
    from zerojhub.stages import STAGES
    from zerojhub.workshops import pages
    from zerojhub.workshops.world import World

    if workshop.hub:
        with pages.untouched(workshop) as file:
            with_run(lambda run: graph.up(run, STAGES), file, None, quiet=quiet, locked=True)

    async def begin() -> None:
        async with World(os.environ["OS_CLOUD"]) as world:
            await workshop().begin(world)

    anyio.run(begin)
