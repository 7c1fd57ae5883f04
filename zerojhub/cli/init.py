"""zerojhub init: a deployment to start from."""

from __future__ import annotations

from typing import Annotated

import typer

from zerojhub.cli.options import DEFAULT_FILE, FileOption, OutputOption, QuietOption
from zerojhub.report.results import Output, show, table

app = typer.Typer()


@app.command()
def init(
    profile: Annotated[
        str,
        typer.Argument(help="minimal, autoscaled, classroom, cluster-api, gpu, https or legacy-magnum."),
    ] = "minimal",
    show_all: Annotated[bool, typer.Option("--list", help="Say what each profile is for, and write nothing.")] = False,
    file: FileOption = DEFAULT_FILE,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Write a hub.yaml and a config.yaml to start from, explained in comments. Nothing is overwritten.

    zerojhub init classroom
    """
    from zerojhub import profiles

    if show_all:
        rows = profiles.listed()
        show(rows, output, lambda: table(rows, ("name", "what")))
        return
    written = [str(path) for path in profiles.write(profile, file)]

    def people() -> None:
        print(f"wrote {' and '.join(written)}")
        if not quiet:
            print(f"next: set cloud and template in {file} to yours, then: zerojhub plan")

    show({"written": written}, output, people)
