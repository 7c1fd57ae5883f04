"""zerojhub job: jobs in the cluster, from the command line or from a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
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
from zerojhub.report import jobs as report
from zerojhub.report.results import Output

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from zerojhub.cli.run import Place
    from zerojhub.kube.jobs import JobRow
    from zerojhub.kube.reach import Reach
    from zerojhub.kube.types import Job
    from zerojhub.text import Say

app = App("Run jobs in the cluster and read their logs.")

Name = Annotated[str, typer.Argument(metavar="JOB", help="Name of the job.")]
Command = Annotated[
    list[str] | None,
    typer.Argument(metavar="COMMAND", help="Command of the container, after `--`.", show_default="the image's"),
]
SourceOption = Annotated[
    Path | None,
    typer.Option(
        "--from", metavar="FILE", help="YAML or JSON manifest (`-`: standard input), instead of the other options."
    ),
]
ImageOption = Annotated[str | None, typer.Option("--image", metavar="IMAGE", help="Container image.")]
EnvOption = Annotated[
    list[str] | None, typer.Option("--env", metavar="KEY=VALUE", help="Environment variable (repeatable).")
]
CpuOption = Annotated[str | None, typer.Option("--cpu", metavar="CPU", help="CPU of each pod, such as 500m or 2.")]
MemoryOption = Annotated[
    str | None, typer.Option("--memory", metavar="MEMORY", help="Memory of each pod, such as 256Mi.")
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until the job ends (exit code 1 if it fails).")]
LogsOption = Annotated[bool, typer.Option("--logs", help="Wait, and print the logs of its pods.")]


@app.command()
@logs_in
def run(
    name: Annotated[
        str | None, typer.Argument(metavar="JOB", help="Name of the job, unless it comes from a file.")
    ] = None,
    command: Command = None,
    image: ImageOption = None,
    source: SourceOption = None,
    completions: Annotated[int | None, typer.Option(metavar="N", min=1, help="Pods that must succeed.")] = None,
    parallelism: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Pods that run at the same time. Without --completions, they share a work queue.",
            show_default="1",
        ),
    ] = None,
    backoff_limit: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Retries before the job fails.", show_default="6")
    ] = None,
    env: EnvOption = None,
    cpu: CpuOption = None,
    memory: MemoryOption = None,
    wait: WaitOption = False,
    logs: LogsOption = False,
    namespace: NamespaceOption = "default",
    cluster: ClusterOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Create a job from options or from a manifest.

    Examples:
        zerojhub job run pi --image perl:5.34 --logs -- perl -Mbignum=bpi -wle 'print bpi(2000)'
        zerojhub job run --from job.yaml --wait
        kubectl create job pi --image perl:5.34 --dry-run=client -o yaml | zerojhub job run --from -
    """
    from zerojhub.cli.arguments import parse_pairs
    from zerojhub.cli.run import Place
    from zerojhub.errors import UserError
    from zerojhub.kube import creation, jobs, manifests
    from zerojhub.kube.kinds import JOB

    words = (name, command, image, completions, parallelism, backoff_limit, env, cpu, memory)
    if source and any(word is not None for word in words):
        raise UserError("--from cannot be combined with options that describe a job")
    if source:
        given = manifests.read(source, "Job")
    else:
        given = manifests.Source(
            manifests.job(
                name,
                image,
                command or [],
                env=parse_pairs(env or [], "--env"),
                cpu=cpu,
                memory=memory,
                completions=completions,
                parallelism=parallelism,
                backoff_limit=backoff_limit,
            )
        )
    spec = given.manifest["spec"]
    if isinstance(spec.get("parallelism"), int) and jobs.is_work_queue(spec) and not quiet:
        report.warn_of_work_queue(given.name, spec["parallelism"])
    if given.has_long_name() and not quiet:
        report.warn_of_long_name(given.name, manifests.LONGEST_POD)

    async def make(reach: Reach) -> Job:
        return await creation.create(reach.kube, JOB, given, namespace)

    run_job(make, Place(cluster, file, cloud), namespace, given.name, output, wait=wait, logs=logs, quiet=quiet)


@app.command("list")
@logs_in
def list_jobs(
    namespace: NamespaceOption = "default",
    cluster: ClusterOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """List jobs with their progress and, if one does not start, why.

    Examples:
        zerojhub job list --cluster k8s
    """
    from zerojhub.cli.run import Place, in_cluster
    from zerojhub.kube import jobs

    async def look(reach: Reach, say: Say) -> list[JobRow]:
        return await jobs.listed(reach.kube, namespace)

    report.show_jobs(in_cluster(look, Place(cluster, file, cloud), "jobs", quiet=True), output)


@app.command()
@logs_in
def logs(
    name: Name,
    follow: Annotated[bool, typer.Option("--follow", help="Keep printing until the job ends.")] = False,
    namespace: NamespaceOption = "default",
    cluster: ClusterOption = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Print the logs of a job's pods. If it has several, each line starts with its pod's name.

    Examples:
        zerojhub job logs pi
    """
    from zerojhub.cli.run import Place
    from zerojhub.kube import jobs

    async def find(reach: Reach) -> Job:
        return await jobs.find(reach.kube, namespace, name)

    if follow:
        run_job(find, Place(cluster, file, cloud), namespace, name, output, wait=True, logs=True, quiet=False)
    else:
        print_logs(find, Place(cluster, file, cloud), namespace, name, output)


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
    """Delete a job, its pods with their logs, and what else was created from its file, such as volume claims.

    Examples:
        zerojhub job delete pi --yes
    """
    from zerojhub.cli.run import Place, in_cluster
    from zerojhub.kube import jobs

    confirm(
        f"Delete job {name} in namespace {namespace}, its pods with their logs, and what else its file created?",
        yes=yes,
    )

    async def away(reach: Reach, say: Say) -> None:
        await jobs.find(reach.kube, namespace, name)
        await jobs.delete(reach.kube, namespace, name, say)

    in_cluster(away, Place(cluster, file, cloud), name, quiet=quiet)
    report.show_deleted(name, namespace, output)


def run_job(
    make: Callable[[Reach], Awaitable[Job]],
    place: Place,
    namespace: str,
    step: str,
    output: Output,
    *,
    wait: bool,
    logs: bool,
    quiet: bool,
) -> None:
    """Create the job with `make`, or find it, and wait for it if asked. Raises JobFailed; Interrupted once it exists."""
    from zerojhub.cli.run import in_cluster
    from zerojhub.errors import Interrupted
    from zerojhub.kube import follow, jobs

    created: list[str] = []
    log: report.JobLog | None = None

    async def work(reach: Reach, say: Say) -> JobRow:
        nonlocal log
        job = await make(reach)
        created.append(job["metadata"]["name"])
        if not wait and not logs:
            return jobs.row(job, [])
        log = report.JobLog(output, several=jobs.has_several_pods(job["spec"])) if logs else None
        return await follow.wait(reach.kube, job, say, log)

    options = place.words() + (f" -n {namespace}" if namespace != "default" else "")
    try:
        job = in_cluster(work, place, step, quiet=quiet)
    except follow.JobFailed as failure:
        report.show_failed(failure.job, log, output)
        raise
    except KeyboardInterrupt:
        if not created:
            raise
        follow_it = report.follow_command(created[0], options)
        raise Interrupted(f"job {created[0]} keeps running (follow it with: {follow_it})") from None
    if wait or logs:
        report.show_ended(job, log, output)
    else:
        report.show_created(job, output, options=options)


def print_logs(
    find: Callable[[Reach], Awaitable[Job]], place: Place, namespace: str, step: str, output: Output
) -> None:
    """Print what the job that `find` finds has logged so far."""
    from zerojhub.cli.run import in_cluster
    from zerojhub.kube import follow

    async def read(reach: Reach, say: Say) -> list[report.LogLine]:
        lines: list[report.LogLine] = []
        name = (await find(reach))["metadata"]["name"]
        await follow.logs(reach.kube, namespace, name, lambda *line: lines.append(report.LogLine(*line)))
        return lines

    report.show_logs(in_cluster(read, place, step, quiet=True), output)
