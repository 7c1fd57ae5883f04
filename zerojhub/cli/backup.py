"""zerojhub backup: backups of users' files and of the hub's accounts."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    DEFAULT_FILE,
    CloudOption,
    FileOption,
    ListOutputOption,
    OutputOption,
    QuietOption,
    YesOption,
    confirm,
    locks,
    logs_in,
)
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.report.backup import (
    show_backup_status,
    show_files,
    show_pruned,
    show_restored,
    show_snapshots,
    show_verified,
)
from zerojhub.report.results import ListOutput, Output

if TYPE_CHECKING:
    from zerojhub.backup.installed import Installed, Snapshot, Verified
    from zerojhub.backup.night import Owner
    from zerojhub.backup.state import Status
    from zerojhub.backup.work import Result
    from zerojhub.run import Run
    from zerojhub.running import Running

Answer = TypeVar("Answer")

OVERDUE = 3
"""Exit code of `backup status` if somebody's last good backup is too old."""

app = App("Back up users' files and the hub's accounts, and restore them.")

UserOption = Annotated[
    str | None, typer.Option("--user", metavar="USER", help="One user, by name.", show_default="everybody")
]
ServerOption = Annotated[
    str, typer.Option("--server", metavar="NAME", help="The user's named server.", show_default="the default server")
]
AtOption = Annotated[
    str,
    typer.Option(
        "--at",
        metavar="TIME",
        help="The last backup until then (as in 2026-11-28 or 2026-11-28T14:00), or the one with this ID.",
        show_default="the last one",
    ),
]


@app.command()
@logs_in
def run(
    user: UserOption = None,
    hub: Annotated[bool, typer.Option("--hub", help="Only the hub's accounts.")] = False,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Make a backup now, without stopping anyone.

    The cluster does it, as on the schedule, and goes on if you press Ctrl-C. Only what has changed is stored.

    Examples:
        zerojhub backup run
        zerojhub backup run --user ada
    """

    async def work(run: Run, here: Installed) -> Status:
        wanted = here.all_of(user) if user else []
        await here.run([*wanted, here.hub()] if hub else wanted, run.say)
        return await _status(run, here)

    show_backup_status(_with_backups(work, file, cloud, quiet=quiet), output)


@app.command("list")
@logs_in
def list_backups(
    user: UserOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: ListOutputOption = ListOutput.table,
    quiet: QuietOption = False,
) -> None:
    """List the backups there are, from the store itself.

    Examples:
        zerojhub backup list --user ada
    """

    async def work(run: Run, here: Installed) -> list[Snapshot]:
        return await here.snapshots(_chosen(here, user), run.say)

    show_snapshots(_with_backups(work, file, cloud, quiet=quiet), output)


@app.command()
@logs_in
def show(
    name: Annotated[str, typer.Argument(metavar="USER", help="User, by name.")],
    path: Annotated[str, typer.Option("--path", metavar="PATH", help="A folder in the home.")] = "",
    at: AtOption = "",
    server: ServerOption = "",
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: ListOutputOption = ListOutput.table,
    quiet: QuietOption = False,
) -> None:
    """Show the files in a user's backup.

    Examples:
        zerojhub backup show ada --path work --at 2026-11-28
    """
    when = moment(at)

    async def work(run: Run, here: Installed) -> tuple[Result, list[Result]]:
        return await here.files(here.of(name, server), when, inside_home(path), run.say)

    show_files(*_with_backups(work, file, cloud, quiet=quiet), output)


@app.command()
@logs_in
def status(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Show when everybody was backed up last, and the next time (exit code 3 if a backup is overdue).

    A backup is overdue six hours after the time of the next one.

    Examples:
        zerojhub backup status
    """
    found = _with_backups(_status, file, cloud, silent=True)
    show_backup_status(found, output)
    if found.overdue:
        raise typer.Exit(OVERDUE)


@app.command()
@logs_in
@locks
def restore(
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="Whose files, by name.")] = None,
    hub: Annotated[bool, typer.Option("--hub", help="The hub's accounts instead: its database.")] = False,
    path: Annotated[str, typer.Option("--path", metavar="PATH", help="One file or folder in the home.")] = "",
    at: AtOption = "",
    into: Annotated[
        str | None,
        typer.Option(
            "--into", metavar="DIR", help="New folder in the home.", show_default="restored-, and the backup's date"
        ),
    ] = None,
    over: Annotated[
        bool, typer.Option("--over", help="Replace what is there. Files that are not in the backup stay.")
    ] = False,
    server: ServerOption = "",
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Restore a user's files from a backup: to a new folder in the home, or over what is there.

    The user's server may run, unless --over is given. Users without a volume get one. --hub replaces the accounts by those of
    the backup: the hub stops for a moment, users' servers keep running, and the database that was there is kept beside it.

    Examples:
        zerojhub backup restore --user ada --path work/thesis.ipynb
        zerojhub backup restore --user ada --at 2026-11-28 --over
        zerojhub backup restore --hub
    """
    if hub == (user is not None):
        raise UserError("what is to be restored?", hint="--user USER, or --hub")
    if hub and (path or into or over or server):
        raise UserError("--path, --into, --over and --server are for the files of a user")
    if over and into is not None:
        raise UserError("--into and --over exclude each other")
    when, wanted = moment(at), inside_home(path)
    folder = inside_home(into) if into is not None else None

    ask = functools.partial(confirm, yes=yes)

    async def work(run: Run, here: Installed) -> Result:
        from zerojhub import restoring

        if user is None:
            return await restoring.accounts(run, here, when, ask)
        return await restoring.files(run, here, here.of(user, server), wanted, when, folder, ask, over=over)

    show_restored(user, _with_backups(work, file, cloud, quiet=quiet, locked=True), output)


@app.command()
@logs_in
def verify(
    user: UserOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Read all that is stored, instead of a tenth each day.")
    ] = False,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Check the backups: read what is stored, restore some files to a scratch place, and compare them with users' own.

    Without --all it reads another tenth each day, so that ten days in a row read everything.

    Examples:
        zerojhub backup verify
        zerojhub backup verify --user ada --all
    """

    async def work(run: Run, here: Installed) -> list[Verified]:
        return [await here.verify(each, everything=everything, say=run.say) for each in _chosen(here, user)]

    found = _with_backups(work, file, cloud, quiet=quiet)
    show_verified(found, output)
    if any(each.problem for each in found):
        raise typer.Exit(1)


@app.command()
@logs_in
@locks
def prune(
    user: UserOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Remove the backups that are not to be kept, as backup.keep says, and free their space.

    Every backup does so, too, but leaves a little space that is no longer needed. Never removes somebody's last backup.

    Examples:
        zerojhub backup prune
    """

    async def work(run: Run, here: Installed) -> list[Result]:
        return [await here.prune(each, run.say) for each in _chosen(here, user)]

    show_pruned(_with_backups(work, file, cloud, quiet=quiet, locked=True), output)


def _chosen(here: Installed, user: str | None) -> list[Owner]:
    return here.everyone() if user is None else here.all_of(user)


def _with_backups(
    work: Callable[[Run, Installed], Awaitable[Answer]],
    file: Path,
    cloud: str | None,
    *,
    quiet: bool = False,
    silent: bool = False,
    locked: bool = False,
) -> Answer:
    """Run `work(run, installed)` as a step of live progress."""
    from zerojhub import graph
    from zerojhub.cli.run import with_run

    async def start(run: Run) -> Answer:
        from zerojhub import running
        from zerojhub.backup.installed import find
        from zerojhub.kube.crons import Crons
        from zerojhub.stages import Access

        found: Running = await running.look(run, graph.with_needs([Access]))
        with graph.step(found.run, "backup") as step:
            here = await find(Crons.of(found.reach, run.deployment.namespace))
            answer = await work(found.run, here)
            step.outcome = "done"
        return answer

    return with_run(start, file, cloud, quiet=quiet, silent=silent, locked=locked)


async def _status(run: Run, here: Installed) -> Status:
    from zerojhub.backup import state

    found = await state.status(here.crons, here.settings.to)
    if found is None:
        raise ZeroJHubError("there is no cron job for backups", hint="zerojhub up")
    return found


def moment(text: str) -> str:
    """The time with its zone, for the program in the cluster: a day is meant to its end. An ID is left as it is.

    UserError for anything else.
    """
    if not text or re.fullmatch("[0-9a-f]{8,64}", text):
        return text
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{text!r} is neither a time nor the ID of a backup", where="--at", hint="as in 2026-11-28T14:00"
        ) from None
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        found += timedelta(days=1) - timedelta(microseconds=1)
    return found.astimezone().isoformat()


def inside_home(path: str) -> str:
    """The path relative to the home. UserError if it leads out of it."""
    for home in ("/home/jovyan", "~"):
        path = path.removeprefix(home) if path == home or path.startswith(f"{home}/") else path
    parts = [each for each in path.split("/") if each not in ("", ".")]
    if ".." in parts:
        raise UserError(f"{path} is not in the home", hint="as in work/thesis.ipynb")
    return "/".join(parts)
