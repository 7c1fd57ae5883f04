"""zerojhub show: what a deployment consists of, as a list or as a map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerojhub.cli.options import DEFAULT_FILE, CloudOption, FileOption, QuietOption
from zerojhub.report.results import Output
from zerojhub.report.results import show as print_out

app = typer.Typer()


@app.command()
def show(
    svg: Annotated[bool, typer.Option("--svg", help="Draw a map, as an SVG picture.")] = False,
    output: Annotated[
        str | None, typer.Option("-o", "--output", help="table, json or yaml; of a map, the file to write.")
    ] = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    quiet: QuietOption = False,
) -> None:
    """What the deployment consists of: its servers, who works on them, the way in, the volumes.

    zerojhub show --svg -o map.svg
    """
    from zerojhub import journey
    from zerojhub.cli.run import with_hub
    from zerojhub.errors import UserError, ZeroJHubError
    from zerojhub.operations.survey import survey
    from zerojhub.report import map as drawn_map

    if not svg and output not in (None, *Output):
        hint = f"{', '.join(Output)}; for a map give --svg"
        raise UserError(f"{output!r} is no way to print it", where="-o", hint=hint)

    async def look(hub):
        await journey.look(hub)
        return await survey(hub)

    found = with_hub(look, file, cloud, quiet=True)
    if found is None:
        raise ZeroJHubError("there is no cluster yet", hint="zerojhub up")
    if not svg:
        print_out(found.as_data(), Output(output or Output.table), lambda: _print(found))
    elif output is None:
        print(drawn_map.drawn(found), end="")
    else:
        try:
            Path(output).write_text(drawn_map.drawn(found), encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror}", where=output) from None
        if not quiet:
            print(f"wrote {output}")


def _print(found) -> None:
    from zerojhub.report.results import table

    rows = [
        {
            "server": server.name,
            "role": server.role,
            "state": server.state,
            "flavor": server.flavor,
            "addresses": server.addresses,
            "pods": " ".join(pod.user or pod.kind for pod in server.pods),
        }
        for server in found.servers
    ]
    table(rows, ("server", "role", "state", "flavor", "addresses", "pods"))
    for balancer in found.balancers:
        print(f"load balancer: {balancer.address} {balancer.state} {balancer.name}")
    if found.waiting:
        print(f"waiting for a server: {' '.join(pod.user or pod.kind for pod in found.waiting)}")
    if found.resting:
        print(f"volumes that nobody uses now: {' '.join(volume.owner for volume in found.resting)}")
    if found.url:
        print(f"url: {found.url}")
