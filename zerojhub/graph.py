"""The engine: look at every stage, do what is missing, or undo it all, as concurrently as the stages' needs allow.

It is handed the stages and knows none of them by name. It is the only place that decides order, and it remembers nothing
between runs: every walk looks at the world.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import anyio

from zerojhub import retry
from zerojhub.errors import Problems, Unavailable, UserError, ZeroJHubError
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.tasks import task_group

T = TypeVar("T")
AnyStage: TypeAlias = type[Stage[Any]]
Result = Literal["found", "missing", "wrong", "waiting", "failed"]


class _Waited(Exception):
    """Another command had the lock meanwhile: whatever was seen before may have changed."""


@dataclass(frozen=True)
class StageStatus:
    """How a walk left one stage. `waiting`: a stage that it needs has nothing for it; `failed`: looking at it failed."""

    stage: AnyStage
    state: Result
    detail: str
    seconds: float = 0.0
    hint: str | None = None
    failure: ZeroJHubError | None = None

    def error(self) -> ZeroJHubError:
        """The error for a command that needs what this stage does not have; a failure has a hint of its own."""
        hint = self.hint or (None if self.state == "failed" else "zerojhub up")
        return ZeroJHubError(f"{self.stage.name}: {self.detail}", hint=hint)


def find_stage(stages: Sequence[AnyStage], name: str) -> AnyStage:
    """The stage of that name. UserError with the names there are."""
    for stage in stages:
        if stage.name == name:
            return stage
    raise UserError(f"no stage named {name!r}", hint=f"stages: {', '.join(stage.name for stage in stages)}")


def upstream(stage: AnyStage) -> set[AnyStage]:
    """Every stage that this one needs, directly or through another."""
    return set(stage.needs).union(*(upstream(need) for need in stage.needs))


def downstream(stages: Sequence[AnyStage], first: AnyStage) -> list[AnyStage]:
    """`first` and every stage that needs it, directly or through another."""
    return [stage for stage in stages if stage is first or first in upstream(stage)]


def with_needs(wanted: Sequence[AnyStage]) -> list[AnyStage]:
    """These stages and all that they need, each after its needs, otherwise in the given order."""
    ordered: dict[AnyStage, None] = {}

    def add(stage: AnyStage) -> None:
        for need in stage.needs:
            add(need)
        ordered.setdefault(stage)

    for stage in wanted:
        add(stage)
    return list(ordered)


async def look(run: Run, stages: Sequence[AnyStage], *, checking: bool = True) -> list[StageStatus]:
    """The status of every stage, in the given order. Changes nothing. Raises UserError for a mistake of the user's.

    `checking`: ask the stages what would stop them, too.
    """
    return await _walk(run, stages, act=frozenset(), checking=checking)


async def require(run: Run, *wanted: AnyStage) -> None:
    """Look until `run[stage]` is there for each of these stages. ZeroJHubError for the first stage that has nothing."""
    for status in await look(run, with_needs(wanted)):
        if status.stage not in run:
            raise status.error()


async def ensure(run: Run, stage: AnyStage) -> None:
    """Do what is missing in this stage alone; the run has the values of the stages that it needs."""
    await take_lock(run)
    await _visit(run, stage, (), doing=True, tolerant=False)


async def up(run: Run, stages: Sequence[AnyStage], *, act: Collection[AnyStage] | None = None) -> list[StageStatus]:
    """Look at the stages, and do what is missing in those of `act` (all when None).

    Takes the deployment's lock before the first change. Raises the first failure, after the stages beside it have been
    cancelled.
    """
    run.write_journal("up")
    changing = frozenset(stages if act is None else act)
    try:
        statuses = await _walk(run, stages, act=changing)
    except _Waited:
        run.forget_everything()
        statuses = await _walk(run, stages, act=changing)
    run.write_journal("up done")
    return statuses


async def down(
    run: Run, stages: Sequence[AnyStage], teardown: Teardown, *, act: Collection[AnyStage] | None = None
) -> None:
    """Undo the stages in reverse order, or only those of `act`. Takes the deployment's lock first.

    One whose needs are gone has nothing left to undo, and does not stop the rest.

    Raises the first failure, and Unavailable when a service kept failing: what is left is not known then.
    """
    run.write_journal("down")
    await take_lock(run)
    # What would stop `up`, such as a chart that cannot be downloaded, must not keep anything from being removed.
    looked = await look(run, stages, checking=False)
    statuses = {status.stage: status for status in looked}
    for status in statuses.values():
        if isinstance(status.failure, Unavailable):
            raise status.failure
    for stage in reversed(with_needs(stages)):
        if stage.undo is Stage.undo or (act is not None and stage not in act):
            continue
        with step(run, stage.name) as shown:
            needs = stage.needs if stage.undo_needs is None else stage.undo_needs
            lacking = [need for need in needs if need not in run]
            if lacking:
                shown.outcome, shown.detail = "kept", f"nothing to remove: {statuses[lacking[0]].detail}"
                continue
            await _undo(run, stage(), teardown)
            shown.outcome = "removed"
    run.write_journal("down done")


async def take_lock(run: Run) -> None:
    """Have the deployment's lock when this returns. While another command has it, that is a step of the progress display."""
    if run.may_change:
        return
    with ExitStack() as steps:
        shown: list[Step] = []

        def say(text: str) -> None:
            if not shown:
                shown.append(steps.enter_context(step(run, "lock")))
            run.progress.say("lock", text)

        await run.take_lock(say)
        for each in shown:
            each.outcome = "done"


async def _undo(run: Run, stage: Stage[Any], teardown: Teardown) -> None:
    """Undo it; again if a request's outcome is unknown, because an undo removes what it finds."""

    async def look() -> None:
        run.forget_answers()

    await retry.settle(lambda: stage.undo(run, teardown), look)


async def _walk(
    run: Run, stages: Sequence[AnyStage], act: frozenset[AnyStage], *, checking: bool = True
) -> list[StageStatus]:
    """Visit each stage in a task of its own, which starts when the stages that it needs or is `after` have ended.

    `checking`: ask the stages what would stop them.
    """
    stages = [stage for stage in stages if stage.applies(run.deployment)]
    checked = stages if checking else []
    ended = {stage: anyio.Event() for stage in stages}
    statuses: dict[AnyStage, StageStatus] = {}

    async def walk(stage: AnyStage) -> None:
        for before in (*stage.needs, *(other for other in stage.after if other in ended)):
            await ended[before].wait()
        lacking = [need for need in stage.needs if statuses[need].state != "found"]
        if stage in act and lacking:
            needed = ", ".join(need.name for need in lacking)
            raise ZeroJHubError(
                f"stage {stage.name} needs {needed}, which is not there",
                hint=f"run: zerojhub up --only {lacking[0].name}",
            )
        # A look goes on past a stage that is not as wanted, as long as it has a value.
        without = [need for need in stage.needs if need not in run]
        if without:
            statuses[stage] = StageStatus(stage, "waiting", f"after {without[0].name}")
        else:
            statuses[stage] = await _visit(run, stage, checked, doing=stage in act, tolerant=not act)
        ended[stage].set()

    async with task_group() as tasks:
        for stage in stages:
            tasks.start_soon(walk, stage)
    return [statuses[stage] for stage in stages]


async def _visit(
    run: Run, stage_class: AnyStage, checked: Sequence[AnyStage], *, doing: bool, tolerant: bool
) -> StageStatus:
    """Look, do if asked and needed, look again. `tolerant`: a failure to look is a status, unless the user is to blame."""
    stage, name = stage_class(), stage_class.name
    with step(run, name) as shown:
        try:
            alone = run.may_change
            state = await stage.look(run)
            if not stage.needs:
                await _check(run, [other for other in checked if stage_class in upstream(other)])
            if doing and not alone and not isinstance(state, Found):
                if await run.take_lock(run.say):
                    raise _Waited
                # Another command may have done it since the look.
                run.forget_answers()
                state = await stage.look(run)
            if doing and not isinstance(state, Found):
                state = await _make(run, stage, state)
                shown.outcome = "done"
        except ZeroJHubError as error:
            if not tolerant or isinstance(error, UserError):
                raise
            shown.outcome, shown.detail = "failed", str(error)
            return StageStatus(stage_class, "failed", str(error), shown.seconds(), failure=error)
        shown.detail = state.detail
        if isinstance(state, Found):
            run[stage_class] = state.value
            return StageStatus(stage_class, "found", state.detail, shown.seconds())
        shown.outcome = "kept"
        if state.value is not None:
            run[stage_class] = state.value
        result: Result = "missing" if isinstance(state, Missing) else "wrong"
        return StageStatus(stage_class, result, state.detail, shown.seconds(), state.hint)


async def _make(run: Run, stage: Stage[T], state: Missing[T] | Wrong[T]) -> Found[T]:
    """Do it and look again. If a request's outcome is unknown, look first: what was done is not done again."""

    async def do() -> Found[T] | Missing[T] | Wrong[T]:
        run.write_journal("do", stage.name, state.detail)
        run.say(state.detail)
        try:
            await stage.do(run, state)
        finally:
            run.forget_answers()
        return await stage.look(run)

    async def look() -> Found[T] | None:
        nonlocal state
        now = await stage.look(run)
        if isinstance(now, Found):
            return now
        state = now
        return None

    made = await retry.settle(do, look)
    if not isinstance(made, Found):
        raise ZeroJHubError(f"stage {stage.name} ran, but: {made.detail}")
    run.write_journal("done", stage.name, made.detail)
    return made


async def _check(run: Run, stages: Sequence[AnyStage]) -> None:
    """Ask all stages what would stop them, before any of them looks. Problems with every answer, each once."""
    problems: list[ZeroJHubError] = []

    async def ask(stage: AnyStage) -> None:
        try:
            problems.extend(await stage().check(run))
        except Problems as several:
            problems.extend(several.problems)
        except UserError as error:
            problems.append(error)

    async with task_group() as tasks:
        for stage in stages:
            tasks.start_soon(ask, stage)
    if problems:
        # Two stages may have met the same problem.
        raise Problems(list({str(problem): problem for problem in problems}.values()))


@dataclass
class Step:
    """A step of the progress display; `outcome` and `detail` are shown when it ends."""

    started: float
    outcome: str = "there"
    detail: str = ""

    def seconds(self) -> float:
        return time.monotonic() - self.started


@contextmanager
def step(run: Run, name: str) -> Iterator[Step]:
    """A step of the progress display that ends whatever happens; failures go into the journal."""
    shown = Step(time.monotonic())
    run.progress.start(name)
    try:
        with run.step(name):
            yield shown
    except ZeroJHubError as error:
        shown.outcome, shown.detail = "failed", ""
        run.write_journal("failed", name, str(error))
        raise
    except _Waited:
        shown.outcome, shown.detail = "kept", "looking at everything again"
        raise
    except BaseException:
        shown.outcome, shown.detail = "kept", "stopped"
        raise
    finally:
        run.progress.end(name, shown.outcome, shown.detail)
