"""up, plan, status, down and stage: the whole way, and single steps of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

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
from zerojhub.report.results import Output, show, table

TO_DO = 3
"""Exit code of `plan` and `status` that found something to do."""

app = typer.Typer()
stage_app = typer.Typer(help="Single stages of the journey.", no_args_is_help=True)
app.add_typer(stage_app, name="stage")


@app.command()
def up(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    start: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Do this stage and what follows it.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="STAGE", help="Do this stage alone.")] = None,
    chart: Annotated[
        str | None, typer.Option("--chart", metavar="REF", help="A chart, in place of the file's.")
    ] = None,
) -> None:
    """Make what is missing between the project and a working hub, and print its URL.

    zerojhub up -f hub.yaml
    """
    from zerojhub import journey
    from zerojhub.stages import STAGES

    if only:
        act = [journey.find_stage(only)]
    elif start:
        first = journey.find_stage(start)
        act = [stage for stage in STAGES if stage is first or first in journey.upstream(stage)]
    else:
        act = list(STAGES)
    _walk(lambda hub: journey.up(hub, act=act), file, cloud, output, quiet, verbose, chart)


def _walk(work, file: Path, cloud: str | None, output: Output, quiet: bool, verbose: bool, chart: str | None) -> None:
    from zerojhub.cli.run import with_hub

    async def walk(hub):
        standings = await work(hub)
        return hub.url(), standings

    url, standings = with_hub(walk, file, cloud, quiet=quiet, verbose=verbose, locked=True, chart=chart)
    ready = all(standing.state == "found" for standing in standings)
    data = {"url": url, "ready": ready, "stages": [standing.as_row() for standing in standings]}

    def people() -> None:
        if url:
            if not quiet:  # with the progress, so that the URL is all there is to read for a script
                print(
                    "next: open it; `zerojhub status` shows how it stands, `zerojhub down` takes it away",
                    file=sys.stderr,
                )
            print(f"url: {url}")

    show(data, output, people)


@app.command()
def plan(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Say what `up` would do and why, changing nothing (exit code 3 when there is something).

    zerojhub plan -o json
    """
    from zerojhub import journey
    from zerojhub.cli.run import with_hub

    standings = with_hub(journey.look, file, cloud, quiet=True)
    rows = [
        standing.as_row() | {"would": "" if standing.state == "found" else standing.stage.description()}
        for standing in standings
    ]
    show({"stages": rows}, output, lambda: table(rows, ("name", "state", "would", "detail")))
    _leave(standings)


@app.command()
def status(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on looking, with servers and users, until Ctrl-C.")
    ] = False,
) -> None:
    """How everything stands now, stage by stage (exit code 3 when something is missing).

    zerojhub status --watch
    """
    from zerojhub import journey
    from zerojhub.cli.run import with_hub

    if watch:
        from zerojhub.cli.watch import watch_status

        with_hub(lambda hub: watch_status(hub, output), file, cloud, quiet=True)

    async def look(hub):
        standings = await journey.look(hub)
        return hub.url(), standings

    url, standings = with_hub(look, file, cloud, quiet=True)
    show_status(url, standings, output)
    _leave(standings)


def show_status(url: str | None, standings, output: Output) -> None:
    """How the stages stand, as a table that ends with the URL or with what to do next."""
    rows = [standing.as_row() for standing in standings]
    ready = all(standing.state == "found" for standing in standings)

    def people() -> None:
        table(rows, ("name", "state", "detail"))
        if url:
            print(f"url: {url}")
        if not ready:
            print("next: zerojhub up")

    show({"url": url, "ready": ready, "stages": rows}, output, people)


def _leave(standings) -> None:
    if any(standing.state != "found" for standing in standings):
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
    """Take the hub and what was made for it away; users' volumes are kept and listed.

    zerojhub down --yes
    """
    from zerojhub import deployment, journey
    from zerojhub.cli.run import with_hub

    name = deployment.load(file).name
    data = "AND ALL ITS USERS' DATA" if delete_data else "(users' volumes are kept)"
    confirm(f"Take down the hub {name} {data}?", yes=yes)

    async def take_down(hub):
        await journey.down(hub)
        return hub.kept

    kept = with_hub(take_down, file, cloud, quiet=quiet, verbose=verbose, locked=True, delete_data=delete_data)

    def people() -> None:
        if kept:
            print("kept, with their owners (zerojhub down --delete-data, or openstack volume delete ID, removes them):")
            table(kept, ("id", "name", "size_gb", "owner"))

    show({"kept": kept}, output, people)


@stage_app.command("list")
def list_stages(output: OutputOption = Output.table) -> None:
    """The stages in their order, with what each needs.

    zerojhub stage list
    """
    from zerojhub.stages import STAGES

    rows = [
        {"name": stage.name, "needs": ", ".join(need.name for need in stage.needs), "does": stage.description()}
        for stage in STAGES
    ]
    show(rows, output, lambda: table(rows, ("name", "needs", "does")))


@stage_app.command("run")
def run_stage(
    name: Annotated[str, typer.Argument(metavar="STAGE")],
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    chart: Annotated[
        str | None, typer.Option("--chart", metavar="REF", help="A chart, in place of the file's.")
    ] = None,
) -> None:
    """Do one stage alone; what it needs must be there.

    zerojhub stage run storage
    """
    from zerojhub import journey

    stage = journey.find_stage(name)
    _walk(lambda hub: journey.up(hub, act=[stage]), file, cloud, output, quiet, verbose, chart)
