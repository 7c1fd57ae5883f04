"""The graph: what is independent overlaps, what needs another waits, what is there is left alone."""

from __future__ import annotations

import anyio
import pytest

from zerojhub import journey
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.report import Progress
from zerojhub.stages.base import Found, Missing, Stage


class World:
    """What is there, and what was done to it, for the stages below."""

    def __init__(self):
        self.there: set[str] = set()
        self.done: list[str] = []
        self.together = 0
        self.most = 0
        self.cloud = None


class Toy(Stage):
    async def look(self, hub):
        return Found(self.name, self.name.upper()) if self.name in hub.there else Missing(f"no {self.name}")

    async def do(self, hub, state):
        hub.together += 1
        hub.most = max(hub.most, hub.together)
        await anyio.sleep(0.05)
        hub.together -= 1
        hub.done.append(self.name)
        hub.there.add(self.name)


class First(Toy):
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

    async def look(self, hub):
        assert (hub[Left], hub[Right]) == ("LEFT", "RIGHT")
        return await super().look(hub)


class Never(Toy):
    name = "never"
    needs = (First,)

    async def do(self, hub, state):
        raise ZeroJHubError("it cannot be", hint="do it by hand")


TOYS = (First, Left, Right, Last)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    class ToyHub(World, journey.Hub):
        state, deployment = tmp_path, None

        def __init__(self):
            World.__init__(self)
            self.progress, self._found = Progress(quiet=True), {}

    monkeypatch.setattr(journey, "STAGES", TOYS)
    hub = ToyHub()
    with hub.progress:
        yield hub


def test_what_is_independent_overlaps_and_the_rest_is_in_order(hub):
    standings = anyio.run(lambda: journey.up(hub, act=TOYS))
    assert [standing.state for standing in standings] == ["found"] * 4
    assert (hub.done[0], set(hub.done[1:3]), hub.done[3]) == ("first", {"left", "right"}, "last")
    assert hub.most == 2


def test_what_is_there_is_left_alone(hub):
    hub.there = {"first", "left", "right", "last"}
    anyio.run(lambda: journey.up(hub, act=TOYS))
    assert hub.done == []


def test_a_stage_that_is_no_concern_of_the_deployment_is_neither_looked_at_nor_shown(hub, monkeypatch):
    monkeypatch.setattr(Last, "applies", classmethod(lambda cls, deployment: deployment is not None))
    standings = anyio.run(lambda: journey.up(hub, act=TOYS))
    assert [standing.stage.name for standing in standings] == ["first", "left", "right"]
    assert "last" not in hub.done


def test_a_look_changes_nothing_and_says_what_waits_for_what(hub):
    hub.there = {"first"}
    standings = anyio.run(journey.look, hub, TOYS)
    assert [standing.state for standing in standings] == ["found", "missing", "missing", "waiting"]
    assert hub.done == []


def test_one_stage_alone_wants_what_it_needs_to_be_there(hub):
    with pytest.raises(
        ZeroJHubError, match=r"stage left needs first, which is not there \(run: zerojhub up --only first\)"
    ):
        anyio.run(lambda: journey.up(hub, act=[Left]))
    hub.there = {"first"}
    anyio.run(lambda: journey.up(hub, act=[Left]))
    assert hub.done == ["left"]


def test_the_first_failure_is_the_one_that_is_told(hub, monkeypatch):
    monkeypatch.setattr(journey, "STAGES", (*TOYS, Never))
    with pytest.raises(ZeroJHubError, match=r"it cannot be \(do it by hand\)"):
        anyio.run(lambda: journey.up(hub, act=[*TOYS, Never]))
    assert "last" not in hub.done


def test_a_stage_that_does_not_exist_names_those_that_do(hub):
    with pytest.raises(UserError, match="stages: first, left, right, last"):
        journey.find_stage("frist")
