"""Reports on the practice cloud: whether it runs, its logs, and recordings of other clouds."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zerojhub.report.plain import print, print_data, print_foreign
from zerojhub.report.results import Output, show, table

FOLLOW_INTERVAL = 0.5
"""Seconds between two looks at log files that are followed."""


def show_status(found: Mapping[str, Any], output: Output) -> None:
    """Whether it is running, its networks and its machines; `found` is the status as `practice.control` returns it."""

    def people() -> None:
        if not found["running"]:
            print("not running")
            return
        versions = ", ".join(found["kubernetes"])
        print(f"running on 127.0.0.1:{found['port']} (process {found['pid']}), Kubernetes {versions}")
        print(f"machines {found['network']}, floating IPs {found['public_network']}, profile {found['profile']}")
        print(f"name server {found['gateway']}")
        if found["acme"]:
            print(f"ACME server {found['acme']['url']}, its authorities in {found['acme']['ca']}")
        table(found["machines"], ("name", "address", "id"), empty="no machines")

    show(found, output, people)


def show_environment(variables: Mapping[str, str]) -> None:
    """Shell commands that export the variables."""
    for name, value in variables.items():
        print_data(f"export {name}={shlex.quote(value)}\n")


def show_recording(
    path: Path,
    answers: Mapping[str, int],
    output: Output,
    *,
    silent: Sequence[str],
    left_out: Sequence[str],
    not_shown: Sequence[str],
) -> None:
    """A recorded cloud: where its profile is, the number of answers per service, and what is missing from it.

    `silent`: services that did not answer; `left_out`: services that the practice cloud does not have; `not_shown`: facts
    that the cloud does not show.
    """
    data = {"path": path, "answers": answers, "silent": silent, "left_out": left_out, "not_shown": not_shown}

    def people() -> None:
        print(f"wrote {path}, readable only by you")
        table([{"service": name, "answers": count} for name, count in answers.items()], ("service", "answers"))
        if silent:
            print(f"did not answer: {', '.join(silent)}")
        if left_out:
            print(f"services that the practice cloud does not have: {', '.join(left_out)}")
        for what in not_shown:
            print(f"the cloud shows no {what}: the practice cloud's own is used instead")
        print(f"next: read it, then run: zerojhub practice start --profile {path}")

    show(data, output, people)


def show_faults(faults: Sequence[Mapping[str, Any]], output: Output) -> None:
    """The faults that the practice cloud injects, and how often."""

    def row(fault: Mapping[str, Any]) -> dict[str, object]:
        first, count = fault["first"], fault["count"]
        calls = f"from {first}" if count is None else str(first) if count == 1 else f"{first} to {first + count - 1}"
        if "method" in fault:
            return {**fault, "of": f"{fault['method'] or 'any'} {fault['path'] or '*'}", "calls": calls}
        return {**fault, "of": fault["name"] or "", "calls": "" if fault["name"] else calls}

    columns = ("id", "service", "of", "what", "calls", "matched", "fired")
    show(faults, output, lambda: table([row(fault) for fault in faults], columns, empty="no faults"))


def show_logs(files: Sequence[Path], *, follow: bool) -> None:
    """The contents of log files, each with its path if there are several. `follow`: until interrupted."""
    _print_files(files, str, follow=follow)


def show_audit(file: Path, output: Output, *, follow: bool) -> None:
    """The API requests of the audit log: as text a line each, else the log's own JSON lines."""
    _print_files([file], _audit_line if output is Output.table else str, follow=follow)


def _print_files(files: Sequence[Path], shape: Callable[[str], str], *, follow: bool) -> None:
    streams = [file.open(errors="replace") for file in files if file.exists()]
    while True:
        for stream in streams:
            lines = stream.read().splitlines()
            if lines and len(files) > 1:
                print(f"==> {stream.name} <==")
            for line in lines:
                print_foreign(shape(line))
        if not follow:
            return
        sys.stdout.flush()
        time.sleep(FOLLOW_INTERVAL)


def _audit_line(line: str) -> str:
    entry = json.loads(line)
    fault = f"  (fault: {entry['fault']})" if "fault" in entry else ""
    status = entry["status"] or "---"
    return f"{entry['time']}  {entry['service']:<14} {status}  {entry['method']:<6} {entry['path']}{fault}"
