"""The engine, with toy stages: order, concurrency, failures, what a look may change, and the way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import ClassVar

import anyio
import pytest

from zerojhub import graph
from zerojhub.deployment import Deployment
from zerojhub.errors import CloudError, Problems, Unavailable, UserError, ZeroJHubError
from zerojhub.openstack.leftovers import KeptVolume
from zerojhub.retry import Fault, OutcomeUnknown
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong

DURATION = 0.01
"""Seconds that a toy stage takes."""


class World:
    """What exists, and what has been done to it."""

    def __init__(self):
        self.existing: set[str] = set()
        self.log: list[str] = []
        self.running = 0
        self.most_at_once = 0


class Toy(Stage[str]):
    """Finds its own name in the world, or puts it there."""

    world: ClassVar[World]

    async def look(self, run):
        if self.name in self.world.existing:
            return Found(f"{self.name} exists", self.name.upper())
        return Missing(f"no {self.name}")

    async def do(self, run, state):
        self.world.running += 1
        self.world.most_at_once = max(self.world.most_at_once, self.world.running)
        try:
            await anyio.sleep(DURATION)
        finally:
            self.world.running -= 1
        self.world.log.append(self.name)
        self.world.existing.add(self.name)

    async def undo(self, run, teardown):
        self.world.log.append(f"undo {self.name}")
        self.world.existing.discard(self.name)


class First(Toy):
    """The root of the others."""

    name = "first"


class Left(Toy):
    name = "left"
    needs = (First,)


class Right(Toy):
    name = "right"
    needs = (First,)


class Last(Toy):
    name = "last"
    needs = (Left, Right)

    async def look(self, run):
        assert (run[Left], run[Right]) == ("LEFT", "RIGHT")
        return await super().look(run)


STAGES = (First, Left, Right, Last)


class Recorded:
    """Remembers how each step ended, and what it was warned of."""

    def __init__(self):
        self.ends, self.warnings = {}, {}

    def start(self, name, detail=""):
        pass

    def say(self, name, detail):
        pass

    def warn(self, name, detail):
        self.warnings.setdefault(name, []).append(detail)

    def note(self, text: str) -> None:
        pass

    def end(self, name, outcome, detail=""):
        self.ends[name] = (outcome, detail)


@pytest.fixture
def world():
    Toy.world = World()
    return Toy.world


@pytest.fixture
def run(tmp_path, monkeypatch, world):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    deployment = Deployment.model_validate({"name": "toy", "cloud": "toy", "cluster": {"template": "t"}})
    return Run(deployment, Recorded())


def up(run, stages=STAGES, **options):
    return anyio.run(lambda: graph.up(run, stages, **options))


def look(run, stages=STAGES):
    return {status.stage.name: status for status in anyio.run(graph.look, run, stages)}


def journal(run):
    """The events so far, with the stages that they are about."""
    lines = [json.loads(line) for line in (run.folder / "journal.jsonl").read_text().splitlines()]
    return [(line["event"], line["stage"]) for line in lines]


# -- order --------------------------------------------------------------------------------------------------------------


def test_independent_stages_overlap_and_the_others_wait_for_what_they_need(run, world, monkeypatch):
    monkeypatch.setattr(f"{__name__}.DURATION", 0.1)  # both have to begin within it
    statuses = up(run)
    assert [status.state for status in statuses] == ["found"] * 4
    assert (world.log[0], set(world.log[1:3]), world.log[3]) == ("first", {"left", "right"}, "last")
    assert world.most_at_once == 2
    assert all(status.seconds >= DURATION for status in statuses)


def test_the_order_comes_from_the_needs_and_the_statuses_keep_the_given_order(run, world):
    statuses = up(run, (Last, Right, Left, First))
    assert world.log[0] == "first"
    assert world.log[3] == "last"
    assert [status.stage.name for status in statuses] == ["last", "right", "left", "first"]


class Curious(Toy):
    """Uses what `last` found, if it found anything."""

    name = "curious"
    after = (Last,)

    async def look(self, run):
        return Found(f"last is {run.get(Last)}", "CURIOUS")


def test_a_stage_waits_for_those_it_is_after_and_can_do_without_them(run, world):
    assert look(run, (Curious, *STAGES))["curious"].detail == "last is None"
    assert up(run, (Curious, *STAGES))[0].detail == "last is LAST"
    assert look(run, (Curious,))["curious"].state == "found"


def test_what_exists_is_left_alone(run, world):
    world.existing = {stage.name for stage in STAGES}
    up(run)
    assert world.log == []


def test_down_runs_in_reverse_order_whatever_order_the_stages_are_given_in(run, world):
    world.existing = {stage.name for stage in STAGES}
    anyio.run(graph.down, run, (Last, First, Right, Left), Teardown())
    assert (world.log[0], set(world.log[1:3]), world.log[3]) == ("undo last", {"undo left", "undo right"}, "undo first")


def test_down_undoes_only_the_stages_that_it_is_to_undo(run, world):
    world.existing = {stage.name for stage in STAGES}
    anyio.run(lambda: graph.down(run, STAGES, Teardown(), act=(Last, Right)))
    assert world.log == ["undo last", "undo right"]


def test_with_needs_is_the_closure_each_stage_after_its_needs():
    assert graph.with_needs([Last]) == [First, Left, Right, Last]
    assert graph.with_needs([Right]) == [First, Right]
    assert graph.upstream(Last) == {First, Left, Right}
    assert graph.downstream(STAGES, Left) == [Left, Last]


# -- looking ------------------------------------------------------------------------------------------------------------


def test_a_look_changes_nothing_and_says_what_waits_for_what(run, world):
    world.existing = {"first"}
    found = look(run)
    assert [status.state for status in found.values()] == ["found", "missing", "missing", "waiting"]
    assert found["last"].detail == "after left"
    assert world.log == []


def test_a_look_goes_on_past_a_stage_that_is_not_as_wanted_but_has_a_value(run, world, monkeypatch):
    async def differs(self, run):
        return Wrong("left differs", "LEFT")

    world.existing = {"first", "right", "last"}
    monkeypatch.setattr(Left, "look", differs)
    found = look(run)
    assert (found["left"].state, found["left"].detail, found["last"].state) == ("wrong", "left differs", "found")


@pytest.mark.parametrize("state", [Wrong("left differs"), Missing("no left")])
def test_a_look_stops_at_a_stage_without_a_value(run, world, monkeypatch, state):
    async def nothing(self, run):
        return state

    world.existing = {"first", "right", "last"}
    monkeypatch.setattr(Left, "look", nothing)
    assert look(run)["last"].state == "waiting"


def test_a_failing_look_is_a_status_and_the_other_stages_are_looked_at(run, world, monkeypatch):
    async def fail(self, run):
        raise ZeroJHubError("the API is down")

    world.existing = {"first", "right"}
    monkeypatch.setattr(Left, "look", fail)
    found = look(run)
    assert (found["left"].state, found["left"].detail) == ("failed", "the API is down")
    assert (found["right"].state, found["last"].state) == ("found", "waiting")


def test_a_mistake_of_the_users_ends_a_look(run, world, monkeypatch):
    async def refuse(self, run):
        raise UserError("no such template")

    world.existing = {"first"}
    monkeypatch.setattr(Left, "look", refuse)
    with pytest.raises(UserError, match="no such template"):
        look(run)


def test_a_stage_that_does_not_apply_is_neither_looked_at_nor_listed(run, world, monkeypatch):
    monkeypatch.setattr(Last, "applies", classmethod(lambda cls, deployment: deployment.name != "toy"))
    statuses = up(run)
    assert [status.stage.name for status in statuses] == ["first", "left", "right"]
    assert "last" not in world.log


def test_require_leaves_the_values_or_names_the_stage_that_has_none(run, world):
    world.existing = {"first", "left"}
    anyio.run(graph.require, run, Left)
    assert run[Left] == "LEFT"
    assert Right not in run
    with pytest.raises(ZeroJHubError, match=r"right: no right \(zerojhub up\)"):
        anyio.run(graph.require, run, Last)


def test_require_takes_what_can_be_used_although_it_is_not_as_wanted(run, world, monkeypatch):
    async def differs(self, run):
        return Wrong("left differs", "LEFT")

    world.existing = {"first"}
    monkeypatch.setattr(Left, "look", differs)
    anyio.run(graph.require, run, Left)
    assert run[Left] == "LEFT"


def test_a_stage_may_have_another_command_for_those_who_require_it(run, monkeypatch):
    missing: Missing[str] = Missing("no first", hint="zerojhub cluster expose toy")

    async def look_at(self, run):
        return missing

    monkeypatch.setattr(First, "look", look_at)
    with pytest.raises(ZeroJHubError, match=r"^first: no first \(zerojhub cluster expose toy\)$"):
        anyio.run(graph.require, run, First)

    async def fail(self, run):
        raise ZeroJHubError("no answer", hint="wait")

    monkeypatch.setattr(First, "look", fail)
    with pytest.raises(ZeroJHubError, match=r"^first: no answer \(wait\)$"):
        anyio.run(graph.require, run, First)


def test_ensure_does_one_stage_and_leaves_its_value(run, world):
    world.existing = {"first"}
    anyio.run(graph.require, run, First)
    anyio.run(graph.ensure, run, Left)
    assert run[Left] == "LEFT"
    assert world.log == ["left"]


# -- checks -------------------------------------------------------------------------------------------------------------


def test_every_check_is_asked_before_any_other_look_and_all_problems_are_listed_once(run, world, monkeypatch):
    async def refuse(self, run):
        world.log.append(f"check {self.name}")
        return [UserError("no quota")]

    async def give_up(self, run):
        raise Problems([UserError("no quota"), UserError("no image")])

    world.existing = {"first"}

    async def stumble(self, run):
        raise UserError("no flavor")

    monkeypatch.setattr(Left, "check", refuse)
    monkeypatch.setattr(Right, "check", stumble)
    monkeypatch.setattr(Last, "check", give_up)
    with pytest.raises(Problems) as caught:
        up(run)
    assert sorted(problem.message for problem in caught.value.problems) == ["no flavor", "no image", "no quota"]
    assert world.log == ["check left"]


class Apart(Toy):
    """Has nothing to do with the others."""

    name = "apart"


class Behind(Toy):
    name = "behind"
    needs = (Apart,)


def test_each_check_is_asked_once_where_stages_have_nothing_to_do_with_each_other(run, world, monkeypatch):
    asked = []

    async def check(self, run):
        asked.append(self.name)
        return []

    monkeypatch.setattr(Toy, "check", check)
    up(run, (First, Left, Apart, Behind))
    assert sorted(asked) == ["behind", "left"]


def test_checks_of_stages_that_are_not_walked_are_not_asked(run, world, monkeypatch):
    async def refuse(self, run):
        raise UserError("no image")

    world.existing = {"first", "left"}
    monkeypatch.setattr(Right, "check", refuse)
    assert [status.state for status in up(run, (First, Left))] == ["found", "found"]


# -- doing --------------------------------------------------------------------------------------------------------------


def test_only_the_stages_to_act_on_are_done(run, world):
    world.existing = {"first"}
    statuses = up(run, (First, Left), act=[Left])
    assert world.log == ["left"]
    assert [status.state for status in statuses] == ["found", "found"]


def test_a_stage_is_not_done_before_what_it_needs_is_there(run, world):
    with pytest.raises(
        ZeroJHubError, match=r"stage left needs first, which is not there \(run: zerojhub up --only first\)"
    ):
        up(run, (First, Left), act=[Left])
    assert world.log == []


def test_a_stage_is_not_done_on_top_of_one_that_is_wrong(run, world, monkeypatch):
    async def differs(self, run):
        return Wrong("first differs", "FIRST")

    monkeypatch.setattr(First, "look", differs)
    with pytest.raises(ZeroJHubError, match="stage left needs first"):
        up(run, (First, Left), act=[Left])
    assert world.log == []


def test_a_stage_that_is_still_missing_after_it_was_done_fails(run, world, monkeypatch):
    async def nothing(self, run, state):
        world.log.append("tried")

    monkeypatch.setattr(First, "do", nothing)
    with pytest.raises(ZeroJHubError, match="stage first ran, but: no first"):
        up(run)
    assert world.log == ["tried"]


def test_the_first_failure_cancels_the_stages_beside_it_and_is_raised(run, world, monkeypatch):
    cancelled = []

    async def fail(self, run, state):
        raise ZeroJHubError("no valid host", hint="another flavor")

    async def wait(self, run, state):
        try:
            await anyio.sleep(30)
        except anyio.get_cancelled_exc_class():
            cancelled.append(self.name)
            raise

    monkeypatch.setattr(Left, "do", wait)
    monkeypatch.setattr(Right, "do", fail)
    with pytest.raises(ZeroJHubError, match=r"no valid host \(another flavor\)"):
        up(run)
    assert cancelled == ["left"]
    assert world.log == ["first"]
    assert journal(run)[-1] == ("failed", "right")
    assert run.progress.ends == {
        "first": ("done", "first exists"),
        "right": ("failed", ""),
        "left": ("kept", "stopped"),
    }


def test_answers_are_asked_for_again_once_a_stage_has_done_something(run, world):
    asked = []

    async def question(what):
        asked.append(what)
        return len(asked)

    class Asking(Toy):
        name = "asking"

        async def look(self, run):
            await run.once(question, "x")
            await run.once(question, "x")
            return await super().look(run)

    up(run, (Asking,))
    assert asked == ["x", "x"]  # once by each of the two looks


# -- down ---------------------------------------------------------------------------------------------------------------


def test_down_goes_on_past_a_stage_whose_needs_are_gone(run, world):
    world.existing = {"first"}
    anyio.run(graph.down, run, STAGES, Teardown())
    assert "undo last" not in world.log
    assert world.log[-1] == "undo first"
    assert run.progress.ends["last"] == ("kept", "nothing to remove: no left")
    assert run.progress.ends["first"] == ("removed", "")


class Frugal(Toy):
    """Needs less to be undone than to be done."""

    name = "frugal"
    needs = (Left, Right)
    undo_needs = (Left,)


def test_a_stage_is_undone_as_long_as_there_is_what_its_undoing_needs(run, world):
    world.existing = {"first", "left", "frugal"}
    anyio.run(graph.down, run, (*STAGES, Frugal), Teardown())
    assert world.log == ["undo frugal", "undo right", "undo left", "undo first"]


def test_a_stage_with_nothing_to_undo_is_no_step_of_down(run, world):
    class Looking(Toy):
        name = "looking"
        undo = Stage.undo

    anyio.run(graph.down, run, (Looking,), Teardown())
    assert world.log == []
    assert run.progress.ends == {"looking": ("kept", "no looking")}  # how the look before it ended


def test_the_journal_has_the_beginning_the_changes_and_the_end(run, world):
    world.existing = {"first"}
    up(run, (First, Left))
    anyio.run(graph.down, run, (First, Left), Teardown())
    assert journal(run) == [
        *(("up", ""), ("do", "left"), ("done", "left"), ("up done", "")),
        *(("down", ""), ("down done", "")),
    ]


def test_what_would_stop_up_does_not_stop_down(run, world, monkeypatch):
    async def give_up(self, run):
        raise ZeroJHubError("the chart cannot be downloaded")

    monkeypatch.setattr(Left, "check", give_up)
    world.existing |= {"first", "left"}
    anyio.run(graph.down, run, (First, Left), Teardown())
    assert world.log == ["undo left", "undo first"]


def test_down_stops_at_the_first_failure(run, world, monkeypatch):
    async def fail(self, run, teardown):
        raise ZeroJHubError("still in use")

    world.existing = {stage.name for stage in STAGES}
    monkeypatch.setattr(Right, "undo", fail)
    with pytest.raises(ZeroJHubError, match="still in use"):
        anyio.run(graph.down, run, STAGES, Teardown())
    assert "undo first" not in world.log


def test_stages_report_to_the_teardown_what_they_keep(run, world, monkeypatch):
    async def keep(self, run, teardown):
        teardown.kept.append(KeptVolume("1", "none" if teardown.doomed else "data", 1, None))

    world.existing = {"first"}
    monkeypatch.setattr(First, "undo", keep)
    teardown = Teardown()
    anyio.run(graph.down, run, (First,), teardown)
    assert [volume.name for volume in teardown.kept] == ["data"]


# -- names --------------------------------------------------------------------------------------------------------------


def test_an_unknown_stage_lists_the_known_ones():
    with pytest.raises(UserError, match=r"no stage named 'frist'.*stages: first, left, right, last"):
        graph.find_stage(STAGES, "frist")
    assert graph.find_stage(STAGES, "left") is Left


def test_a_description_is_the_first_line_of_the_docstring():
    assert First.description() == "The root of the others."


class Lossy(Toy):
    """Loses the answers to its first requests; `done` says whether these took effect."""

    name = "lossy"
    lost: ClassVar[int] = 1
    done: ClassVar[bool] = True

    async def do(self, run, state):
        if len(self.world.log) < self.lost:
            self.world.log.append("lost")
            if self.done:
                self.world.existing.add(self.name)
            raise lost_answer()
        await super().do(run, state)

    async def undo(self, run, teardown):
        if len(self.world.log) < self.lost:
            self.world.log.append("lost")
            raise lost_answer()
        await super().undo(run, teardown)


def lost_answer():
    return OutcomeUnknown(Fault("compute", "connection reset"), CloudError("connection reset", where="compute"))


class After(Toy):
    name = "after"
    needs = (Lossy,)


def test_what_was_done_although_its_answer_was_lost_is_not_done_again(run, world):
    statuses = up(run, (Lossy, After))
    assert [status.state for status in statuses] == ["found", "found"]
    assert (world.log, run[Lossy]) == (["lost", "after"], "LOSSY")
    assert run.progress.ends["lossy"] == ("done", "lossy exists")
    assert run.progress.warnings["lossy"][0] == "compute: connection reset, checking in 1 s whether it was done"
    assert ("done", "lossy") in journal(run)


def test_what_was_not_done_is_done_in_the_same_run(run, world, monkeypatch):
    monkeypatch.setattr(Lossy, "done", False)
    monkeypatch.setattr(Lossy, "lost", 4)
    up(run, (Lossy, After))
    assert world.log == [*["lost"] * 4, "lossy", "after"]


def test_after_five_lost_answers_the_stage_has_failed(run, world, monkeypatch):
    monkeypatch.setattr(Lossy, "done", False)
    monkeypatch.setattr(Lossy, "lost", 9)
    with pytest.raises(CloudError) as failed:
        up(run, (Lossy, After))
    assert str(failed.value) == "compute: connection reset, after 5 attempts"
    assert (world.log, run.progress.ends["lossy"][0]) == (["lost"] * 5, "failed")


def test_a_stage_that_turns_out_wrong_is_done_as_it_is_now(run, world, monkeypatch):
    states = []

    async def look(self, run):
        if "lossy" in world.existing:
            return Found("there", "LOSSY")
        return Wrong("half of it") if world.log else Missing("nothing")

    async def do(self, run, state):
        states.append(state.detail)
        world.log.append("lost")
        if len(states) == 1:
            raise lost_answer()
        world.existing.add("lossy")

    monkeypatch.setattr(Lossy, "look", look)
    monkeypatch.setattr(Lossy, "do", do)
    up(run, (Lossy,))
    assert states == ["nothing", "half of it"]


def test_a_look_after_a_lost_answer_asks_anew(run, world, monkeypatch):
    async def exists():
        return "lossy" in world.existing

    async def look(self, run):
        return Found("there", "LOSSY") if await run.once(exists) else Missing("nothing")

    monkeypatch.setattr(Lossy, "look", look)
    up(run, (Lossy,))
    assert world.log == ["lost"]


def test_an_undo_is_repeated_after_a_lost_answer(run, world, monkeypatch):
    monkeypatch.setattr(Lossy, "lost", 2)
    world.existing |= {"lossy", "after"}
    monkeypatch.setattr(After, "undo", Stage.undo)
    anyio.run(graph.down, run, (Lossy, After), Teardown())
    assert (world.log, world.existing) == (["lost", "lost", "undo lossy"], {"after"})
    assert run.progress.ends["lossy"][0] == "removed"


def test_an_undo_after_a_lost_answer_asks_anew_what_there_is(run, world, monkeypatch):
    async def there():
        return set(world.existing)

    async def undo(self, run, teardown):
        for name in await run.once(there):
            world.log.append(f"delete {name}")
            world.existing.discard(name)
            raise lost_answer()

    world.existing |= {"lossy"}
    monkeypatch.setattr(Lossy, "undo", undo)
    anyio.run(graph.down, run, (Lossy,), Teardown())
    assert world.log == ["delete lossy"]


def test_down_does_not_take_a_service_that_fails_for_nothing_to_remove(run, world, monkeypatch):
    async def look(self, run):
        raise Unavailable("503, after 5 attempts", where="container-infra")

    monkeypatch.setattr(First, "look", look)
    world.existing |= {"first", "left"}
    with pytest.raises(Unavailable):
        anyio.run(graph.down, run, STAGES, Teardown())
    assert world.log == []


# -- the lock -----------------------------------------------------------------------------------------------------------


class ToyLock:
    """A lock that another command has at first, if `theirs` is what that one does until it gives the lock back."""

    def __init__(self, world: World, theirs: Callable[[], object] | None = None, *, waits: bool = False):
        self.world, self.theirs, self.waits = world, theirs, waits
        self.held = False

    async def take(self, say):
        if self.held:
            return False
        self.world.log.append("take the lock")
        if self.waits:
            say("anna is at work")
            await anyio.sleep(DURATION)
        if self.theirs:
            self.theirs()
        self.held = True
        return self.waits


def test_a_run_that_finds_everything_takes_no_lock(run, world):
    world.existing = {stage.name for stage in STAGES}
    run.lock = ToyLock(world)
    up(run)
    assert world.log == []


def test_plan_and_status_take_no_lock(run, world):
    run.lock = ToyLock(world)
    look(run)
    assert world.log == []


def test_the_lock_is_taken_once_before_the_first_change(run, world):
    run.lock = ToyLock(world)
    up(run)
    assert (world.log[0], world.log[1], world.log.count("take the lock")) == ("take the lock", "first", 1)


def test_what_another_command_did_between_the_look_and_the_lock_is_not_done_again(run, world):
    run.lock = ToyLock(world, lambda: world.existing.add("first"))
    up(run)
    assert world.log[0] == "take the lock"
    assert "first" not in world.log
    assert run.progress.ends["first"] == ("there", "first exists")
    assert run[First] == "FIRST"


def test_a_stage_that_looked_before_another_one_took_the_lock_looks_again(run, world, monkeypatch):
    """Right looks; Left takes the lock, and until then another command creates `right`; then Right goes on."""
    looked, taken = anyio.Event(), anyio.Event()

    async def left(self, run):
        await looked.wait()
        return await Toy.look(self, run)

    async def right(self, run):
        state = await Toy.look(self, run)
        looked.set()
        await taken.wait()
        return state

    def theirs():
        world.existing.add("right")
        taken.set()

    world.existing = {"first"}
    monkeypatch.setattr(Left, "look", left)
    monkeypatch.setattr(Right, "look", right)
    run.lock = ToyLock(world, theirs)
    up(run, (First, Left, Right))
    assert world.log == ["take the lock", "left"]


def test_answers_from_before_the_lock_are_not_used(run, world):
    asked = []

    async def question():
        asked.append("first" in world.existing)
        return asked[-1]

    class Asking(Toy):
        name = "asking"

        async def look(self, run):
            return Found("there", "ASKING") if await run.once(question) else Missing("not there")

    run.lock = ToyLock(world, lambda: world.existing.add("first"))
    up(run, (Asking,))
    assert asked == [False, True]
    assert "asking" not in world.log


def test_after_waiting_for_another_command_everything_is_looked_at_again(run, world):
    """It may also have taken away what was seen before."""

    def down():
        world.existing.clear()

    world.existing = {"first", "left"}
    run.lock = ToyLock(world, down, waits=True)
    statuses = up(run)
    assert [status.state for status in statuses] == ["found"] * 4
    assert (world.log[:2], set(world.log[2:4]), world.log[4:]) == (
        ["take the lock", "first"],
        {"left", "right"},
        ["last"],
    )


def test_values_from_before_another_command_are_forgotten(run, world):
    """A stage is `after` another one, which is gone."""
    world.existing = {"last", "left", "right", "first"}

    class Working(Curious):
        name = "working"
        needs = (First,)

        async def look(self, run):
            return await Toy.look(self, run) if run.get(Last) else Found("last is not there", "WORKING")

    def gone():
        world.existing.discard("last")

    run.lock = ToyLock(world, gone, waits=True)
    assert up(run, (*STAGES, Working), act=[Working])[-1].detail == "last is not there"


def test_the_stage_that_waits_says_for_whom(run, world, monkeypatch):
    said = []
    monkeypatch.setattr(run.progress, "say", lambda name, text: said.append((name, text)))
    run.lock = ToyLock(world, waits=True)
    up(run)
    assert ("first", "anna is at work") in said


def test_a_stage_that_had_to_wait_looks_at_everything_again_and_says_so(run, world, monkeypatch):
    ends = []
    monkeypatch.setattr(run.progress, "end", lambda *end: ends.append(end))
    run.lock = ToyLock(world, waits=True)
    up(run, (First,))
    assert ends == [("first", "kept", "looking at everything again"), ("first", "done", "first exists")]


def test_down_takes_the_lock_before_it_looks(run, world):
    """What another `up` creates until then is deleted as well."""
    run.lock = ToyLock(world, lambda: world.existing.add("first"), waits=True)
    anyio.run(graph.down, run, STAGES, Teardown())
    assert (world.log[0], world.log[-1], world.existing) == ("take the lock", "undo first", set())
    assert run.progress.ends["lock"] == ("done", "")


def test_waiting_for_the_lock_is_one_step_however_often_it_says_for_whom(run, world, monkeypatch):
    class Talkative(ToyLock):
        async def take(self, say):
            if not self.held:
                say("anna has just begun")
            return await super().take(say)

    starts: list[str] = []
    monkeypatch.setattr(run.progress, "start", starts.append)
    run.lock = Talkative(world, waits=True)
    anyio.run(graph.take_lock, run)
    assert starts == ["lock"]


def test_ensure_takes_the_lock_and_a_lock_that_is_free_is_no_step(run, world):
    world.existing = {"first"}
    anyio.run(graph.require, run, First)
    run.lock = ToyLock(world)
    anyio.run(graph.ensure, run, Left)
    assert world.log == ["take the lock", "left"]
    assert "lock" not in run.progress.ends


def test_ensure_waits_for_another_command_and_does_not_do_again_what_that_one_did(run, world):
    world.existing = {"first"}
    anyio.run(graph.require, run, First)
    run.lock = ToyLock(world, lambda: world.existing.add("left"), waits=True)
    anyio.run(graph.ensure, run, Left)
    assert (world.log, run[Left]) == (["take the lock"], "LEFT")
