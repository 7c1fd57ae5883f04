"""The options that many commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerojhub.report.results import Output

DEFAULT_FILE = Path("hub.yaml")

FileOption = Annotated[Path, typer.Option("-f", "--file", help="The deployment file.", envvar="ZEROJHUB_FILE")]
CloudOption = Annotated[
    str | None, typer.Option("--cloud", help="An entry of clouds.yaml, in place of the file's or OS_CLOUD.")
]
ClusterOption = Annotated[
    str | None, typer.Option("--cluster", help="A cluster of the project, in place of the deployment file's.")
]
NamespaceOption = Annotated[str, typer.Option("-n", "--namespace", help="The Kubernetes namespace.")]
OutputOption = Annotated[Output, typer.Option("-o", "--output", help="How results are printed.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name or UUID.")]
ClusterArgument = Annotated[str, typer.Argument(metavar="CLUSTER", help="Cluster, by name or UUID.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print results and errors only.")]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Print each thing that a step does.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")]
YesOption = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask; for scripts.")]


def set_defaults(context: typer.Context, given: dict[str, object]) -> None:
    """Let options given before the command count for it, where it knows them (`zerojhub -o json status`)."""

    def defaults(command) -> dict:
        below = {name: defaults(each) for name, each in getattr(command, "commands", {}).items()}
        return {param.name: given[param.name] for param in command.params if param.name in given} | below

    name = context.invoked_subcommand
    command = context.command.get_command(context, name) if given and name else None
    context.default_map = {name: defaults(command)} if command else None


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is taken away. UserError where nobody can answer; Abort (exit 1) for a no."""
    import sys

    from zerojhub.errors import UserError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(question, hint="there is no terminal to answer on: give --yes")
    typer.confirm(question, abort=True, err=True)
