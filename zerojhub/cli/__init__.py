"""The command line: one thin module per command group. Errors are printed here, once, as one line; exit codes:

0 done, 1 failed, 2 the user's input is wrong, 3 `plan` or `status` found something to do, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from zerojhub.cli.commands import Commands
from zerojhub.cli.help import App
from zerojhub.cli.options import (
    DEFAULT_FILE,
    CloudOption,
    FileOption,
    OutputOption,
    QuietOption,
    VerboseOption,
    YesOption,
    is_given,
    set_defaults,
)
from zerojhub.report.results import Output

INTERRUPTED = 130
"""Typer's exit code for Ctrl-C."""

app = App(cls=Commands, completion=True)


def print_version(wanted: bool) -> None:
    if wanted:
        from zerojhub import __version__
        from zerojhub.report.results import note

        note(f"zerojhub {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    yes: YesOption = False,
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Get from an OpenStack project with Magnum to the URL of a working JupyterHub with one command.

    Options that many commands share may also be given before the command.

    Examples:
        zerojhub init
        zerojhub up -f hub.yaml
        zerojhub status -o json
    """
    options = {"file": file, "cloud": cloud, "output": output, "quiet": quiet, "verbose": verbose, "yes": yes}
    set_defaults(context, {name: value for name, value in options.items() if is_given(context, name)})


def main() -> None:
    """Run the command line and exit with its code."""
    from zerojhub.errors import Interrupted, ZeroJHubError
    from zerojhub.report.failures import show_error

    try:
        app(prog_name="zerojhub")
    except Interrupted as stopped:
        leave(str(stopped))
    except ZeroJHubError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as leaving:  # the former outside of Typer
        if isinstance(leaving, SystemExit) and leaving.code != INTERRUPTED:
            raise
        leave("nothing is lost; run the same command again to continue")


def leave(text: str) -> None:
    """Exit after an interrupt, without waiting for responses that are no longer needed."""
    from zerojhub.report.failures import show_stopped

    show_stopped(text)
    sys.stdout.flush()
    os._exit(INTERRUPTED)
