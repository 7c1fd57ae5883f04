"""The lock: never two at a time, whoever is slow, killed or asleep, and whatever the clocks say."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zerojhub import lock as locking
from zerojhub import waiting
from zerojhub.errors import CloudError, Unavailable, ZeroJHubError
from zerojhub.lock import Lock

NAME = "zerojhub-lock-class"


class Neutron:
    """Subnet pools in memory, with a clock of their own that only this test moves. `passing` runs between any two steps."""

    def __init__(self) -> None:
        self.pools: dict[str, dict[str, Any]] = {}
        self.seconds = 0.0
        self.stopped = False
        """Then waiting does not move the clocks."""
        self.asked: list[str] = []
        self.refusal: CloudError | None = None
        self.timeless = False
        self.numbers = iter(range(10**6))
        self.passing: Callable[[], Any] = anyio.lowlevel.checkpoint

    def now(self) -> str:
        """In whole seconds, an hour behind anything that this machine might take for the time."""
        time = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)
        return time.isoformat(timespec="seconds").replace("+00:00", "Z")

    async def step(self, asked: str) -> None:
        await self.passing()
        self.asked.append(asked)
        if self.refusal:
            raise self.refusal

    async def subnet_pools(self, cloud: object, name: str) -> list[Any]:
        await self.step("list")
        # Neutron's lists have no order.
        return [dict(pool) for _, pool in sorted(self.pools.items(), reverse=True) if pool["name"] == name]

    async def create_subnet_pool(self, cloud: object, name: str, prefix: str, description: str) -> Any:
        await self.step("create")
        times = {} if self.timeless else {"created_at": self.now(), "updated_at": self.now()}
        pool = {"id": f"p{next(self.numbers)}", "name": name, "project_id": "p", "description": description, **times}
        self.pools[pool["id"]] = pool
        await self.passing()  # its answer is on its way
        return dict(pool)

    async def describe_subnet_pool(self, cloud: object, pool_id: str, description: str) -> None:
        await self.step("describe")
        if pool_id not in self.pools:
            raise CloudError("no such pool", status=404)
        self.pools[pool_id]["description"] = description
        if not self.timeless:
            self.pools[pool_id]["updated_at"] = self.now()

    async def delete_subnet_pool(self, cloud: object, pool_id: str) -> None:
        await self.step("delete")
        self.pools.pop(pool_id, None)

    def claimed(self, **report: object) -> dict[str, Any]:
        """A pool of somebody's on another machine, who has reported just now."""
        said = {"by": "anna@far", "pid": 4711, "command": "up", "word": "0ther", "beat": 0} | report
        pool = {"id": f"p{next(self.numbers)}", "name": NAME, "project_id": "p", "description": json.dumps(said)}
        if not self.timeless:
            pool |= {"created_at": self.now(), "updated_at": self.now()}
        self.pools[pool["id"]] = pool
        return pool

    def reported(self, pool: dict[str, Any], beat: int) -> None:
        pool["description"] = json.dumps(json.loads(pool["description"]) | {"beat": beat})
        if not self.timeless:
            pool["updated_at"] = self.now()


@pytest.fixture
def neutron(monkeypatch: pytest.MonkeyPatch) -> Iterator[Neutron]:
    """A second of waiting takes no time, but moves the clocks: Neutron's, and this machine's monotonic one."""
    neutron = Neutron()

    async def sleep(seconds: float) -> None:
        neutron.seconds += 0 if neutron.stopped else seconds
        await neutron.passing()

    monkeypatch.setattr(locking, "neutron", neutron)
    monkeypatch.setattr(locking, "clock", lambda: neutron.seconds)
    monkeypatch.setattr(locking, "sleep", sleep)
    monkeypatch.setattr(waiting, "sleep", sleep)
    yield neutron


class Command:
    """A command on the machine whose files are in `folder`, and what it says."""

    def __init__(self, folder: Path, **options: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.notes: list[str] = []
        self.said: list[str] = []

        async def name() -> str:
            return "class"

        nowhere: Any = None
        self.lock = Lock(nowhere, name, folder, "up", note=self.notes.append, **options)

    def run(self, work: Callable[[], Any] | None = None) -> bool:
        """Take the lock, do the work, give the lock back. Whether it had to wait."""

        async def command() -> bool:
            async with self.lock.kept():
                waited = await self.lock.take(self.said.append)
                if work:
                    await work()
            return waited

        return anyio.run(command)


async def still() -> None:
    """Lets the command that has the lock report: each of its pauses is half a minute of the test's clocks."""
    for _ in range(40):
        await anyio.lowlevel.checkpoint()


# -- taking and giving back ---------------------------------------------------------------------------------------------


def test_a_free_lock_is_one_pool_while_the_command_works_and_nothing_afterwards(
    neutron: Neutron, tmp_path: Path
) -> None:
    command = Command(tmp_path)

    async def work() -> None:
        [pool] = neutron.pools.values()
        report = json.loads(pool["description"])
        assert (pool["name"], report["command"]) == (NAME, "up")
        assert neutron.asked == ["create", "list"]
        assert command.lock.held

    assert command.run(work) is False
    assert neutron.pools == {}
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert command.notes == []


def test_a_command_that_never_takes_the_lock_asks_neutron_for_nothing(neutron: Neutron, tmp_path: Path) -> None:
    async def command() -> None:
        async with Command(tmp_path).lock.kept():
            pass

    anyio.run(command)
    assert neutron.asked == []


def test_it_is_taken_once_by_all_stages_that_want_it_at_the_same_time(neutron: Neutron, tmp_path: Path) -> None:
    command = Command(tmp_path)

    async def stages() -> None:
        async with command.lock.kept(), anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(command.lock.take, command.said.append)

    anyio.run(stages)
    assert neutron.asked.count("create") == 1


@pytest.mark.parametrize("error", [ZeroJHubError("no valid host"), KeyboardInterrupt()])
def test_it_is_given_back_whatever_ends_the_command(neutron: Neutron, tmp_path: Path, error: BaseException) -> None:
    async def work() -> None:
        raise error

    with pytest.raises(type(error)):
        Command(tmp_path).run(work)
    assert neutron.pools == {}


def test_it_is_given_back_when_the_command_is_interrupted_while_it_is_taken(neutron: Neutron, tmp_path: Path) -> None:
    """The pool has been created, but nobody has heard of it."""
    command = Command(tmp_path)

    async def interrupted() -> None:
        with anyio.CancelScope() as scope:

            async def passing() -> None:
                if neutron.pools:
                    neutron.passing = anyio.lowlevel.checkpoint
                    scope.cancel()
                await anyio.lowlevel.checkpoint()

            neutron.passing = passing
            async with command.lock.kept():
                await command.lock.take(command.said.append)
        assert scope.cancelled_caught

    anyio.run(interrupted)
    assert "create" in neutron.asked
    assert neutron.pools == {}


# -- waiting ------------------------------------------------------------------------------------------------------------


def test_who_comes_second_says_who_works_waits_and_goes_on(neutron: Neutron, tmp_path: Path) -> None:
    theirs = neutron.claimed()
    neutron.seconds += 150
    neutron.reported(theirs, 5)
    command = Command(tmp_path)
    waited: list[dict[str, Any]] = []

    async def passing() -> None:
        if command.said and not waited:
            assert list(neutron.pools) == [theirs["id"]], "while it waits, nothing of its own is in the way"
            waited.append(neutron.pools.pop(theirs["id"]))
        await anyio.lowlevel.checkpoint()

    neutron.passing = passing
    assert command.run() is True
    who = "anna@far (process 4711) has been running `zerojhub up` for 2 min 30 s"
    assert command.notes == [f"{who} on class: waiting (Ctrl-C to stop)"]
    assert command.said == [who]
    assert neutron.pools == {}


def test_who_does_not_want_to_wait_learns_who_works(neutron: Neutron, tmp_path: Path) -> None:
    theirs = neutron.claimed()
    with pytest.raises(
        ZeroJHubError, match=r"^anna@far .*`zerojhub up` on class \(to wait for it, leave out --no-wait\)"
    ):
        Command(tmp_path, patient=False).run()
    assert list(neutron.pools) == [theirs["id"]]


def test_of_several_it_names_the_one_who_came_first(neutron: Neutron, tmp_path: Path) -> None:
    neutron.seconds = 60
    neutron.claimed(by="late@far")
    neutron.seconds = 30
    neutron.claimed(by="early@far")
    with pytest.raises(ZeroJHubError, match=r"^early@far"):
        Command(tmp_path, patient=False).run()


def test_who_waits_for_one_after_the_other_says_so_once_and_pauses_for_a_random_time(
    neutron: Neutron, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two who have waited for the same one, both would otherwise always try at the same time."""
    neutron.claimed()
    command, drawn, said_before = Command(tmp_path), [], [0]

    def uniform(least: float, most: float) -> float:
        drawn.append((least, most))
        if len(drawn) == 1:
            neutron.claimed()  # before this command tries again
            said_before.append(len(command.said))
        return 0.7

    async def passing() -> None:
        if len(command.said) > said_before[-1]:
            theirs = [ident for ident, pool in neutron.pools.items() if "anna@far" in pool["description"]]
            for ident in theirs:
                del neutron.pools[ident]
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(random, "uniform", uniform)
    neutron.passing = passing
    assert command.run() is True
    assert drawn == [(0, locking.PAUSE[0])] * 2
    assert len(command.notes) == 1
    waited = 0.7 * 2 + sum(locking.PAUSE[0] for _ in range(2))
    assert neutron.seconds % locking.BEAT == pytest.approx(waited), "a look at each of them, and twice the random time"


def test_a_pool_that_somebody_has_described_otherwise_is_waited_for_all_the_same(
    neutron: Neutron, tmp_path: Path
) -> None:
    neutron.claimed()["description"] = '{"by": "\x1b[31m"}'
    with pytest.raises(ZeroJHubError, match=r"^somebody has been running a command on class"):
        Command(tmp_path, patient=False).run()


def test_a_second_command_on_the_same_machine_waits_too(neutron: Neutron, tmp_path: Path) -> None:
    first, second = Command(tmp_path), Command(tmp_path, patient=False)

    async def work() -> None:
        with pytest.raises(ZeroJHubError, match="has been running `zerojhub up` on class"):
            async with second.lock.kept():
                await second.lock.take(second.said.append)
        assert len(neutron.pools) == 1

    first.run(work)


def test_one_on_the_same_machine_that_has_no_pool_yet_is_waited_for_too(neutron: Neutron, tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(ZeroJHubError, match="another command on this machine has just been"),
    ):
        Command(tmp_path, patient=False).run()
    assert "create" not in neutron.asked


def test_it_waits_for_such_a_one(neutron: Neutron, tmp_path: Path) -> None:
    theirs, command = FileLock(tmp_path / "lock"), Command(tmp_path)

    async def passing() -> None:
        if command.said:
            theirs.release()
        await anyio.lowlevel.checkpoint()

    neutron.passing = passing
    with theirs:
        assert command.run() is True
    assert command.said == ["another command on this machine has just been started"]


# -- those who do not answer any more -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("silence", "is_dead"), [(185, True), (170, False)])
def test_who_has_not_reported_for_three_minutes_of_neutrons_clock_is_dead(
    neutron: Neutron, tmp_path: Path, silence: float, is_dead: bool
) -> None:
    neutron.claimed()
    neutron.seconds += silence
    command = Command(tmp_path, patient=False)
    if is_dead:
        command.run()
        assert command.notes == ["anna@far did not finish `zerojhub up` on class: taking over"]
        assert neutron.pools == {}
    else:
        with pytest.raises(ZeroJHubError, match="anna@far"):
            command.run()


def test_who_reports_is_alive_however_long_it_takes(neutron: Neutron, tmp_path: Path) -> None:
    theirs = neutron.claimed()
    neutron.seconds += 3600
    neutron.reported(theirs, 120)
    neutron.seconds += 100
    with pytest.raises(ZeroJHubError, match=r"anna@far .* for 60 min 00 s on class"):
        Command(tmp_path, patient=False).run()


@pytest.mark.parametrize("timeless", [False, True])
@pytest.mark.parametrize("beats", [0, 20])
def test_who_is_waited_for_is_dead_three_minutes_after_the_last_report(
    neutron: Neutron, tmp_path: Path, timeless: bool, beats: int
) -> None:
    """Also where Neutron tells no times: then what counts is this machine's clock, from the first look on."""
    neutron.timeless = timeless
    theirs = neutron.claimed()
    command = Command(tmp_path)
    last = 0.0

    async def passing() -> None:
        nonlocal last
        beat = int(neutron.seconds / locking.BEAT)
        if theirs["id"] in neutron.pools and beat <= beats and beat > json.loads(theirs["description"])["beat"]:
            neutron.reported(theirs, beat)
            last = neutron.seconds
        await anyio.lowlevel.checkpoint()

    neutron.passing = passing
    taken: list[float] = []

    async def work() -> None:
        taken.append(neutron.seconds)

    assert command.run(work) is True
    assert locking.SILENCE < taken[0] - last < locking.SILENCE + 3 * locking.PAUSE[1]
    assert command.notes[-1] == "anna@far did not finish `zerojhub up` on class: taking over"


def killed(neutron: Neutron, folder: Path) -> None:
    """A command on the machine with these files takes the lock and is killed."""
    command = Command(folder)

    async def taken() -> None:
        await command.lock.take(command.said.append)

    anyio.run(taken)
    command.lock._here.release()  # as the system does when a process ends
    assert len(neutron.pools) == 1


def test_one_that_was_killed_on_this_machine_is_not_waited_for(neutron: Neutron, tmp_path: Path) -> None:
    killed(neutron, tmp_path)
    command = Command(tmp_path, patient=False)
    command.run()
    assert len(command.notes) == 1
    assert command.notes[0].endswith("did not finish `zerojhub up` on class: taking over")
    assert neutron.pools == {}


def test_one_that_was_killed_on_another_machine_is_waited_for(neutron: Neutron, tmp_path: Path) -> None:
    killed(neutron, tmp_path / "there")
    with pytest.raises(ZeroJHubError, match="has been running"):
        Command(tmp_path / "here", patient=False).run()


class Killed(BaseException):
    """The process ends here."""


def killed_while_it_claims(neutron: Neutron, folder: Path) -> None:
    """A command whose pool has just been created is killed before it learns of that."""
    command, before = Command(folder), len(neutron.pools)

    async def passing() -> None:
        if len(neutron.pools) > before:
            raise Killed

    async def taken() -> None:
        await command.lock.take(command.said.append)

    neutron.passing = passing
    with pytest.raises(Killed):
        anyio.run(taken)
    neutron.passing = anyio.lowlevel.checkpoint
    command.lock._here.release()
    assert len(neutron.pools) == before + 1


def test_nor_is_one_that_was_killed_before_it_knew_of_its_pool(neutron: Neutron, tmp_path: Path) -> None:
    killed_while_it_claims(neutron, tmp_path)
    Command(tmp_path, patient=False).run()
    assert neutron.pools == {}


def test_nor_are_several_of_which_each_was_killed(neutron: Neutron, tmp_path: Path) -> None:
    killed(neutron, tmp_path)
    killed_while_it_claims(neutron, tmp_path)
    command = Command(tmp_path, patient=False)

    async def work() -> None:
        assert len(neutron.pools) == 1
        assert len((tmp_path / "lock.words").read_text().split()) == 1, "the others are gone for good"

    command.run(work)
    assert neutron.pools == {}


def test_a_neutron_that_hangs_does_not_keep_the_command_from_ending(
    neutron: Neutron, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "GIVING_BACK", 0.1)

    async def hang() -> None:
        await anyio.sleep(600)

    async def work() -> None:
        neutron.passing = hang

    command = Command(tmp_path)
    command.run(work)
    assert command.notes == [
        "warning: network: the lock of class could not be given back within 0.1 s: the next command on this machine takes it"
        " over, one on another in 3 min 00 s"
    ]
    neutron.passing = anyio.lowlevel.checkpoint
    command.lock._here.release()  # as at the end of the process
    Command(tmp_path, patient=False).run()
    assert neutron.pools == {}


def test_what_was_not_given_back_for_want_of_neutron_is_by_the_next_command_here(
    neutron: Neutron, tmp_path: Path
) -> None:
    async def work() -> None:
        neutron.refusal = Unavailable("503", status=503)

    Command(tmp_path).run(work)
    neutron.refusal = None
    assert len(neutron.pools) == 1
    Command(tmp_path, patient=False).run()
    assert neutron.pools == {}


def test_a_command_with_nothing_to_change_removes_what_a_killed_one_on_this_machine_has_left(
    neutron: Neutron, tmp_path: Path
) -> None:
    killed(neutron, tmp_path)
    theirs = neutron.claimed()["id"]

    async def command() -> None:
        async with Command(tmp_path).lock.kept():
            pass

    anyio.run(command)
    assert list(neutron.pools) == [theirs]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["lock"]


def test_but_not_that_of_one_that_works(neutron: Neutron, tmp_path: Path) -> None:
    async def another() -> None:
        async with Command(tmp_path).lock.kept():
            pass
        assert len(neutron.pools) == 1

    Command(tmp_path).run(another)
    assert neutron.pools == {}


# -- reporting ----------------------------------------------------------------------------------------------------------


def test_a_command_that_works_reports_every_half_minute(neutron: Neutron, tmp_path: Path) -> None:
    async def work() -> None:
        await still()
        [pool] = neutron.pools.values()
        beat = json.loads(pool["description"])["beat"]
        assert beat >= 3
        assert neutron.seconds / beat == pytest.approx(30, rel=0.5)

    Command(tmp_path).run(work)


def test_a_command_whose_lock_was_taken_over_ends(neutron: Neutron, tmp_path: Path) -> None:
    async def work() -> None:
        neutron.pools.clear()
        await anyio.sleep(30)

    with pytest.raises(ZeroJHubError, match="another command has taken over the lock of class"):
        Command(tmp_path).run(work)


def test_a_report_that_fails_is_no_reason_to_end(neutron: Neutron, tmp_path: Path) -> None:
    async def work() -> None:
        neutron.refusal = Unavailable("503", status=503)
        await still()
        neutron.refusal = None
        await still()
        [pool] = neutron.pools.values()
        assert json.loads(pool["description"])["beat"] > 3

    Command(tmp_path).run(work)


# -- clouds without a place for it --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404, 409])
def test_where_neutron_refuses_the_pool_there_is_a_warning_and_the_work_is_done(
    neutron: Neutron, tmp_path: Path, status: int
) -> None:
    neutron.refusal = CloudError("not for you", status=status)
    command = Command(tmp_path)
    assert command.run() is False
    assert command.notes == [
        "warning: class cannot be locked in this cloud, so take care that nobody else works on it: not for you"
    ]


def test_a_pool_that_neutron_does_not_list_is_no_lock(
    neutron: Neutron, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would not list those of others either."""

    async def none(cloud: object, name: str) -> list[Any]:
        return []

    monkeypatch.setattr(neutron, "subnet_pools", none)
    command = Command(tmp_path)
    command.run()
    assert command.notes[0].endswith("Neutron does not list the subnet pool that it has created")


def test_also_there_only_one_command_works_on_a_machine(neutron: Neutron, tmp_path: Path) -> None:
    neutron.refusal = CloudError("not for you", status=403)
    first, second = Command(tmp_path), Command(tmp_path)
    ended: list[str] = []

    async def work() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_second)
            await still()
            ended.append("first")
            tasks.cancel_scope.cancel()

    async def run_second() -> None:
        async with second.lock.kept():
            await second.lock.take(second.said.append)
            ended.append("second")

    first.run(work)
    assert ended == ["first"]


def test_a_neutron_that_does_not_respond_ends_the_command(neutron: Neutron, tmp_path: Path) -> None:
    neutron.refusal = Unavailable("503", status=503)
    with pytest.raises(Unavailable):
        Command(tmp_path).run()


# -- all at once --------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), commands=st.integers(2, 4), machines=st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_do_two_commands_have_it_and_each_gets_it(
    neutron: Neutron, tmp_path_factory: pytest.TempPathFactory, seed: int, commands: int, machines: int
) -> None:
    """In any order of their steps, and although Neutron's seconds do not tell who was first."""
    order = random.Random(seed)
    neutron.stopped = True
    neutron.pools.clear()
    folder = tmp_path_factory.mktemp("machines")
    working: list[int] = []
    done: list[int] = []

    async def passing() -> None:
        for _ in range(order.randrange(6)):
            await anyio.lowlevel.checkpoint()

    neutron.passing = passing

    async def command(number: int) -> None:
        lock = Command(folder / str(number % machines)).lock
        async with lock.kept():
            await lock.take(lambda text: None)
            working.append(number)
            assert working == [number], "two have it"
            for _ in range(order.randrange(1, 6)):
                await anyio.lowlevel.checkpoint()
                assert working == [number], "two have it"
            working.remove(number)
            done.append(number)

    async def everybody() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(commands):
                tasks.start_soon(command, number)

    anyio.run(everybody)
    assert sorted(done) == list(range(commands))
    assert neutron.pools == {}
