"""zerojhub hub: the running hub: its URL, its users, its log, and the proof that it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.options import DEFAULT_FILE, CloudOption, FileOption, OutputOption, QuietOption
from zerojhub.report.hub import show_proof, show_users
from zerojhub.report.results import Output, show

if TYPE_CHECKING:
    from zerojhub.hub.client import User
    from zerojhub.hub.proof import Proof

app = typer.Typer(help="The running hub.", no_args_is_help=True)


@app.command()
def url(file: FileOption = DEFAULT_FILE, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """Print the hub's URL, for scripts and browsers.

    xdg-open "$(zerojhub hub url)"
    """
    from zerojhub import journey
    from zerojhub.cli.run import with_hub
    from zerojhub.stages import Endpoint

    (found,) = with_hub(lambda hub: journey.reach(hub, Endpoint), file, cloud, quiet=True)
    show({"url": found}, output, lambda: print(found))


@app.command()
def check(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Log in, start a server, run a cell and stop it, and say how long each took.

    zerojhub hub check
    """
    from zerojhub import journey
    from zerojhub.cli.run import with_hub
    from zerojhub.stages import Check, Endpoint
    from zerojhub.stages.check import forget

    async def prove(hub) -> Proof:
        await journey.reach(hub, Endpoint)
        await forget(hub)
        await journey.up(hub, act=[Check])
        return hub[Check]

    show_proof(with_hub(prove, file, cloud, quiet=quiet, locked=True), output)


@app.command()
def users(file: FileOption = DEFAULT_FILE, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """Who has an account, whose server runs, and when each was last seen.

    zerojhub hub users
    """
    from zerojhub import journey
    from zerojhub.cli.run import with_hub
    from zerojhub.hub.client import HubClient
    from zerojhub.stages import Chart, Endpoint

    async def ask(hub) -> list[User]:
        where, release = await journey.reach(hub, Endpoint, Chart)
        async with HubClient(where, release.secrets.api_token) as client:
            return await client.users()

    show_users(with_hub(ask, file, cloud, quiet=True), output)


@app.command()
def logs(
    user: Annotated[str | None, typer.Option("--user", help="The log of this person's server, not the hub's.")] = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, help="How many lines of its end.")] = 100,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
) -> None:
    """The end of the hub's log, or of a person's server.

    zerojhub hub logs --user alice
    """
    from zerojhub import journey
    from zerojhub.cli.run import with_hub
    from zerojhub.hub import pods
    from zerojhub.stages import Access

    async def read(hub) -> str:
        (reach,) = await journey.reach(hub, Access)
        return await pods.logs(reach.kube, hub.deployment.hub.namespace, user=user, lines=lines)

    print(with_hub(read, file, cloud, quiet=True), end="")
