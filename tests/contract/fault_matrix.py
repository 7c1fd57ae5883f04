"""Every fault at the first, a middle and the last call of commands to every OpenStack service.

`python -m tests.contract.fault_matrix [COMMAND...]` prints how many faults each command survived.
A command runs once without faults, to learn its calls and what it leaves in the cloud; then in a new cloud for each fault.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import anyio
from starlette.types import ASGIApp

from tests.command import Ended, run
from tests.contract.clouds import Site, until
from tests.contract.conftest import practice
from zerojhub.practice.cloud.services import roots
from zerojhub.practice.cloud.snapshot import Snapshot
from zerojhub.practice.faults import Fault, What

SERVICES = sorted({root.strip("/") for root in roots().values()})
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDy0PUwIrTeKyXH4wWYoc1IiJ/bFVqFTTwGfD0cGGZVq me@here"
HUB = """\
name: mine
cloud: practice
cluster:
  workers: 1
  template: {name: for-mine, image: fedora-coreos-38, external_network: public, labels: {kube_tag: v1.34.4}}
hub: {open_to_anyone: true}
"""
STACK = """\
heat_template_version: 2018-08-31
resources:
  template:
    type: OS::Magnum::ClusterTemplate
    properties: {name: in-stack, coe: kubernetes, image: fedora-coreos-38, external_network: public, docker_volume_size: 5}
outputs:
  template: {value: {get_resource: template}}
"""
UP = tuple(("up", "-v", "--only", stage) for stage in ("keypair", "template", "floating-ip", "cluster"))
TEMPLATE = ("template", "create", "small", "--image", "fedora-coreos-38", "--external-network", "public")
CREATE = ("cluster", "create", "k8s", "--template", "kubernetes-v1.34.4", "--keypair", "mykey")

CALLED = {"volume": "block-storage"}
"""What messages call a service, if not as the path of its URL."""
SILENT = {What.slow, What.token_expired, What.token_revoked, What.truncated_body, What.truncated_json}
"""Faults that may pass without a retry: the status of a refusal is enough, whatever is left of its body."""

Command = tuple[str, ...]


@dataclass(frozen=True)
class Scenario:
    """Commands of a user, and those that must have run before."""

    commands: tuple[Command, ...]
    before: tuple[Command, ...] = ()


SCENARIOS = {
    "up": Scenario(UP),
    "up again": Scenario(UP, before=UP),
    "down": Scenario((("down", "--yes"),), before=UP),
    "template create": Scenario((TEMPLATE,)),
    "cluster create": Scenario((CREATE,)),
    "cluster expose": Scenario((("cluster", "expose", "k8s"),), before=(CREATE,)),
    "cluster resize": Scenario((("cluster", "resize", "k8s", "2"),), before=(CREATE,)),
    "cluster delete": Scenario((("cluster", "delete", "k8s", "--yes"),), before=(CREATE,)),
    "nodegroup create": Scenario((("nodegroup", "create", "k8s", "gpu"),), before=(CREATE,)),
    "heat create": Scenario((("heat", "create", "net", "-t", "stack.yaml"),)),
    "heat show": Scenario((("heat", "show", "net"),), before=(("heat", "create", "net", "-t", "stack.yaml"),)),
    "heat delete": Scenario(
        (("heat", "delete", "net", "--yes"),), before=(("heat", "create", "net", "-t", "stack.yaml"),)
    ),
}


@dataclass(frozen=True)
class Case:
    """A fault that each service has once, at this call to it."""

    scenario: str
    calls: Mapping[str, int]
    what: What
    retry_after: int | None = None

    def __str__(self) -> str:
        after = f" with Retry-After {self.retry_after}" if self.retry_after is not None else ""
        where = ", ".join(f"{call} to {service}" for service, call in self.calls.items())
        return f"{self.scenario}: {self.what}{after} at calls {where}"


@dataclass
class World:
    """A new cloud, and a folder to work in."""

    site: Site
    folder: Path

    def run(self, *command: str) -> Ended:
        with contextlib.chdir(self.folder):
            return run(*command)

    def settle(self) -> None:
        """Wait until the cloud has finished what it was asked for."""
        store = self.site.store
        until(lambda: not any("PROGRESS" in each["status"] for each in store.clusters.values()))
        until(lambda: not any("PROGRESS" in each["status"] for each in store.stacks.values()))

    def contents(self) -> dict[str, object]:
        """How much of everything there is, but for the records of logins."""
        self.settle()
        tables = {name: table for name, table in vars(self.site.store).items() if isinstance(table, dict)}
        counts: dict[str, object] = {name: len(table) for name, table in tables.items() if name != "tokens"}
        nodes = sorted(each["node_count"] for each in self.site.store.clusters.values())
        attached = sorted(bool(each["port_id"]) for each in self.site.store.floatingips.values())
        return counts | {"machines": len(self.site.ground.machines), "nodes": nodes, "attached": attached}


@contextlib.contextmanager
def compressed(patience: float) -> Iterator[None]:
    """Within: seconds that the program would wait are hundredths, and an answer may take `patience` seconds."""
    from zerojhub import lock, retry, waiting
    from zerojhub.cluster import usable
    from zerojhub.openstack import session
    from zerojhub.report import progress

    sleep = anyio.sleep

    async def nap(seconds: float) -> None:
        await sleep(min(seconds / 100, 0.05))

    with (
        mock.patch.object(anyio, "sleep", nap),
        mock.patch.object(retry, "sleep", nap),
        mock.patch.object(waiting, "sleep", nap),
        mock.patch.object(lock, "sleep", sleep),  # or it reports all the time, while the calls are counted
        mock.patch.object(session, "READ_TIMEOUT", patience),
        mock.patch.object(session, "WRITE_TIMEOUT", patience),
        mock.patch.object(usable, "CONNECT_TIMEOUT", 1.0),
        mock.patch.object(progress, "QUIET_SPELL", 0.0),
    ):
        yield


@contextlib.contextmanager
def world(
    scenario: Scenario, what: What | None = None, around: Callable[[ASGIApp], ASGIApp] = lambda app: app
) -> Iterator[World]:
    """A new cloud in which the scenario can begin, to be hit by this fault; with what is put `around` its APIs."""
    begun = ready(scenario.before) if scenario.before else None
    with tempfile.TemporaryDirectory() as name, compressed(1.0 if what is What.hang else 20.0):
        folder = Path(name)
        if begun:
            shutil.copytree(begun.folder.name, folder, dirs_exist_ok=True)
        (folder / "hub.yaml").write_text(HUB)
        (folder / "stack.yaml").write_text(STACK)
        kept: Snapshot | None = pickle.loads(begun.cloud) if begun else None
        with practice(folder, around=around, kept=kept) as site:
            site.ground.pause = 0.1  # so that a command sees Magnum at work
            environment = {
                **os.environ,
                "OS_CLIENT_CONFIG_FILE": str(site.clouds),
                "OS_CLOUD": "practice",
                "XDG_STATE_HOME": str(folder / "state"),
                "HOME": name,
            }
            with mock.patch.dict(os.environ, environment), site.client("/compute/v2.1") as compute:
                if not begun:
                    keypair = {"name": "mykey", "public_key": KEY}
                    compute.post("/os-keypairs", json={"keypair": keypair}).raise_for_status()
                yield World(site, folder)


@dataclass(frozen=True)
class Begun:
    """What commands have left, for other worlds to begin with."""

    cloud: bytes
    """A pickled Snapshot."""
    folder: tempfile.TemporaryDirectory[str]
    """With the folder's content."""


@functools.cache
def ready(commands: tuple[Command, ...]) -> Begun:
    """What these commands leave in a new cloud, and in the folder: many scenarios begin with the same ones."""
    with world(Scenario(())) as here:
        for command in commands:
            done = here.run(*command)
            assert done.code == 0, done.stderr
        here.settle()
        kept = tempfile.TemporaryDirectory()
        shutil.copytree(here.folder, kept.name, dirs_exist_ok=True)
        return Begun(pickle.dumps(Snapshot(here.site.store, here.site.ground.state())), kept)


@functools.cache
def clean(name: str) -> tuple[dict[str, int], dict[str, object]]:
    """The calls to each service in a run without faults, and what is in the cloud afterwards."""
    scenario = SCENARIOS[name]
    with world(scenario) as here:
        never = [here.site.faults.add(Fault(service, What.slow, first=sys.maxsize)) for service in SERVICES]
        for command in scenario.commands:
            done = here.run(*command)
            assert done.code == 0, done.stderr
        return {fault.service: fault.matched for fault in never}, here.contents()


def chosen(number: int) -> list[int]:
    """The first, a middle and the last of so many calls."""
    return sorted({1, (number + 1) // 2, number}) if number else []


def cases(name: str) -> Iterator[Case]:
    """Each fault at the first, a middle and the last call to each service."""
    calls = {service: number for service, number in clean(name)[0].items() if number}
    for place in (0, 1, -1):
        at = {service: chosen(number)[place % len(chosen(number))] for service, number in calls.items()}
        for what in What:
            yield Case(name, at, what)
        yield Case(name, at, What.unavailable, retry_after=2)


def problem(case: Case) -> str | None:
    """What went wrong, from the user's view; None if the command survived."""
    left = case.calls
    # Without the fault the command may have looked at a cluster a few times more, above all on a busy machine.
    for fewer in (0, 1, 2, 4, 8):
        left, wrong = attempt(case, {service: max(call - fewer, 1) for service, call in left.items()})
        if wrong or not left:
            return wrong
    return f"the command did not get to {left}"


def attempt(case: Case, calls: Mapping[str, int]) -> tuple[Mapping[str, int], str | None]:
    """The calls that there were not this time, and what went wrong."""
    _, wanted = clean(case.scenario)
    with world(SCENARIOS[case.scenario], case.what) as here:
        seconds = 0.1 if case.what is What.slow else None
        faults = [
            here.site.faults.add(Fault(service, case.what, first=call, retry_after=case.retry_after, seconds=seconds))
            for service, call in calls.items()
        ]
        shown = ""
        for command in SCENARIOS[case.scenario].commands:
            done = here.run(*command)
            shown += done.stderr
            if done.code:
                return {}, f"exit code {done.code}: {' | '.join(done.errors) or done.stderr[-500:]}"
        left = here.contents()
        if different := {name: (left[name], there) for name, there in wanted.items() if left[name] != there}:
            return {}, f"left {different} (with and without the fault)"
        fired = {CALLED.get(fault.service, fault.service) for fault in faults if fault.fired}
        told = set(re.findall(r"([\w-]+): .*(?:retrying|checking) in \d", shown))
        if case.what not in SILENT and fired - told:
            return {}, f"nothing was said of {fired - told}: {shown}"
        return {fault.service: calls[fault.service] for fault in faults if not fault.fired}, None


def table(names: list[str]) -> Iterator[str]:
    """How many of the faults of each kind each command survived, and why it did not survive the others."""
    problems: list[str] = []
    yield f"{'':<17}" + "".join(f"{what:>16}" for what in What)
    for name in names:
        tried, survived = Counter[What](), Counter[What]()
        for case in cases(name):
            why = problem(case)
            tried[case.what] += len(case.calls)
            survived[case.what] += 0 if why else len(case.calls)
            problems += [f"{case}: {why}"] if why else []
        yield f"{name:<17}" + "".join(f"{f'{survived[what]} of {tried[what]}':>16}" for what in What)
    yield from problems


if __name__ == "__main__":
    for line in table(sys.argv[1:] or list(SCENARIOS)):
        print(line, flush=True)
