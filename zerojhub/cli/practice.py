"""zerojhub practice: the practice cloud on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zerojhub.cli import help
from zerojhub.cli.help import App
from zerojhub.cli.options import CloudOption, OutputOption, QuietOption, YesOption, confirm
from zerojhub.errors import UserError
from zerojhub.report import practice as report
from zerojhub.report.results import Output, note

app = App("Run a practice cloud on this machine: OpenStack's APIs and real Linux machines.")


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
    everything: Annotated[
        bool, typer.Option("--all", help="Also build an older Kubernetes version, for upgrades.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Build the parts of the practice cloud. The first build takes some minutes; its results are kept.

    Examples:
        zerojhub practice build
    """
    from zerojhub.practice import control
    from zerojhub.report import Progress

    with Progress(quiet=quiet) as progress:
        control.prepare(progress, None, older=everything)
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

    report.show_environment(control.environment())


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
