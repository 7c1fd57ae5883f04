"""zerojhub init: a deployment to start from."""

from __future__ import annotations

from typing import Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import DEFAULT_FILE, FileOption, OutputOption, QuietOption, completed
from zerojhub.report.results import Output

app = App()


def profile_names() -> list[str]:
    from zerojhub import profiles

    return [profile.name for profile in profiles.listed()]


@app.command()
def init(
    profile: Annotated[
        str,
        typer.Argument(
            metavar="PROFILE",
            help="minimal, autoscaled, classroom, cluster-api, gpu, https or legacy-magnum.",
            autocompletion=completed(profile_names),
        ),
    ] = "minimal",
    show_all: Annotated[bool, typer.Option("--list", help="List the profiles and write nothing.")] = False,
    file: FileOption = DEFAULT_FILE,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Write a hub.yaml and a config.yaml to start from, with comments. Existing files are not overwritten.

    Examples:
        zerojhub init classroom
    """
    from zerojhub import profiles
    from zerojhub.report.profiles import show_profiles, show_written

    if show_all:
        show_profiles(profiles.listed(), output)
    else:
        show_written(profiles.write(profile, file), file, output, quiet=quiet)
