"""The command line: one thin module a command group. Errors are printed here, once, as one line; exit codes:

0 done, 1 failed, 2 the user's input is wrong, 3 `plan` or `status` found something to do, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from zerojhub.cli.commands import Commands
from zerojhub.cli.options import (
    CloudOption,
    FileOption,
    OutputOption,
    QuietOption,
    VerboseOption,
    YesOption,
    set_defaults,
)

INTERRUPTED = 130
"""What Typer makes of Ctrl-C."""

app = typer.Typer(
    name="zerojhub",
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def print_version(wanted: bool) -> None:
    if wanted:
        from zerojhub import __version__
        from zerojhub.report.results import note

        note(f"zerojhub {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    file: FileOption = None,
    cloud: CloudOption = None,
    output: OutputOption = None,
    quiet: QuietOption = None,
    verbose: VerboseOption = None,
    yes: YesOption = None,
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """One command from an OpenStack project with Magnum to the URL of a working JupyterHub."""
    given = {"file": file, "cloud": cloud, "output": output, "quiet": quiet, "verbose": verbose, "yes": yes}
    set_defaults(context, {name: value for name, value in given.items() if value is not None})


def main() -> None:
    """Run the command line and leave with its exit code."""
    from zerojhub.errors import Interrupted, ZeroJHubError
    from zerojhub.report.failures import show_error

    try:
        app(prog_name="zerojhub")
    except Interrupted as stopped:
        leave(str(stopped))
    except ZeroJHubError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as leaving:  # the former where Typer is not, or not any more, in charge
        if isinstance(leaving, SystemExit) and leaving.code != INTERRUPTED:
            raise
        leave("nothing is lost, the same command goes on from here")


def leave(text: str) -> None:
    """Leave a command that was interrupted, without waiting for answers that nobody wants any more."""
    from zerojhub.report.failures import show_stopped

    show_stopped(text)
    sys.stdout.flush()
    os._exit(INTERRUPTED)
