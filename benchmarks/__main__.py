"""Run the benchmarks, and print a table or JSON; see the package's docstring."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import wait
from benchmarks.chart import draw
from benchmarks.processes import BIN, Command, Sample, in_turns
from tests.contract.fault_matrix import CREATE, UP, Scenario, world
from zerojhub.report.results import Output, show, table

MANY = 1000
"""Clusters in the project of the long list."""


@dataclass(frozen=True)
class Pair:
    """What is compared: commands of zerojhub's, and those that a person would run instead."""

    what: str
    ours: Sequence[Command]
    theirs: Sequence[Command]


@dataclass(frozen=True)
class Row:
    """The medians of a pair."""

    what: str
    instead: str
    ours: Sample
    theirs: Sample

    @property
    def times(self) -> float:
        """How many times as fast ours is."""
        return self.theirs.seconds / self.ours.seconds


def openstack(*commands: str) -> list[Command]:
    return [["openstack", *command.split()] for command in commands]


ALONE = [
    Pair("zerojhub --help", [["zerojhub", "--help"]], openstack("--help")),
    Pair("zerojhub cluster list", [["zerojhub", "cluster", "list"]], openstack("coe cluster list")),
    Pair("zerojhub template list", [["zerojhub", "template", "list"]], openstack("coe cluster template list")),
    Pair("zerojhub cluster show k8s", [["zerojhub", "cluster", "show", "k8s"]], openstack("coe cluster show k8s")),
    Pair(
        "up again, to the cluster",
        [["zerojhub", "up", "--only", "cluster"]],
        openstack(
            "keypair list", "coe cluster template list", "floating ip list", "coe cluster list", "coe cluster show mine",
            "server list",
        ),
    ),
]  # fmt: skip
LONG = [
    Pair(f"list {MANY} clusters", [["zerojhub", "cluster", "list"]], openstack("coe cluster list")),
    Pair(f"{MANY} as JSON", [["zerojhub", "cluster", "list", "-o", "json"]], openstack("coe cluster list -f json")),
]


def of_deployment(file: str, cluster: str, namespace: str) -> list[Pair]:
    """What a person would look at to know that the hub is as it should be: the steps of Magnum's user guide, each read."""

    def kubectl(words: str) -> Command:
        return ["zerojhub", "cluster", "ssh", "-q", cluster, "--", "sudo", "kubectl", *words.split()]

    by_hand = [
        *openstack("keypair list", "coe cluster template list", "coe cluster show " + cluster, "floating ip list", "server list"),
        *map(kubectl, ("get nodes", "get storageclass", f"-n {namespace} get pods", f"-n {namespace} get pvc")),
        kubectl(f"-n {namespace} get service proxy-public"),
        *openstack("loadbalancer list"),
        ["zerojhub", "hub", "check", "-q", "-f", file],
    ]  # fmt: skip
    return [
        Pair("up on a finished hub", [["zerojhub", "up", "-q", "-f", file]], by_hand),
        Pair("status of a hub", [["zerojhub", "status", "-f", file]], by_hand[:-1]),
    ]


def measured(pairs: Sequence[Pair], runs: int, folder: Path | None = None) -> Iterator[Row]:
    for pair in pairs:
        print(f"… {pair.what}", file=sys.stderr)
        ours, theirs = in_turns([pair.ours, pair.theirs], runs, folder=folder)
        instead = " ".join(pair.theirs[0]) if len(pair.theirs) == 1 else f"{len(pair.theirs)} commands"
        yield Row(pair.what, instead, ours, theirs)


def on_the_apis(runs: int) -> Iterator[Row]:
    """Everything that needs no machines."""
    with world(Scenario((), before=(*UP, CREATE))) as here:
        yield from measured(ALONE, runs, here.folder)
        clusters = here.site.store.clusters
        ident, given = next(iter(clusters.items()))
        for number in range(MANY - len(clusters)):
            uuid = f"{number:08x}{ident[8:]}"
            clusters[uuid] = {**given, "uuid": uuid, "name": f"k8s-{number}"}
        yield from measured(LONG, runs, here.folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each command, of which the median counts")
    parser.add_argument("--deployment", metavar="FILE", help="also with this deployment, whose hub is up")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="write the chart to this SVG file")
    parser.add_argument("-o", "--output", type=Output, choices=list(Output), default=Output.table)
    given = parser.parse_args()
    rows = [*on_the_apis(given.runs)]
    if given.deployment:
        deployment = json.loads(_read("zerojhub", "show", "-f", given.deployment, "-o", "json"))
        pairs = of_deployment(given.deployment, deployment["cluster"], deployment["namespace"])
        rows += measured(pairs, given.runs)
    print("… the wait for a cluster", file=sys.stderr)
    waits = {"nobody knows how long": wait.measure(), "another took as long": wait.measure(known=True)}
    if given.chart:
        given.chart.write_text(draw([(row.what, row.ours.seconds, row.instead, row.theirs.seconds) for row in rows]))
    data = {
        "commands": [{**asdict(row), "times": round(row.times, 1)} for row in rows],
        "waits": {name: asdict(each) for name, each in waits.items()},
    }
    show(data, given.output, lambda: people(rows, waits))


def people(rows: Sequence[Row], waits: Mapping[str, wait.Wait]) -> None:
    """The table."""

    def cells(sample: Sample) -> list[str]:
        return [f"{sample.seconds:.2f} s", f"{sample.processor:.2f} s", f"{sample.megabytes:.0f} MB"]

    columns = ("zerojhub", "time", "processor", "memory", "instead", "time ", "processor ", "memory ", "faster")
    lines = [[row.what, *cells(row.ours), row.instead, *cells(row.theirs), f"{row.times:.1f} times"] for row in rows]
    table([dict(zip(columns, line, strict=True)) for line in lines], columns)
    for name, waited in waits.items():
        print(
            f"a cluster of {wait.CLOUD // 60} minutes, {name}: noticed {waited.noticed:.1f} s after it was complete,"
            f" {waited.calls} calls meanwhile (the goal: {wait.GOAL}), {waited.others} before and after, {waited.lock} for"
            f" the lock, {waited.overhead:.2%} more than the cloud takes"
        )


def _read(*words: str) -> str:
    return subprocess.run([BIN / words[0], *words[1:]], capture_output=True, text=True, check=True, timeout=120).stdout


if __name__ == "__main__":
    main()
