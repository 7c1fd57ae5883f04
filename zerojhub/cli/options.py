"""The options that many commands share."""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer

from zerojhub.report.results import ListOutput, Output
from zerojhub.text import printable

Function = TypeVar("Function", bound=Callable[..., object])

DEFAULT_FILE = Path("hub.yaml")


class Direction(StrEnum):
    """In which direction a list is sorted."""

    asc = "asc"
    desc = "desc"


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
ListOutputOption = Annotated[
    ListOutput, typer.Option("-o", "--output", metavar="table|json|yaml|csv", help="Output format.")
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option("-c", "--column", metavar="FIELD", help="Only this field (repeatable).", show_default="the usual"),
]
LimitOption = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")]
SortKeyOption = Annotated[
    str | None, typer.Option("--sort-key", metavar="FIELD", help="Sort by this field.", show_default="oldest first")
]
SortDirOption = Annotated[
    Direction | None, typer.Option("--sort-dir", metavar="asc|desc", help="Ascending or descending.")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name or UUID.")]
NamesArgument = Annotated[list[str], typer.Argument(metavar="NAME", help="Names or UUIDs.")]
ClusterArgument = Annotated[str, typer.Argument(metavar="CLUSTER", help="Cluster, by name or UUID.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print results and errors only.")]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Print every step's progress messages.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the change is complete.")]
NoWaitOption = Annotated[
    bool, typer.Option("--no-wait", help="Fail, instead of waiting, while another command works on the deployment.")
]
YesOption = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask for confirmation.")]

ProjectOption = Annotated[
    str | None,
    typer.Option("--project", metavar="ID", help="ID of the project.", show_default="the credentials' own"),
]
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

IdentityOption = Annotated[
    Path | None,
    typer.Option(
        "-i",
        "--identity",
        metavar="FILE",
        help="Private key for SSH to the cluster's servers.",
        show_default="the keypair's, from ~/.ssh or the SSH agent",
    ),
]
LoginOption = Annotated[
    str | None,
    typer.Option("--user", metavar="USER", help="User for SSH to the cluster's servers.", show_default="the image's"),
]


@dataclass(frozen=True)
class Login:
    """The options with which a command logs in to the cluster's servers."""

    identity: Path | None
    user: str | None

    def words(self) -> list[str]:
        """The options as they are given on the command line."""
        return [
            *(["-i", str(self.identity)] if self.identity else []),
            *(["--user", self.user] if self.user else []),
        ]


login: ContextVar[Login | None] = ContextVar("login", default=None)
"""As given to the command that runs; zerojhub/cli/run.py passes it on with the deployment."""


def logs_in(command: Function) -> Function:
    """Give a command that connects to a cluster the options -i/--identity and --user.

    A command that has an option --user of its own, with another meaning, keeps it.
    """

    def with_login(*, identity: Path | None = None, ssh_user: str | None = None, **arguments: object) -> object:
        login.set(Login(identity and Path(os.path.expanduser(identity)).absolute(), ssh_user))
        return command(**arguments)

    added: dict[str, tuple[Any, object]] = {"identity": (IdentityOption, None), "ssh_user": (LoginOption, None)}
    if "user" in inspect.signature(command).parameters:
        del added["ssh_user"]
    return _with_options(command, with_login, added)


@dataclass(frozen=True)
class Turn:
    """How a command takes a deployment's lock."""

    command: str
    """What others read: `up`, `cluster resize`."""
    patient: bool = True
    """Wait while another command has it."""


turn: ContextVar[Turn | None] = ContextVar("turn", default=None)
"""Of the command that runs, if it has the decorator `locks`; zerojhub/cli/run.py makes the lock with it."""


def locks(command: Function) -> Function:
    """Give a command that takes a deployment's lock the option --no-wait.

    One that has --wait/--no-wait already, for its change to be complete, waits for neither.
    """
    added: dict[str, tuple[Any, object]] = {"context": (typer.Context, None)}
    has_its_own = "wait" in inspect.signature(command).parameters
    if not has_its_own:
        added["no_wait"] = (NoWaitOption, False)

    def with_turn(*, context: typer.Context, no_wait: bool = False, **arguments: object) -> object:
        patient = bool(arguments["wait"]) if has_its_own else not no_wait
        turn.set(Turn(context.command_path.partition(" ")[2], patient))
        return command(**arguments)

    return _with_options(command, with_turn, added)


def _with_options(
    command: Function, instead: Callable[..., object], added: Mapping[str, tuple[Any, object]]
) -> Function:
    """`instead` as the command, with the command's options and those added: an annotation and a default for each."""
    functools.update_wrapper(instead, command)
    signature = inspect.signature(command, eval_str=True)
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in added.items()
    ]
    # Typer reads a command's options from its signature.
    vars(instead)["__signature__"] = signature.replace(parameters=[*signature.parameters.values(), *more])
    return cast(Function, instead)


def completed(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """For the shell: the names that begin with what has been typed."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def set_defaults(context: typer.Context, given: dict[str, object]) -> None:
    """Make options given before the command defaults of those of the command (`zerojhub -o json status`).

    They take precedence over those given even earlier.
    """

    def defaults(command: Any) -> dict[str, object]:
        below = {name: defaults(each) for name, each in getattr(command, "commands", {}).items()}
        return {param.name: given[param.name] for param in command.params if param.name in given} | below

    name = context.invoked_subcommand
    root: Any = context.command
    command = root.get_command(context, name) if given and name else None
    if name and command:
        earlier = (context.default_map or {}).get(name) or {}
        context.default_map = {name: earlier | defaults(command)}


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is deleted or interrupted. UserError without a terminal; Abort (exit 1) for a no."""
    from zerojhub.errors import UserError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"no terminal to ask on: {question}", hint="confirm with --yes")
    with _asking():
        typer.confirm(printable(question), abort=True, err=True)


def offer(question: str, *, yes: bool) -> bool:
    """Ask whether to do something more. Without a terminal, and with --yes, no."""
    if yes or not sys.stdin.isatty():
        return False
    with _asking():
        return typer.confirm(printable(question), default=True, err=True)


def ask_passphrase(question: str) -> str | None:
    """Ask without echo; None without a terminal."""
    import getpass

    if not sys.stdin.isatty():
        return None
    with _asking():
        return getpass.getpass(question, stream=sys.stderr)


def ask_secret(question: str) -> str:
    """Ask without echo; without a terminal, a line of standard input. UserError if there is nothing."""
    from zerojhub import masking
    from zerojhub.errors import UserError

    secret = ask_passphrase(f"{question}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise UserError(f"{question}: nothing was given", hint="at the terminal, or as a line of standard input")
    masking.remember(secret)
    return secret


@contextmanager
def _asking() -> Iterator[None]:
    """No live progress overwrites the question, and Ctrl-C ends the program although its event loop waits for the answer."""
    from zerojhub.report.progress import paused

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with paused():
            yield
    finally:
        signal.signal(signal.SIGINT, handler)
