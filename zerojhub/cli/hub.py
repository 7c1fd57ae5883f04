"""zerojhub hub: the running hub's URL, users, log and announcement, and a test that it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli import users
from zerojhub.cli.help import App
from zerojhub.cli.options import (
    DEFAULT_FILE,
    CloudOption,
    FileOption,
    OutputOption,
    QuietOption,
    YesOption,
    ask_secret,
    confirm,
    locks,
    logs_in,
)
from zerojhub.errors import UserError
from zerojhub.report.hub import show_message, show_proof, show_token, show_url
from zerojhub.report.results import Output, show_drift, show_text
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.hub.proof import Proof
    from zerojhub.hub.users import UserRow, Users
    from zerojhub.kube.client import Kube
    from zerojhub.run import Run
    from zerojhub.running import Running

app = App("Inspect and test the running hub, and manage its users.")
app.add_typer(users.app, name="users")


@app.command()
@logs_in
def url(file: FileOption = DEFAULT_FILE, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """Print the hub's URL.

    Examples:
        xdg-open "$(zerojhub hub url)"
    """
    from zerojhub import running
    from zerojhub.cli.run import with_run
    from zerojhub.graph import with_needs
    from zerojhub.stages import Endpoint

    found = with_run(lambda run: running.look(run, with_needs([Endpoint])), file, cloud, silent=True)
    address = found.require_url()
    show_drift(found.drift)
    show_url(address, output)


@app.command()
@logs_in
@locks
def check(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    person: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="NAME", help="Log in through the hub's form as this user, too; asks for the password."
        ),
    ] = None,
) -> None:
    """Test the hub: log in, start a server, run a cell, stop the server. Print how long each step took.

    Where users log in at a provider, it tests how a login begins, and says what only a person can test. Notes, too, if users'
    servers cannot reach the hub's own URL, or if the load balancer ends idle connections. Without a terminal, the password for
    --as is a line of standard input.

    Examples:
        zerojhub hub check
        zerojhub hub check --as ada
    """
    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.stages import Check, Endpoint
    from zerojhub.stages.check import prove

    account = (person, ask_secret(f"password of {person}")) if person else None

    async def work(run: Run) -> tuple[Running, Proof]:
        found = await running.look(run, graph.with_needs([Endpoint]))
        found.require_url()
        with graph.step(found.run, Check.name) as step:
            proof = await prove(found.run, account, around=True)
            step.outcome, step.detail = "done", str(proof)
        return found, proof

    found, proof = with_run(work, file, cloud, quiet=quiet, locked=True)
    show_drift(found.drift)
    show_proof(proof, output)


@app.command()
@logs_in
def login(
    url: Annotated[
        str | None, typer.Argument(metavar="URL", help="URL of the hub.", show_default="the deployment's")
    ] = None,
    person: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Your name at the hub, where it has a login form.")
    ] = None,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, help="Days until the token expires.")] = 30,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Get an API token with which your own programs use the hub in your name, and keep it in a file that only you can read.

    Asks for your password, where the hub has a login form. Where users log in at a provider: request a token on the hub's
    page, and paste it. Without a terminal, the password or the token is a line of standard input.

    Examples:
        zerojhub hub login https://hub.example.org --as ada
    """
    import anyio

    from zerojhub import running
    from zerojhub.cli.run import with_run
    from zerojhub.graph import with_needs
    from zerojhub.hub import tokens
    from zerojhub.stages import Endpoint

    if url is None:
        url = with_run(lambda run: running.look(run, with_needs([Endpoint])), file, cloud, silent=True).require_url()
    hub = tokens.hub_url(url)
    if anyio.run(tokens.has_form, hub):
        if person is None:
            raise UserError("whose token?", hint="--as NAME, your name at the hub")
        token = anyio.run(tokens.by_password, hub, person, ask_secret(f"password of {person} at {hub}"), days)
    else:
        token = ask_secret(f"a token, which you can request at {hub}/hub/token").strip()
    show_token(anyio.run(tokens.keep, hub, token), output, quiet=quiet)


@app.command()
@logs_in
def logs(
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="Print the log of this user's server instead.")
    ] = None,
    lines: Annotated[int, typer.Option("-n", "--lines", metavar="N", min=1, help="Number of lines.")] = 100,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
) -> None:
    """Print the last lines of the log of the hub, or of a user's server.

    Examples:
        zerojhub hub logs --user alice
    """
    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.hub import pods
    from zerojhub.stages import Access

    async def work(run: Run) -> tuple[Running, str]:
        found = await running.look(run, graph.with_needs([Access]))
        return found, await pods.logs(found.reach.kube, run.deployment.namespace, user=user, lines=lines)

    found, text = with_run(work, file, cloud, silent=True)
    show_drift(found.drift)
    show_text(text)


@app.command()
@logs_in
def stop(
    everyone: Annotated[bool, typer.Option("--all", help="The servers of all users.")] = False,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Stop every user's servers, for instance before maintenance. The hub and users' files stay.

    To stop the servers of some users: `zerojhub hub users stop`.

    Examples:
        zerojhub hub stop --all
    """
    if not everyone:
        raise UserError("whose servers?", hint="--all, or zerojhub hub users stop NAME")

    async def work(known: Users, kube: Kube, namespace: str) -> list[UserRow]:
        names = known.with_servers()
        if names:
            confirm(f"Stop the servers of {plural(len(names), 'user')} ({', '.join(names)})?", yes=yes)
        return await known.stop(names)

    users.report(users.with_users(work, file, cloud, quiet=quiet), output)


@app.command()
@logs_in
@locks
def message(
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What to announce, as plain text.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Show no announcement.")] = False,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Show an announcement at the top of the hub's own pages until --clear. Without either: print the current one.

    The hub restarts, which takes some seconds in which nobody can log in; users' servers keep running. The announcement is
    kept in the Helm release: `zerojhub up` leaves it as it is, and changes that you have not applied yet stay unapplied.

    Examples:
        zerojhub hub message "Maintenance on Friday from 17:00: save your work"
        zerojhub hub message --clear
    """
    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.hub.message import shown
    from zerojhub.stages import Chart, HelmProgram, Values
    from zerojhub.stages.chart import announce

    if text is not None and (clear or not text.strip()):
        raise UserError(
            "give a text, or --clear" if clear else "the text is empty", hint="zerojhub hub message --clear"
        )

    async def look(run: Run) -> str | None:
        found = await running.look(run, graph.with_needs([Chart]))
        return shown(found.release.values)

    async def change(run: Run) -> str | None:
        await graph.require(run, Values, HelmProgram)
        with graph.step(run, "message") as step:
            changed = await announce(run, text)
            step.outcome, step.detail = "done", "" if changed else "unchanged"
        return text

    if text is None and not clear:
        show_message(with_run(look, file, cloud, silent=True), output)
    else:
        show_message(with_run(change, file, cloud, quiet=quiet, locked=True), output)
