"""The journey: every stage looks, what is missing is done, as much of it at once as can be; and back again.

The order comes from what each stage needs. Nothing is remembered between runs: where things stand is asked of the world.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from zerojhub.deployment import Deployment
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack.session import Cloud
from zerojhub.report import Progress
from zerojhub.stages import STAGES
from zerojhub.stages.base import Found, Missing, Stage, State, Url, Wrong

_current: ContextVar[str] = ContextVar("stage")


class Hub:
    """A deployment under way: what stages are handed. `hub[Need]` is the value that the needed stage found."""

    def __init__(self, deployment: Deployment, progress: Progress, *, delete_data: bool = False):
        self.deployment = deployment
        self.progress = progress
        self.cloud = Cloud(deployment.cloud)
        self.delete_data = delete_data
        self.checked: Sequence[type[Stage]] = STAGES
        """The stages that the preflight asks what would stop them."""
        self.takes_changing = False
        """Will a cluster do that Magnum is just changing? To get in it does; autoscalers change theirs at any time."""
        self.kept: list[dict[str, Any]] = []
        """Volumes that `down` leaves: rows with id, name, size_gb, owner."""
        self._found: dict[type[Stage], Any] = {}
        self._closers: list[Callable[[], Any]] = []

    @property
    def state(self) -> Path:
        """This deployment's own folder (0700): secrets, known hosts, lock, journal."""
        return state_folder(self.deployment)

    def __getitem__(self, stage: type[Stage]) -> Any:
        return self._found[stage]

    def has(self, stage: type[Stage]) -> bool:
        return stage in self._found

    def url(self) -> str | None:
        """Where the hub is found: what the last stage that knows a URL found."""
        return next((value for value in self._found.values() if isinstance(value, Url)), None)

    def say(self, text: str) -> None:
        """What the stage that calls this is doing now."""
        self.progress.say(_current.get(), text)

    def on_close(self, close: Callable[[], Any]) -> None:
        """Have this async function called when the command ends (connections)."""
        self._closers.append(close)

    async def close(self) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(10):
            while self._closers:
                await self._closers.pop()()

    def write_journal(self, event: str, stage: str = "", detail: str = "") -> None:
        """One more line in the journal: for people, never read back."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, "stage": stage, "detail": detail}
        with (self.state / "journal.jsonl").open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(line, ensure_ascii=False) + "\n")


def state_folder(deployment: Deployment) -> Path:
    """The deployment's own folder, made when it is not there (0700)."""
    import platformdirs

    cloud = deployment.cloud or os.environ.get("OS_CLOUD") or "environment"
    folder = platformdirs.user_state_path("zerojhub") / "deployments" / f"{cloud}--{deployment.name}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@dataclass
class Standing:
    """How one stage stands: `state` is found, missing, wrong, waiting (for an earlier one) or failed."""

    stage: type[Stage]
    state: str
    detail: str
    seconds: float = 0.0

    def as_row(self) -> dict[str, Any]:
        return {"name": self.stage.name, "state": self.state, "seconds": round(self.seconds, 2), "detail": self.detail}


def find_stage(name: str) -> type[Stage]:
    """The stage of that name. UserError naming the ones there are."""
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise UserError(f"no stage named {name!r}", hint=f"stages: {', '.join(stage.name for stage in STAGES)}")


def upstream(stage: type[Stage]) -> set[type[Stage]]:
    """Every stage that this one needs, directly or through another."""
    return set(stage.needs).union(*(upstream(need) for need in stage.needs))


def with_needs(wanted: Sequence[type[Stage]]) -> list[type[Stage]]:
    """These stages and all that they need, in the order of STAGES."""
    needed = set(wanted).union(*(upstream(stage) for stage in wanted))
    return [stage for stage in STAGES if stage in needed]


async def look(hub: Hub, stages: Sequence[type[Stage]] = STAGES) -> list[Standing]:
    """How every stage stands, changing nothing."""
    return await _walk(hub, stages, act=frozenset())


async def reach(hub: Hub, *wanted: type[Stage]) -> tuple[Any, ...]:
    """The values of these stages, for commands that work on what is there. ZeroJHubError when it is not."""
    hub.checked, hub.takes_changing = with_needs(wanted), True
    for standing in await look(hub, hub.checked):
        if standing.state != "found":
            raise ZeroJHubError(f"{standing.stage.name}: {standing.detail}", hint="zerojhub up")
    return tuple(hub[stage] for stage in wanted)


async def up(hub: Hub, *, act: Sequence[type[Stage]] = STAGES) -> list[Standing]:
    """Look at all, do what is missing in the stages `act`. Raises the first failure, once what overlaps has been stopped."""
    hub.write_journal("up")
    standings = await _walk(hub, with_needs(act), act=frozenset(act))
    hub.write_journal("up done")
    return standings


async def _walk(hub: Hub, stages: Sequence[type[Stage]], act: frozenset[type[Stage]]) -> list[Standing]:
    """Each stage as a task that starts when its needs have ended; in the order of `stages`, their standings."""
    stages = [stage for stage in stages if stage.applies(hub.deployment)]
    ended = {stage: anyio.Event() for stage in stages}
    standings: dict[type[Stage], Standing] = {}

    async def walk(stage: type[Stage]) -> None:
        for need in stage.needs:
            await ended[need].wait()
        lacking = [need for need in stage.needs if standings[need].state != "found"]
        if lacking:
            standings[stage] = Standing(stage, "waiting", f"after {lacking[0].name}")
        else:
            standings[stage] = await _stand(hub, stage, doing=stage in act, tolerant=not act)
        if stage in act and standings[stage].state != "found":
            names = ", ".join(need.name for need in lacking)
            raise ZeroJHubError(
                f"stage {stage.name} needs {names}, which is not there",
                hint=f"run: zerojhub up --only {lacking[0].name}",
            )
        ended[stage].set()

    try:
        async with anyio.create_task_group() as tasks:
            for stage in stages:
                tasks.start_soon(walk, stage)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    return [standings[stage] for stage in stages]


async def _stand(hub: Hub, stage_class: type[Stage], *, doing: bool, tolerant: bool) -> Standing:
    """Look, do if asked and needed, look again."""
    stage, name = stage_class(), stage_class.name
    with _step(hub, name) as step:
        try:
            state = await stage.look(hub)
            if doing and not isinstance(state, Found):
                hub.write_journal("do", name, _detail(state))
                hub.say(_detail(state))
                await stage.do(hub, state)
                step.outcome = "done"
                state = await stage.look(hub)
                if not isinstance(state, Found):
                    raise ZeroJHubError(f"stage {name} ran, and still: {_detail(state)}")
                hub.write_journal("done", name, state.detail)
        except ZeroJHubError as error:
            if not tolerant or isinstance(error, UserError):
                raise
            step.outcome, step.detail = "failed", str(error)
            return Standing(stage_class, "failed", str(error), step.seconds())
        step.detail = _detail(state)
        if isinstance(state, Found):
            hub._found[stage_class] = state.value
        else:
            step.outcome = "kept"
        kind = {Found: "found", Missing: "missing", Wrong: "wrong"}[type(state)]
        return Standing(stage_class, kind, _detail(state), step.seconds())


async def down(hub: Hub) -> None:
    """Take away what is ours, last stage first. A part that cannot be reached any more does not stop the rest."""
    hub.write_journal("down")
    standings = {standing.stage: standing for standing in await look(hub)}
    for stage in reversed(STAGES):
        if stage.undo is Stage.undo:
            continue
        with _step(hub, stage.name) as step:
            lacking = [need for need in stage.needs if not hub.has(need)]
            if lacking:
                step.outcome, step.detail = "kept", f"nothing to take away: {standings[lacking[0]].detail}"
                continue
            await stage().undo(hub)
            step.outcome = "removed"
    hub.write_journal("down done")


class _Step:
    outcome, detail = "there", ""

    def __init__(self, name: str, started: float):
        self.name, self.started = name, started

    def seconds(self) -> float:
        return time.monotonic() - self.started


@contextmanager
def _step(hub: Hub, name: str):
    """A step of the progress display that is ended whatever happens; failures are journalled."""
    token = _current.set(name)
    step = _Step(name, time.monotonic())
    hub.progress.start(name)
    try:
        yield step
    except ZeroJHubError as error:
        step.outcome, step.detail = "failed", ""
        hub.write_journal("failed", name, str(error))
        raise
    except BaseException:
        step.outcome, step.detail = "kept", "stopped"
        raise
    finally:
        hub.progress.end(name, step.outcome, step.detail)
        _current.reset(token)


def _detail(state: State) -> str:
    match state:
        case Found():
            return state.detail
        case Missing():
            return state.why
        case Wrong():
            return state.how


def _first(group: BaseExceptionGroup) -> BaseException:
    """The one to report: what stopped the others, not their being stopped."""
    for error in group.exceptions:
        inner = _first(error) if isinstance(error, BaseExceptionGroup) else error
        if not isinstance(inner, anyio.get_cancelled_exc_class()):
            return inner
    return group.exceptions[0]
