"""Commands that are killed with `kill -9` at any of their requests and at any of their steps, and what the next run makes of it.

A command runs once undisturbed, to learn its requests, its steps and what it leaves in the cloud; then in a new cloud for each
moment at which it is killed. A process of its own runs it, forked from one in which everything is loaded.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from unittest import mock

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.command import Ended
from tests.contract.fault_matrix import CREATE, SCENARIOS, UP, Command, Scenario, World, compressed, world

PATIENCE = 120
"""Seconds that a command may take on a busy machine."""
SEED = "ZEROJHUB_TEST_SEED"
"""The environment variable that repeats a random choice of moments."""

OLD = ("cluster", "create", "k8s", "--template", "kubernetes-v1.14.3", "--keypair", "mykey")
STACK = ("heat", "create", "net", "-t", "stack.yaml")
KILLED = {
    "up": Scenario((("up",),)),
    "down": Scenario((("down", "--yes"),), before=UP),
    "cluster create": Scenario((CREATE,)),
    "cluster expose": SCENARIOS["cluster expose"],
    "cluster resize": SCENARIOS["cluster resize"],
    "cluster upgrade": Scenario((("cluster", "upgrade", "k8s", "--kube-tag", "v1.15.7", "--yes"),), before=(OLD,)),
    "cluster delete": SCENARIOS["cluster delete"],
    "nodegroup create": SCENARIOS["nodegroup create"],
    "heat create": SCENARIOS["heat create"],
    "heat delete": SCENARIOS["heat delete"],
}
ALREADY_DONE = {
    "cluster create": "cluster 'k8s' already exists (see it: zerojhub cluster show k8s;",
    "cluster upgrade": "the cluster already has Kubernetes v1.15.7",
    "cluster delete": "no cluster named 'k8s'",
    "nodegroup create": "has a node group named 'gpu'",
    "heat create": "already exists. (see it: zerojhub heat show net)",
    "heat delete": "no stack named 'net'",
}
"""How a command is refused that the killed one, or the cloud, has completed."""
PATIENT = {"up", "down", "cluster delete", "heat delete"}
"""The commands that go on with what Magnum or Heat has not finished yet. The others say that it has to be waited for."""

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.contract.kills", "openstack", "keystoneauth1.identity.v3", "zerojhub.stages"])


class Reaper:
    """ASGI middleware that kills a process at one of its requests: before the cloud has it, or when the cloud has done it."""

    def __init__(self, app: ASGIApp):
        self.app, self.requests = app, 0
        self._process: int | None = None
        self._at, self._done = 0, False

    def watch(self, process: int | None, at: int = 0, *, done: bool = False) -> None:
        """Count the requests from 1, and kill the process at that one; if it is `done`, only after the cloud has done it."""
        self._process, self._at, self._done, self.requests = process, at, done, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.requests += 1
        if not self._process or self.requests != self._at:
            await self.app(scope, receive, send)
            return
        process, self._process = self._process, None

        async def drop(message: Message) -> None:
            pass

        if self._done:
            await self.app(scope, receive, drop)
        os.kill(process, signal.SIGKILL)
        while (await receive())["type"] != "http.disconnect":
            pass


@dataclass(frozen=True)
class Moment:
    """When a command is killed: at a request, before or, if `done`, after the cloud has done it; or after a step.

    A step is a line of the journal: a stage begins to do something, or has done it.
    """

    scenario: str
    request: int = 0
    done: bool = False
    step: int = 0

    def __str__(self) -> str:
        if self.step:
            return f"`{self.scenario}` killed after step {self.step}"
        return (
            f"`{self.scenario}` killed {'after' if self.done else 'before'} the cloud has done request {self.request}"
        )


class Killed(Exception):
    """The command did not end by itself."""


class NoNodes:
    """The Kubernetes API of a cluster without machines."""

    async def list(self, kind: object, *arguments: object, **options: object) -> list[object]:
        return []


def begin(command: Command, folder: Path, environment: dict[str, str], output: Path, step: int) -> None:
    """In a process of its own: run the command; kill the process after the step of that number, counted from 1."""
    from tests.command import run
    from zerojhub import graph, stages
    from zerojhub.kube.reach import Reach
    from zerojhub.openstack import magnum
    from zerojhub.run import Run

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    steps, write = itertools.count(1), Run.write_journal

    def write_and_die(self: Run, *arguments: Any, **options: Any) -> None:
        write(self, *arguments, **options)
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    async def reach(here: Run, *wanted: object) -> None:
        cluster = await magnum.get_cluster(here.cloud, here.deployment.cluster_name)
        here[stages.Access] = Reach(cast(Any, None), "", cast(Any, NoNodes()), None, cluster["coe_version"] or "")

    # What comes after the cluster needs machines.
    there = stages.STAGES[: stages.STAGES.index(stages.Cluster) + 1]
    with (
        compressed(20.0),
        mock.patch.object(Run, "write_journal", write_and_die),
        mock.patch.object(stages, "STAGES", there),
        mock.patch.object(graph, "require", reach),
    ):
        ended = run(*command)
    output.write_text(json.dumps([ended.code, ended.stdout, ended.stderr, next(steps) - 1]))


@dataclass
class Machine:
    """Runs commands in processes of their own, which can be killed."""

    world: World
    reaper: Reaper
    steps: int = 0
    """How many steps the last command had."""

    def run(self, command: Command, moment: Moment | None = None) -> Ended:
        """Raises Killed if it was killed."""
        output = self.world.folder.parent / f"{self.world.folder.name}.json"
        step = moment.step if moment else 0
        process = PROCESSES.Process(
            target=begin, args=(command, self.world.folder, dict(os.environ), output, step), daemon=True
        )
        process.start()
        self.reaper.watch(process.pid, moment.request if moment else 0, done=bool(moment and moment.done))
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise AssertionError(f"`{' '.join(command)}` has not ended after {PATIENCE} s")
        if process.exitcode == -signal.SIGKILL:
            raise Killed
        assert process.exitcode == 0, f"`{' '.join(command)}`: exit code {process.exitcode} of the process"
        code, stdout, stderr, self.steps = json.loads(output.read_text())
        output.unlink()
        return Ended(code, stdout, stderr)

    def files(self) -> dict[str, bytes]:
        """What the user has written, and what must not be made again: secrets."""
        kept = [self.world.folder / "hub.yaml", self.world.folder / "stack.yaml"]
        kept += (self.world.folder / "state").rglob("id_ed25519")
        return {str(path.relative_to(self.world.folder)): path.read_bytes() for path in kept}

    def names(self) -> set[str]:
        """Of the files of the program's own."""
        return {path.name for path in (self.world.folder / "state").rglob("*")}


@contextlib.contextmanager
def machine(name: str) -> Iterator[Machine]:
    reapers: list[Reaper] = []

    def around(app: ASGIApp) -> ASGIApp:
        reapers.append(Reaper(app))
        return reapers[0]

    with world(KILLED[name], around=around) as here:
        here.site.ground.pause = 0.05
        yield Machine(here, reapers[0])


@dataclass(frozen=True)
class Undisturbed:
    """A command that nobody kills: its requests and steps, and what it leaves in the cloud and here."""

    requests: int
    steps: int
    contents: dict[str, object]
    names: set[str]


@functools.cache
def undisturbed(name: str) -> Undisturbed:
    with machine(name) as here:
        [command] = KILLED[name].commands
        done = here.run(command)
        assert done.code == 0, done.stderr
        return Undisturbed(here.reaper.requests, here.steps, here.world.contents(), here.names())


def moments(name: str) -> list[Moment]:
    """All of them."""
    clean = undisturbed(name)
    requests = [Moment(name, number, done) for number in range(1, clean.requests + 1) for done in (False, True)]
    return [*requests, *(Moment(name, step=number) for number in range(1, clean.steps + 1))]


def problem(moment: Moment) -> str | None:
    """What the user would notice after the next run; None if nothing."""
    clean = undisturbed(moment.scenario)
    [command] = KILLED[moment.scenario].commands
    with machine(moment.scenario) as here:
        before = here.files()
        try:
            here.run(command, moment)
        except Killed:
            pass
        else:  # it needed fewer requests than the undisturbed one, which waited a little longer
            return None if here.world.contents() == clean.contents else "it left something else without being killed"
        if moment.scenario not in PATIENT:
            here.world.settle()
        secrets = here.files()
        if any(secrets.get(name) != content for name, content in before.items() if name in ("hub.yaml", "stack.yaml")):
            return "a file of the user's was changed"
        again = here.run(command)
        refused = again.code == 2 and ALREADY_DONE.get(moment.scenario, "\0") in again.stderr
        if again.code and not refused:
            return f"the next one ended with exit code {again.code}: {again.stderr[-800:]}"
        return difference(here, clean, secrets)


def difference(here: Machine, clean: Undisturbed, secrets: dict[str, bytes]) -> str | None:
    """How what there is now differs from what an undisturbed command leaves."""
    left, there = here.world.contents(), here.files()
    different = {name: (left[name], count) for name, count in clean.contents.items() if left[name] != count}
    if different:
        return f"it left {different} (with and without the kill)"
    if any(there[name] != content for name, content in secrets.items() if name in there):
        return "a secret was made again"
    if here.names() != clean.names:
        return f"it left other files: {here.names() ^ clean.names}"
    for name in [name for name in there if name.endswith("id_ed25519")]:
        [keypair] = [each for each in here.world.site.store.keypairs.values() if each["name"] == "zerojhub-mine"]
        if public_key(there[name]) not in keypair["public_key"]:
            return "the keypair in the cloud is not that of the private key here"
    return None


def public_key(private: bytes) -> str:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_ssh_private_key,
    )

    return (
        load_ssh_private_key(private, None).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    )


def sample(number: int, seed: int) -> list[Moment]:
    """So many moments of all commands, each command about as often as the others."""
    chosen, chance = [], random.Random(seed)
    names = [name for _ in range(-(-number // len(KILLED))) for name in chance.sample(list(KILLED), len(KILLED))]
    for name in names[:number]:
        there = moments(name)
        # Half of them at a stage's boundary.
        steps = [moment for moment in there if moment.step]
        chosen.append(chance.choice(steps if steps and chance.random() < 0.5 else there))
    return chosen
