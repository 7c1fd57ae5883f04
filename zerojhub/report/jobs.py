"""Reports on jobs: lists, what became of one, and what its pods print."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerojhub.report.plain import print, print_foreign
from zerojhub.report.results import Output, show, show_line, table

if TYPE_CHECKING:
    from zerojhub.kube.jobs import JobRow

COLUMNS = ("name", "state", "completions", "active", "failed", "started", "seconds", "detail")
COLOURS = (36, 33, 32, 35, 34, 31)
"""ANSI colour codes, in the order in which pods get them."""
WORK_QUEUE = (
    "{name} is a work queue: {pods} pods without a number of completions. The pods share the work among themselves. "
    "As soon as one of them succeeds no new ones are started, and the job is complete when the others have finished: "
    "a pod should therefore succeed only when no work is left"
)


@dataclass(frozen=True)
class LogLine:
    """A line that a pod printed. `source`: the pod, with the container or the attempt if there are several."""

    source: str
    line: str


class JobLog:
    """Takes what a job's pods print: for people it is printed as it comes, for programs it is kept in `lines`.

    Lines are prefixed with their source if `several` are expected, or come; on a terminal each source has a colour.
    """

    def __init__(self, output: Output, *, several: bool = False):
        self.lines: list[LogLine] = []
        self._printing = output is Output.table
        self._several = several
        self._sources: dict[str, int] = {}
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def __call__(self, source: str, line: str) -> None:
        if self._printing:
            self._print(source, line)
        else:
            self.lines.append(LogLine(source, line))

    def _print(self, source: str, line: str) -> None:
        colour = self._sources.setdefault(source, COLOURS[len(self._sources) % len(COLOURS)])
        if not self._several and len(self._sources) == 1:
            print_foreign(line, flush=True)
            return
        name = f"\x1b[{colour}m{source}\x1b[0m" if self._coloured else source
        print_foreign(f"{name} | {line}", flush=True)


def show_jobs(jobs: Sequence[JobRow], output: Output) -> None:
    """The jobs with their progress, and why one does not start or has failed."""
    rows = [job.as_data() for job in jobs]
    show(rows, output, lambda: table(rows, COLUMNS, empty="no jobs"))


def show_created(job: JobRow, output: Output, *, options: str) -> None:
    """The job, and the command that follows it; `options` are those that lead the command to its cluster."""
    show_line(job.as_data(), output, f"created job {job.name} (follow it with: {follow_command(job.name, options)})")


def show_ended(job: JobRow, log: JobLog | None, output: Output) -> None:
    """The end of a job that was waited for; with a log, people have seen it already."""
    data = job.as_data()

    def people() -> None:
        if log is None:
            print(f"job {job.name} is complete: {data['completions']} succeeded in {job.seconds} s")
        if job.detail:
            print(f"warning: {job.detail}", file=sys.stderr)

    show(data | ({"logs": log.lines} if log else {}), output, people)


def show_failed(job: JobRow, log: JobLog | None, output: Output) -> None:
    """A job that failed, for programs: people get the error."""
    show(job.as_data() | {"logs": log.lines if log else []}, output, lambda: None)


def show_logs(lines: Sequence[LogLine], output: Output) -> None:
    """What a job's pods have printed so far."""

    def people() -> None:
        log = JobLog(output, several=len({line.source for line in lines}) > 1)
        for line in lines:
            log(line.source, line.line)

    show(lines, output, people)


def show_deleted(name: str, namespace: str, output: Output) -> None:
    """That the job was deleted."""
    show_line({"deleted": name, "namespace": namespace}, output, f"deleted job {name} and its pods")


def warn_of_work_queue(name: str, pods: int) -> None:
    """How a job with parallelism but no completions ends, on standard error."""
    print(WORK_QUEUE.format(name=name, pods=pods), file=sys.stderr)


def warn_of_long_name(name: str, longest: int) -> None:
    """That the names of a job's pods do not contain all of its name, on standard error."""
    print(f"warning: the names of its pods will contain only the first {longest} characters of {name}", file=sys.stderr)


def follow_command(name: str, options: str) -> str:
    """The command that follows the job."""
    return f"zerojhub job logs {name} --follow{options}"
