"""zerojhub cron: jobs on a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.job import (
    Command,
    CpuOption,
    EnvOption,
    ImageOption,
    LogsOption,
    MemoryOption,
    SourceOption,
    WaitOption,
    print_logs,
    run_job,
)
from zerojhub.cli.options import (
    DEFAULT_FILE,
    CloudOption,
    ClusterOption,
    FileOption,
    NamespaceOption,
    OutputOption,
    QuietOption,
    YesOption,
    confirm,
    logs_in,
)
from zerojhub.report import crons as report
from zerojhub.report.jobs import warn_of_long_name
from zerojhub.report.results import Output

if TYPE_CHECKING:
    from pathlib import Path

    from zerojhub.kube.crons import CronJobRow
    from zerojhub.kube.reach import Reach
    from zerojhub.kube.types import CronJob, Job
    from zerojhub.text import Say

app = App("Run jobs in the cluster on a schedule.")

Name = Annotated[str, typer.Argument(metavar="CRONJOB", help="Name of the cron job.")]


@app.command()
@logs_in
def create(
    name: Annotated[
        str | None, typer.Argument(metavar="CRONJOB", help="Name of the cron job, unless it comes from a file.")
    ] = None,
    command: Command = None,
    when: Annotated[
        str | None,
        typer.Option(
            "--schedule", metavar="SCHEDULE", help="Minute, hour, day of the month, month and day of the week."
        ),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            "--time-zone",
            metavar="ZONE",
            help="Time zone of the schedule, such as Europe/London.",
            show_default="the cluster's",
        ),
    ] = None,
    image: ImageOption = None,
    source: SourceOption = None,
    env: EnvOption = None,
    cpu: CpuOption = None,
    memory: MemoryOption = None,
    namespace: NamespaceOption = "default",
    cluster: ClusterOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Create a cron job from options or from a manifest, and print its next runs.

    Examples:
        zerojhub cron create hello --schedule '5 4 * * 2' --image busybox -- echo hello
        zerojhub cron create --from cronjob.yaml
    """
    from datetime import UTC, datetime

    from zerojhub.cli.arguments import parse_pairs
    from zerojhub.cli.run import Place, in_cluster
    from zerojhub.errors import UserError
    from zerojhub.kube import crons, manifests, schedule

    words = (name, command, when, zone, image, env, cpu, memory)
    if source and any(word is not None for word in words):
        raise UserError("--from cannot be combined with options that describe a cron job")
    if source:
        given = manifests.read(source, "CronJob")
        read = manifests.schedule_of(given)
    else:
        if when is None:
            raise UserError(
                "a cron job needs a schedule", where="--schedule", hint="for example '0 6 * * *', daily at six"
            )
        read = schedule.read(when, zone)
        of = manifests.job(name, image, command or [], env=parse_pairs(env or [], "--env"), cpu=cpu, memory=memory)
        given = manifests.Source(manifests.cron_job(name, when, zone, of))

    async def make(reach: Reach, say: Say) -> CronJob:
        return await crons.Crons.of(reach, namespace).create(given)

    if given.has_long_name() and not quiet:
        warn_of_long_name(given.name, manifests.LONGEST_POD)
    made = in_cluster(make, Place(cluster, file, cloud), given.name, quiet=quiet)
    times = read.after(datetime.now(UTC))
    report.show_created(made["metadata"]["name"], namespace, read, times, output)


@app.command("list")
@logs_in
def list_crons(
    namespace: NamespaceOption = "default",
    cluster: ClusterOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """List cron jobs with their last and next runs.

    Examples:
        zerojhub cron list --cluster k8s
    """
    from zerojhub.cli.run import Place, in_cluster
    from zerojhub.kube import crons

    async def look(reach: Reach, say: Say) -> list[CronJobRow]:
        return await crons.Crons.of(reach, namespace).listed()

    report.show_crons(in_cluster(look, Place(cluster, file, cloud), "cron jobs", quiet=True), output)


@app.command()
@logs_in
def logs(
    name: Name,
    run: Annotated[
        str | None, typer.Option("--run", metavar="JOB", help="One of its jobs.", show_default="the last one")
    ] = None,
    namespace: NamespaceOption = "default",
    cluster: ClusterOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Print the logs of a cron job's last run, or of another one of its jobs.

    Examples:
        zerojhub cron logs hello
    """
    from zerojhub.cli.run import Place
    from zerojhub.kube import crons

    async def find(reach: Reach) -> Job:
        return await crons.Crons.of(reach, namespace).run_of(name, run)

    print_logs(find, Place(cluster, file, cloud), namespace, name, output)


@app.command()
@logs_in
def suspend(
    name: Name,
    namespace: NamespaceOption = "default",
    cluster: ClusterOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Suspend a cron job. Jobs that are running continue.

    Examples:
        zerojhub cron suspend hello
    """
    _suspend(name, namespace, cluster, file, cloud, output, on=True)


@app.command()
@logs_in
def resume(
    name: Name,
    namespace: NamespaceOption = "default",
    cluster: ClusterOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Resume a suspended cron job.

    Examples:
        zerojhub cron resume hello
    """
    _suspend(name, namespace, cluster, file, cloud, output, on=False)


@app.command()
@logs_in
def run(
    name: Name,
    wait: WaitOption = False,
    logs: LogsOption = False,
    namespace: NamespaceOption = "default",
    cluster: ClusterOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Create a job from a cron job now, regardless of its schedule.

    Examples:
        zerojhub cron run hello --logs
    """
    from zerojhub.cli.run import Place
    from zerojhub.kube import crons

    async def make(reach: Reach) -> Job:
        return await crons.Crons.of(reach, namespace).run(name)

    run_job(make, Place(cluster, file, cloud), namespace, name, output, wait=wait, logs=logs, quiet=quiet)


@app.command()
@logs_in
def delete(
    name: Name,
    namespace: NamespaceOption = "default",
    cluster: ClusterOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Delete a cron job, its jobs, their pods with their logs, and what else was created from its file.

    Examples:
        zerojhub cron delete hello --yes
    """
    from zerojhub.cli.run import Place, in_cluster
    from zerojhub.kube import crons

    confirm(
        f"Delete cron job {name} in namespace {namespace}, its jobs, their pods with their logs, "
        "and what else its file created?",
        yes=yes,
    )

    async def away(reach: Reach, say: Say) -> list[str]:
        return await crons.Crons.of(reach, namespace).delete(name, say)

    gone = in_cluster(away, Place(cluster, file, cloud), name, quiet=quiet)
    report.show_deleted(name, namespace, gone, output)


def _suspend(
    name: str, namespace: str, cluster: str | None, file: Path, cloud: str | None, output: Output, *, on: bool
) -> None:
    from zerojhub.cli.run import Place, in_cluster
    from zerojhub.kube import crons

    async def change(reach: Reach, say: Say) -> CronJob:
        return await crons.Crons.of(reach, namespace).suspend(name, on=on)

    cron = in_cluster(change, Place(cluster, file, cloud), name, quiet=True)
    report.show_suspended(name, namespace, crons.next_run(cron), output, suspended=on)
