"""zerojhub hub: the running hub: its URL, its users, its log, and the proof that it works."""

from __future__ import annotations

from typing import Annotated

import typer

from zerojhub.cli.options import DEFAULT_FILE, CloudOption, FileOption, OutputOption, QuietOption
from zerojhub.report.results import Output, show, table

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

    async def prove(hub) -> str:
        await journey.reach(hub, Endpoint)
        await forget(hub)
        return (await journey.up(hub, act=[Check]))[-1].detail

    said = with_hub(prove, file, cloud, quiet=quiet, locked=True)
    times = {part.rsplit(" ", 2)[0]: float(part.rsplit(" ", 2)[1]) for part in said.split(", ")}
    show({"works": True, "seconds": times}, output, lambda: print(f"works: {said}"))


@app.command()
def users(file: FileOption = DEFAULT_FILE, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """Who has an account, whose server runs, and when each was last seen.

    zerojhub hub users
    """
    from zerojhub import journey
    from zerojhub.cli.run import with_hub
    from zerojhub.hub.client import HubClient
    from zerojhub.stages import Chart, Endpoint

    async def ask(hub) -> list[dict]:
        where, release = await journey.reach(hub, Endpoint, Chart)
        async with HubClient(where, release.secrets.api_token) as client:
            return await client.users()

    rows = [
        {
            "name": user["name"],
            "admin": "yes" if user["admin"] else "",
            "servers": len(user.get("servers") or {}),
            "last_activity": user.get("last_activity"),
        }
        for user in sorted(with_hub(ask, file, cloud, quiet=True), key=lambda user: user["name"])
    ]
    show(rows, output, lambda: table(rows, ("name", "admin", "servers", "last_activity"), empty="nobody yet"))


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
    from zerojhub.errors import UserError
    from zerojhub.stages import Access

    async def read(hub) -> str:
        (reach,) = await journey.reach(hub, Access)
        namespace = hub.deployment.hub.namespace
        component = "singleuser-server" if user else "hub"
        pods = await reach.kube.list("v1/Pod", namespace, labels=f"component={component}")
        if user:
            named = "hub.jupyter.org/username"
            pods = [pod for pod in pods if (pod["metadata"].get("annotations") or {}).get(named) == user]
        if not pods:
            raise UserError(f"no server of {user} runs" if user else f"there is no hub in namespace {namespace}")
        newest = max(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])
        container = newest["spec"]["containers"][0]["name"]
        return await reach.kube.logs(namespace, newest["metadata"]["name"], container, lines=lines)

    print(with_hub(read, file, cloud, quiet=True), end="")
