"""zerojhub hub users: list the hub's users, add and remove them, start and stop their servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    DEFAULT_FILE,
    CloudOption,
    FileOption,
    OutputOption,
    QuietOption,
    YesOption,
    confirm,
    locks,
    logs_in,
    set_defaults,
)
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.report.hub import show_chosen, show_leaving, show_rows, show_users
from zerojhub.report.results import Output, show_drift
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.hub.client import User
    from zerojhub.hub.users import UserRow, Users
    from zerojhub.kube.client import Kube
    from zerojhub.run import Run
    from zerojhub.running import Running

    Work = Callable[[Users, Kube, str], Awaitable[list[UserRow]]]
    """What to do with the hub's users, in the cluster and the namespace of the hub."""

app = App(alone=True)

NamesArgument = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Users, by name.")]
CSVOption = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        metavar="FILE",
        help="Also the users in this class list: its column username, name or email, or its only column.",
    ),
]


@app.callback(invoke_without_command=True)
@logs_in
def users(
    context: typer.Context,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """List the hub's users, or add and remove them, and start and stop their servers. Without a command: list.

    Examples:
        zerojhub hub users
        zerojhub hub users add ada ben
        zerojhub hub users stop --csv class.csv
    """
    if context.invoked_subcommand:
        set_defaults(context, context.params)
    else:
        show_list(file, cloud, output)


@app.command("list")
@logs_in
def list_users(file: FileOption = DEFAULT_FILE, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """List the hub's users, their running servers and last activity. `zerojhub hub users` does the same.

    Examples:
        zerojhub hub users list -o json
    """
    show_list(file, cloud, output)


@app.command()
@logs_in
def add(
    names: NamesArgument = None,
    csv: CSVOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Add users to the hub. Those who are there already stay as they are.

    Whether they can log in is up to the authenticator: most let in everyone who was added, if only some are let in at all.

    Examples:
        zerojhub hub users add ada ben
        zerojhub hub users add --csv class.csv
    """
    wanted = names_of(names, csv)
    report(with_users(lambda known, *_: known.add(wanted), file, cloud, quiet=quiet), output)


@app.command()
@logs_in
@locks
def remove(
    names: NamesArgument = None,
    csv: CSVOption = None,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Also delete their volumes, with all files on them.")
    ] = False,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Stop users' servers and remove the users from the hub. Lists them and asks first. Their volumes are kept.

    Someone who is added again, or may still log in, finds their files again. To let someone in no longer, also remove their
    name from the authenticator's settings in the values.

    Examples:
        zerojhub hub users remove ada
        zerojhub hub users remove --csv class.csv --with-data
    """
    wanted = names_of(names, csv)

    async def work(known: Users, kube: Kube, namespace: str) -> list[UserRow]:
        leaving = await known.leaving(kube, namespace, wanted)
        if any(each.user or (with_data and each.volumes) for each in leaving):
            show_leaving(leaving, with_data=with_data)
            fate = "delete their volumes" if with_data else "keep their volumes"
            confirm(f"Remove {plural(len(leaving), 'user')} and {fate}?", yes=yes)
        return await known.remove(kube, namespace, leaving, with_data=with_data)

    report(with_users(work, file, cloud, quiet=quiet, locked=True), output)


@app.command()
@logs_in
def admin(
    names: NamesArgument = None,
    csv: CSVOption = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Make them users without special rights again.")] = False,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Make users administrators of the hub.

    Those in `admin_users` of the values become administrators again whenever the hub starts, whatever --revoke did.

    Examples:
        zerojhub hub users admin ada
        zerojhub hub users admin ada --revoke
    """
    wanted = names_of(names, csv)
    report(with_users(lambda known, *_: known.set_admin(wanted, not revoke), file, cloud, quiet=quiet), output)


@app.command()
@logs_in
def start(
    names: NamesArgument = None,
    csv: CSVOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Start users' servers and wait until they are ready, for instance before a class.

    Examples:
        zerojhub hub users start --csv class.csv
    """
    wanted = names_of(names, csv)
    report(with_users(lambda known, *_: known.start(wanted), file, cloud, quiet=quiet), output)


@app.command()
@logs_in
def stop(
    names: NamesArgument = None,
    csv: CSVOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Stop users' servers, named ones included, and wait until they have stopped.

    For all users: `zerojhub hub stop --all`.

    Examples:
        zerojhub hub users stop ada
    """
    wanted = names_of(names, csv)
    report(with_users(lambda known, *_: known.stop(wanted), file, cloud, quiet=quiet), output)


def names_of(given: list[str] | None, csv: Path | None) -> list[str]:
    """The names on the command line and in the class list, each once. UserError if there are none, or one is invalid."""
    names = [name.strip() for name in given or []]
    if csv:
        from zerojhub.hub import classlist

        listed = classlist.read(csv)
        show_chosen(csv, plural(len(listed.names), "name"), listed.source)
        names += listed.names
    if not names:
        raise UserError("which users?", hint="give their names, or --csv FILE")
    wanted: dict[str, str] = {}
    for name in names:
        if not name or "/" in name or not name.isprintable():
            raise UserError(f"{name!r} is not a user name")
        wanted.setdefault(name.lower(), name)
    return list(wanted.values())


def with_users(work: Work, file: Path, cloud: str | None, *, quiet: bool, locked: bool = False) -> list[UserRow]:
    """Run `work` on the users of the running hub, as a step of live progress."""
    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.hub.client import HubClient
    from zerojhub.hub.users import Users
    from zerojhub.stages import Endpoint

    async def start(run: Run) -> tuple[Running, list[UserRow]]:
        found = await running.look(run, graph.with_needs([Endpoint]))
        async with HubClient(found.require_url(), found.release.secrets.api_token) as client:
            with graph.step(found.run, "users") as step:
                rows = await work(await Users.of(client, found.run.say), found.reach.kube, found.release.namespace)
                step.outcome, step.detail = "done", plural(len(rows), "user")
        return found, rows

    found, rows = with_run(start, file, cloud, quiet=quiet, locked=locked)
    show_drift(found.drift)
    return rows


def report(rows: list[UserRow], output: Output) -> None:
    """Print what became of the users. ZeroJHubError if something failed."""
    from zerojhub.hub.users import FAILED

    show_rows(rows, output)
    if failed := [row.name for row in rows if row.outcome == FAILED]:
        raise ZeroJHubError(f"failed for {len(failed)} of {plural(len(rows), 'user')}: {', '.join(failed)}")


def show_list(file: Path, cloud: str | None, output: Output) -> None:
    """Print the hub's users."""
    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.hub.client import HubClient
    from zerojhub.stages import Endpoint

    async def work(run: Run) -> tuple[Running, list[User]]:
        found = await running.look(run, graph.with_needs([Endpoint]))
        async with HubClient(found.require_url(), found.release.secrets.api_token) as client:
            return found, await client.users()

    found, listed = with_run(work, file, cloud, silent=True)
    show_drift(found.drift)
    show_users(listed, output)
