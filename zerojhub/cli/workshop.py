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
    from zerojhub.workshops.base import Workshop

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
    _start_practice(workshop, quiet=quiet)
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
    from zerojhub.practice import control

    workshop = workshops.find(number)
    control.require_running(f"zerojhub workshop start {number}")
    outcomes = anyio.run(workshops.check, workshop, _use_practice())
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
    from zerojhub.practice import control
    from zerojhub.report.results import note
    from zerojhub.workshops import pages

    workshop = workshops.find(number)
    found = control.require_running(f"zerojhub workshop start {number}")
    confirm(
        "Delete all clusters and volumes of the practice cloud and overwrite the files in "
        f"{pages.folder(workshop).name}?",
        yes=yes,
    )
    control.reset(found)
    note("reset")
    pages.lay_out(workshop, overwrite=True)
    _begin(workshop, quiet=quiet)


def _start_practice(workshop: type[Workshop], *, quiet: bool) -> None:
    """Start the practice cloud unless it runs, with what the workshop needs."""
    from zerojhub.cli.practice import PORT
    from zerojhub.errors import UserError
    from zerojhub.practice import build, control, extra, profile
    from zerojhub.report import Progress

    extra.require()
    found = control.running()
    if not found:
        parts = {build.More.older: workshop.older, build.More.https: workshop.https}
        more = [part for part, needed in parts.items() if needed]
        with Progress(quiet=quiet) as progress:
            control.prepare(progress, PORT, more=more)
        control.start(PORT, profile.DEFAULT)
    elif workshop.older and len(found.kubernetes) < 2:
        raise UserError(
            "this workshop upgrades a cluster, but the running practice cloud has only one Kubernetes version",
            hint="zerojhub practice stop && zerojhub practice build --all, then again",
        )
    elif workshop.https and not control.issues_certificates(found):
        raise UserError(
            "this workshop needs certificates, and the running practice cloud issues none",
            hint="zerojhub practice stop && zerojhub practice build --with https, then again",
        )


def _use_practice() -> str:
    """Point OpenStack clients in this process to the practice cloud, whatever the environment says. Returns its name."""
    from zerojhub.practice import control

    os.environ |= control.environment()
    return os.environ["OS_CLOUD"]


def _begin(workshop: type[Workshop], *, quiet: bool) -> None:
    """Create what the workshop begins with."""
    import anyio

    from zerojhub import graph, workshops
    from zerojhub.cli.run import with_run
    from zerojhub.stages import STAGES
    from zerojhub.workshops import pages

    cloud = _use_practice()
    if workshop.hub:
        with pages.untouched(workshop) as file:
            with_run(lambda run: graph.up(run, STAGES), file, None, quiet=quiet, locked=True, later=True)
    anyio.run(workshops.begin, workshop, cloud)
