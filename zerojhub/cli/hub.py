"""zerojhub hub: the running hub's URL, users and log, and a test that it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import DEFAULT_FILE, CloudOption, FileOption, OutputOption, QuietOption, logs_in
from zerojhub.report.hub import show_proof, show_url, show_users
from zerojhub.report.results import Output, show_drift, show_text

if TYPE_CHECKING:
    from zerojhub.hub.client import User
    from zerojhub.hub.proof import Proof
    from zerojhub.run import Run
    from zerojhub.running import Running

app = App("Inspect and test the running hub.")


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
def check(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Test the hub: log in, start a server, run a cell, stop the server. Print how long each step took.

    Examples:
        zerojhub hub check
    """
    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.stages import Check, Endpoint
    from zerojhub.stages.check import prove

    async def work(run: Run) -> tuple[Running, Proof]:
        found = await running.look(run, graph.with_needs([Endpoint]))
        found.require_url()
        with graph.step(found.run, Check.name) as step:
            proof = await prove(found.run)
            step.outcome, step.detail = "done", str(proof)
        return found, proof

    found, proof = with_run(work, file, cloud, quiet=quiet, locked=True)
    show_drift(found.drift)
    show_proof(proof, output)


@app.command()
@logs_in
def users(file: FileOption = DEFAULT_FILE, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """List the hub's users, their running servers and last activity.

    Examples:
        zerojhub hub users
    """
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
