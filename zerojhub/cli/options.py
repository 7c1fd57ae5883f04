"""The options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zerojhub.report.results import Output

DEFAULT_FILE = Path("hub.yaml")

FileOption = Annotated[
    Path, typer.Option("-f", "--file", metavar="FILE", help="Deployment file.", envvar="ZEROJHUB_FILE")
]
CloudOption = Annotated[
    str | None,
    typer.Option(
        "--cloud",
        metavar="NAME",
        help="Entry of clouds.yaml.",
        show_default="the deployment file's, or OS_CLOUD",
    ),
]
ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", metavar="NAME", help="Cluster, by name or UUID.", show_default="the deployment file's"),
]
NamespaceOption = Annotated[str, typer.Option("-n", "--namespace", metavar="NAME", help="Kubernetes namespace.")]
OutputOption = Annotated[Output, typer.Option("-o", "--output", metavar="table|json|yaml", help="Output format.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name or UUID.")]
ClusterArgument = Annotated[str, typer.Argument(metavar="CLUSTER", help="Cluster, by name or UUID.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print results and errors only.")]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Print every step's progress messages.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the change is complete.")]
YesOption = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask for confirmation.")]

KeypairOption = Annotated[str | None, typer.Option(metavar="KEYPAIR", help="SSH keypair of the servers.")]
FixedSubnetOption = Annotated[str | None, typer.Option(metavar="SUBNET", help="Subnet of the servers.")]
FloatingIPOption = Annotated[
    bool | None, typer.Option("--floating-ip/--no-floating-ip", help="Give each server a floating IP.")
]
LabelsOption = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="Magnum labels, separated by commas (repeatable).")
]
DuplicateOption = Annotated[
    bool, typer.Option("--duplicate", help="Create another one even if the name is already in use.")
]
NodeGroupOption = Annotated[
    str | None,
    typer.Option(metavar="NODEGROUP", help="Node group, by name or UUID.", show_default="the default workers"),
]


def is_given(context: typer.Context, name: str) -> bool:
    """Whether the option was given, on the command line or in the environment."""
    source = context.get_parameter_source(name)
    return source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")


def set_defaults(context: typer.Context, given: dict[str, object]) -> None:
    """Make options given before the command defaults of those of the command (`zerojhub -o json status`)."""

    def defaults(command: Any) -> dict[str, object]:
        below = {name: defaults(each) for name, each in getattr(command, "commands", {}).items()}
        return {param.name: given[param.name] for param in command.params if param.name in given} | below

    name = context.invoked_subcommand
    root: Any = context.command
    command = root.get_command(context, name) if given and name else None
    context.default_map = {name: defaults(command)} if name and command else None


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is deleted or interrupted. UserError without a terminal; Abort (exit 1) for a no."""
    import sys

    from zerojhub.errors import UserError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(question, hint="no terminal to ask on; confirm with --yes")
    typer.confirm(question, abort=True, err=True)
