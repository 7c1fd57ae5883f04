"""The command line: one thin module per command group. Errors are printed here, once, as one line; exit codes:

0 done, 1 failed, 2 the user's input is wrong, 3 `plan`, `status` or `doctor` found something to do, 70 a bug in zerojhub (the error
names a crash report), 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Annotated, Any, NoReturn

import typer

from zerojhub.cli.commands import Commands
from zerojhub.cli.given import is_given
from zerojhub.cli.help import App
from zerojhub.cli.options import (
    DEFAULT_FILE,
    CloudOption,
    FileOption,
    OutputOption,
    QuietOption,
    VerboseOption,
    YesOption,
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
    from zerojhub import retry
    from zerojhub.report.failures import show_fault

    retry.report_to(show_fault)
    options = {"file": file, "cloud": cloud, "output": output, "quiet": quiet, "verbose": verbose, "yes": yes}
    set_defaults(context, {name: value for name, value in options.items() if is_given(context, name)})


def main() -> None:
    """Run the command line and exit with its code."""
    prepare_streams()
    try:
        # Errors of the command line come here, too; what is returned is the code of typer.Exit.
        code = app(prog_name="zerojhub", standalone_mode=False)
    except BaseException as error:
        sys.exit(exit_code(error))
    sys.exit(exit_code(SystemExit(code)) if code else flushed(0))


def prepare_streams() -> None:
    """Only the program's own lines are printed: no logs and warnings of libraries, and nothing fails for its letters."""
    import logging
    import warnings

    logging.getLogger().addHandler(logging.NullHandler())  # without any handler, Python prints errors that are logged
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # for as long as the program runs
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def exit_code(error: BaseException) -> int:
    """The exit code for what the command has raised, after telling the user about it."""
    from zerojhub import crash
    from zerojhub.cli import usage
    from zerojhub.errors import Interrupted, ZeroJHubError
    from zerojhub.report.failures import show_error, show_traceback
    from zerojhub.tasks import first_failure

    if isinstance(error, BaseExceptionGroup):
        error = first_failure(error)
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if code == INTERRUPTED:
            error = KeyboardInterrupt()
        elif not isinstance(error.__context__, BrokenPipeError) or is_abandoned():
            return flushed(code)
        else:  # Typer takes every broken pipe for that of the output
            error = error.__context__
    if isinstance(error, KeyboardInterrupt):
        leave("nothing is lost; run the same command again to continue")
    if isinstance(error, Interrupted):
        leave(str(error))
    if isinstance(error, BrokenPipeError) and is_abandoned():
        return flushed(1)
    if isinstance(error, typer.Abort):  # the answer to a question was no
        error = ZeroJHubError("not confirmed")
    elif usage.is_help(error):
        error.show()  # type: ignore[attr-defined]  # of Typer, whose class has different names in its versions
        return flushed(2)
    elif usage.is_usage_error(error):
        error = usage.explain(error)
    if not isinstance(error, ZeroJHubError):
        argv = sys.argv[1:]
        error, trace = crash.explain(error, argv, commands_in(argv))
        if crash.wants_traceback(argv):
            show_traceback(trace)
    show_error(error)
    return flushed(error.exit_code)


def commands_in(argv: list[str]) -> list[str]:
    """The words that name the command."""
    found: list[str] = []
    with suppress(Exception):  # a command's module may be what cannot be imported
        command: Any = typer.main.get_command(app)
        for word in argv:
            if hasattr(command, "get_command") and (inner := command.get_command(None, word)):
                found, command = [*found, word], inner
    return found


def is_abandoned() -> bool:
    """Has whoever was reading the output, such as `head`, stopped?"""
    import select

    poll = select.poll()
    for descriptor in (1, 2):
        poll.register(descriptor, 0)
    return bool(poll.poll(0))


def flushed(code: int) -> int:
    """The exit code, or 1 when the output cannot be written completely."""
    try:
        sys.stdout.flush()
    except OSError as error:
        from zerojhub.errors import ZeroJHubError
        from zerojhub.report.failures import show_error

        sys.stdout = None  # or Python tries again at the end
        if not isinstance(error, BrokenPipeError):
            show_error(ZeroJHubError(f"cannot write the output: {error.strerror}"))
        return code or 1
    return code


def leave(text: str) -> NoReturn:
    """Exit after an interrupt, without waiting for responses that are no longer needed."""
    from zerojhub.report.failures import show_stopped

    show_stopped(text)
    flushed(INTERRUPTED)
    os._exit(INTERRUPTED)
