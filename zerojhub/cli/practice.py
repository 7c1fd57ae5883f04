"""zerojhub practice: the practice cloud on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zerojhub.cli import help
from zerojhub.cli.help import App
from zerojhub.cli.options import CloudOption, OutputOption, QuietOption, YesOption, completed, confirm
from zerojhub.errors import UserError
from zerojhub.practice.build import More
from zerojhub.practice.faults import Break, Breakage, Fault, What
from zerojhub.report import practice as report
from zerojhub.report.results import Output, note
from zerojhub.text import nearest

app = App("Run a practice cloud on this machine: OpenStack's APIs and real Linux machines.")
fault_app = App("Let requests to the practice cloud, and resources in it, fail on purpose.")
app.add_typer(fault_app, name="fault")


class Command(help.Command):
    """A command that needs the packages of the `practice` extra."""

    def invoke(self, ctx: Any) -> Any:
        from zerojhub.practice import extra

        extra.require()
        return super().invoke(ctx)


PortOption = Annotated[
    int, typer.Option("--port", metavar="PORT", min=1, max=65535, help="Port of the APIs on the loopback address.")
]
PORT = 9580


@app.command(cls=Command)
def build(
    more: Annotated[
        list[More] | None,
        typer.Option(
            "--with",
            metavar="PART",
            help="Also build https (an ACME server, and Traefik), object-store (Swift with its S3 API, and restic), helm-4, or older "
            "(for upgrades: an older Kubernetes, and an older and a newer JupyterHub).",
            show_choices=False,
            show_default=False,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Build everything.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Build the parts of the practice cloud. The first build takes some minutes; its results are kept.

    Examples:
        zerojhub practice build
        zerojhub practice build --with object-store
    """
    from zerojhub.practice import control
    from zerojhub.report import Progress

    with Progress(quiet=quiet) as progress:
        control.prepare(progress, None, more=list(More) if everything else more or [])
    if not quiet:
        note("built (next: zerojhub practice start)")


@app.command(cls=Command)
def start(
    port: PortOption = PORT,
    wanted: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME|FILE",
            help="Cloud to simulate: both, cluster-api, magnum-heat, or a recorded profile.",
            show_default="both",
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Start the practice cloud, after building what is missing, and write a clouds.yaml with the entry `practice`.

    Examples:
        zerojhub practice start
        eval "$(zerojhub practice env)"
        zerojhub practice start --profile magnum-heat
    """
    from zerojhub.practice import control, profile
    from zerojhub.report import Progress

    chosen = profile.resolve(wanted or profile.DEFAULT)
    if found := control.running():
        control.require_same(found, port=None if port == PORT else port, profile=chosen if wanted else None)
        note(f"already running on 127.0.0.1:{found.port} (process {found.pid})")
        return
    with Progress(quiet=quiet) as progress:
        control.prepare(progress, port)
        progress.start("practice", "starting")
        try:
            found = control.start(port, chosen)
        except BaseException as error:
            progress.end("practice", "failed", str(error))
            raise
        progress.end("practice", "done", f"the APIs respond on 127.0.0.1:{found.port}")
    if not quiet:
        note('next: eval "$(zerojhub practice env)"')


@app.command(cls=Command)
def stop() -> None:
    """Stop the practice cloud and delete everything in it. Built parts are kept.

    Examples:
        zerojhub practice stop
    """
    from zerojhub.practice import control

    was_running = control.stop()
    note("stopped" if was_running else "not running")


@app.command(cls=Command)
def status(output: OutputOption = Output.table) -> None:
    """Show whether the practice cloud is running, its address and its machines.

    Examples:
        zerojhub practice status
    """
    from zerojhub.practice import control

    report.show_status(control.status(), output)


@app.command(cls=Command)
def env() -> None:
    """Print the shell commands that point OpenStack clients to the practice cloud.

    Examples:
        eval "$(zerojhub practice env)"
    """
    from zerojhub.practice import control

    control.require_running()
    report.show_environment(control.environment())


@app.command(cls=Command)
def shell(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="Command to run there, after `--`.", show_default="a shell"),
    ] = None,
) -> None:
    """Open a shell in which the names in the project's DNS zones are found, as if everyone delegated to them.

    Only programs in it find them: the resolver of this machine stays as it is.

    Examples:
        zerojhub practice shell
        zerojhub practice shell -- zerojhub up
        zerojhub practice shell -- curl http://hub.class.example/
    """
    import os

    from zerojhub.practice import control

    found = control.require_running()
    argv = control.in_zones(found, command or [os.environ.get("SHELL", "/bin/sh")])
    os.execvp(argv[0], argv)


@app.command(cls=Command)
def reset(yes: YesOption = False) -> None:
    """Delete every cluster, server, volume and floating IP in the practice cloud.

    Examples:
        zerojhub practice reset
    """
    from zerojhub.practice import control

    found = control.require_running()
    confirm("Delete all clusters and volumes of the practice cloud?", yes=yes)
    control.reset(found)
    note("reset")


@app.command(cls=Command)
def logs(
    audit: Annotated[bool, typer.Option("--audit", help="Print the audit log of API requests.")] = False,
    machine: Annotated[
        str | None, typer.Option("--machine", metavar="NAME", help="Print the logs of this machine.")
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep printing new lines until Ctrl-C.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Print the log of the practice cloud, of a machine, or of API requests (-o json: one object per line).

    Examples:
        zerojhub practice logs --audit -o json | jq -r .path
    """
    from zerojhub.practice import control

    if audit and machine:
        raise UserError("--audit and --machine cannot be combined")
    if audit:
        report.show_audit(control.audit_log(), output, follow=follow)
    else:
        report.show_logs(control.logs(machine), follow=follow)


@app.command(cls=Command)
def record(
    cloud: CloudOption = None,
    path: Annotated[Path, typer.Option("--to", metavar="FILE", help="File to write.")] = Path("recorded.yaml"),
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Record the API answers of a real cloud, without changing it, as a profile for `practice start`.

    Tokens, passwords, addresses, IDs and the names of hosts, people, projects and clusters are left out.

    Examples:
        zerojhub practice record --cloud mycloud --to mycloud.yaml
    """
    from zerojhub.openstack.session import Cloud
    from zerojhub.practice.recorder import record as recorder
    from zerojhub.report import Progress

    recorder.refuse(path)
    with Progress(quiet=quiet) as progress:
        progress.start("record")
        outcome, detail = "failed", ""
        try:
            made = recorder.record(Cloud(cloud), lambda text: progress.say("record", text))
            recorder.save(made, path)
            outcome, detail = "done", f"{len(made.profile['answers'])} answers of {len(made.asked)} services"
        finally:
            progress.end("record", outcome, detail)
    report.show_recording(
        path, made.asked, output, silent=made.silent, left_out=made.left_out, not_shown=made.not_shown
    )


@fault_app.command(cls=Command)
def add(
    service: Annotated[
        str,
        typer.Argument(
            metavar="SERVICE", help="Type in the service catalog, such as container-infra; kubernetes; or hub."
        ),
    ],
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help=f"Of requests: {', '.join(What)}; of resources: {', '.join(Break)}.",
            autocompletion=completed(lambda: [*What, *Break]),
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The resource that breaks, by name or ID.", show_default=False),
    ] = None,
    method: Annotated[str | None, typer.Option("--method", metavar="METHOD", help="Only requests with it.")] = None,
    path: Annotated[
        str | None,
        typer.Option("--path", metavar="PATTERN", help="Only these paths; * matches any text, as in '*/clusters'."),
    ] = None,
    call: Annotated[
        int | None, typer.Option("--call", metavar="N", min=1, help="Only the Nth request.", show_default="1")
    ] = None,
    start: Annotated[
        int | None, typer.Option("--from", metavar="N", min=1, help="The first request that fails.", show_default="1")
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", metavar="M", min=1, help="How many fail.", show_default="1")
    ] = None,
    every: Annotated[bool, typer.Option("--every", help="All fail, from the first or from --from on.")] = False,
    retry_after: Annotated[
        int | None, typer.Option("--retry-after", metavar="SECONDS", min=0, help="Header Retry-After of the response.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", metavar="SECONDS", min=0, help="How late a slow response is.", show_default="5"),
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Let requests to a service fail, or its resources. Both are counted from now on; requests of clusters do not count.

    A resource that exists is named; of others, such as no-valid-host or create-failed, the next ones fail. With quota, --call is
    the first resource that has no room. Clearing the fault repairs the resource. In place of a response, the connection is closed (refused), reset before or after the server does the work, cut in the
    middle of the body, or left open (hang). The fault ends with `fault clear`, with `practice reset`, and when the practice
    cloud stops.

    Examples:
        zerojhub practice fault add container-infra 503 --path '*/clusters' --from 2 --count 3 --retry-after 5
        zerojhub practice fault add network reset-after --method POST
        zerojhub practice fault add compute no-valid-host --from 2
        zerojhub practice fault add volume detaching pvc-0c5d6f3a
    """
    from zerojhub.practice import control

    if call and (start or count or every):
        raise UserError("--call cannot be combined with --from, --count or --every")
    if count and every:
        raise UserError("--count and --every cannot be combined")
    first, many = call or start or 1, None if every else count or 1
    fault: Fault | Breakage
    if what in list(Break):
        if method or path or retry_after is not None or seconds is not None:
            raise UserError(f"--method, --path, --retry-after and --seconds are for requests, not for {what}")
        fault = Breakage(service, Break(what), name, first, many)
    elif what not in list(What):
        near = nearest(what, [*What, *Break])
        raise UserError(f"unknown fault {what}", hint=f"did you mean {near}?" if near else "see --help")
    else:
        if name:
            raise UserError(f"{what} is of requests: leave out {name}", hint="--path selects requests")
        method = method and method.upper()
        fault = Fault(service, What(what), method, path, first, many, retry_after=retry_after, seconds=seconds)
    found = control.require_running()
    report.show_faults(control.faults(found, "POST", add=fault)[-1:], output)


@fault_app.command("list", cls=Command)
def list_faults(output: OutputOption = Output.table) -> None:
    """List the faults, the number of requests that matched each, and how many of them failed.

    Examples:
        zerojhub practice fault list
    """
    from zerojhub.practice import control

    report.show_faults(control.faults(control.require_running()), output)


@fault_app.command(cls=Command)
def clear(
    idents: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]...", help="Faults to end.", show_default="all")
    ] = None,
) -> None:
    """End faults: those with these IDs, or all.

    Examples:
        zerojhub practice fault clear
        zerojhub practice fault clear 2
    """
    from zerojhub.practice import control

    found = control.require_running()
    known = {fault["id"] for fault in control.faults(found)}
    if unknown := sorted(set(idents or ()) - known):
        raise UserError(f"no fault {unknown[0]}", hint="zerojhub practice fault list")
    control.faults(found, "DELETE", clear=idents or ())
    note("cleared")
