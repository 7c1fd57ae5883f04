"""Moving a hub with copies: everybody has what they had when it was stopped, wherever the command was killed, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from tests.command import run
from tests.unit.test_moving import killed_at
from tests.unit.twoclouds import PLACE, CloudCluster, TwoClouds
from tests.unit.twoclusters import HUB_CLAIM, Killed
from zerojhub import graph
from zerojhub.backup.night import owner_of
from zerojhub.backup.recover import RESTORED
from zerojhub.data.handover import Party
from zerojhub.deployment import Deployment, load
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.moving import copying, plan, switch
from zerojhub.moving.plan import Place, Plan, Progress
from zerojhub.openstack import magnum
from zerojhub.openstack.leftovers import KeptVolume
from zerojhub.report.move import show_finished, show_move_plan, show_moved
from zerojhub.report.results import Output
from zerojhub.run import Run
from zerojhub.stages import Backup, Chart


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_pauses: None) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> TwoClouds:
    return made(monkeypatch)


def made(monkeypatch: pytest.MonkeyPatch) -> TwoClouds:
    async def fine(*_: Any) -> list[ZeroJHubError]:
        return []

    monkeypatch.setattr(Backup, "check", fine)
    world = TwoClouds()
    world.install(monkeypatch)
    return world


def doing(world: TwoClouds, what: Any, kill_at: int = 0) -> Any:
    """Look, and do it; killed at that write, if it is one of its writes."""

    async def work() -> Any:
        old, new = world.runs()
        sides = await world.look(old), await world.look(new)
        return await what(*sides, await copying.make(*sides))

    return killed_at(world, kill_at, work)


def there(world: TwoClouds, kill_at: int = 0) -> switch.Moved:
    moved: switch.Moved = doing(world, copying.there, kill_at)
    return moved


def back(world: TwoClouds, kill_at: int = 0) -> switch.Moved:
    moved: switch.Moved = doing(world, copying.back, kill_at)
    return moved


def planned(world: TwoClouds) -> Plan:
    async def only(old: Any, new: Any, found: Plan) -> Plan:
        return found

    found: Plan = doing(world, only)
    return found


def is_there(world: TwoClouds) -> None:
    """The hub is on the new cluster with what everybody had, and nothing is gone from the old one."""
    assert world.new.hub_runs()
    assert not world.old.hub_runs()
    assert world.same()
    assert {*world.new.volume("claim-ada")} == {*world.old.volume("claim-ada")} != {"first"}
    assert not world.paused(world.new)
    assert world.paused(world.old)


def is_back(world: TwoClouds) -> None:
    assert world.old.hub_runs()
    assert not world.new.hub_runs()
    assert world.old.database["namespace"] == "class"
    assert not world.paused(world.old)


def work_on(cluster: CloudCluster) -> None:
    """People work on the hub, which nothing may undo."""
    for claim in ("claim-ada", HUB_CLAIM):
        cluster.volume(claim)["worked here"] = True


def test_a_hub_moves_with_a_copy_of_everything(world):
    moved = there(world)
    is_there(world)
    assert (moved.url, moved.volumes, moved.copied) == ("http://c2/", 3, True)
    assert moved.downtime_seconds is not None
    assert world.new.database["namespace"] == "class2"
    found = planned(world)
    assert found.progress is Progress.moved
    assert [(each.owner, each.place) for each in found.volumes] == [
        (owner, Place.copied) for owner in ("hub", "ada", "ada-b")
    ]


def test_most_is_copied_before_anything_is_stopped(world):
    there(world)
    homes = ["claim-ada", "claim-ada-2db"]
    assert sorted(world.restored[:2]) == homes
    assert sorted(world.restored[2:4]) == homes
    assert world.restored[4:] == [HUB_CLAIM]


def test_moving_again_changes_nothing(world):
    there(world)
    work_on(world.new)
    there(world)
    assert world.writes == 1  # of the stage, which looks whether Helm has something to do
    assert world.new.volume("claim-ada")["worked here"]


def test_the_names_of_claims_are_those_of_the_new_hubs_spawner(monkeypatch):
    world = made(monkeypatch)
    world.schemas["c2"] = 2
    there(world)
    assert world.new.volume("claim-ada-b")
    world = made(monkeypatch)
    there(world)
    assert world.new.volume("claim-ada-2db")


def every_write(monkeypatch: pytest.MonkeyPatch, way: Any) -> int:
    """How many writes it takes."""
    world = made(monkeypatch)
    if way is back:
        there(world)
    way(world)
    return world.writes


def interrupted(monkeypatch: pytest.MonkeyPatch, way: Any) -> Iterator[TwoClouds]:
    """A world for each write at which the way there or back was killed."""
    for number in range(1, every_write(monkeypatch, way) + 1):
        world = made(monkeypatch)
        if way is back:
            there(world)
            work_on(world.new)
        with pytest.raises(Killed):
            way(world, number)
        yield world


def test_a_copy_that_was_killed_anywhere_is_completed_by_the_next_run(monkeypatch):
    for world in interrupted(monkeypatch, there):
        there(world)
        is_there(world)
        assert planned(world).progress is Progress.moved


def test_nothing_else_starts_a_hub_where_files_are_being_copied_to(monkeypatch):
    half = every_write(monkeypatch, there) // 2
    world = made(monkeypatch)
    with pytest.raises(Killed):
        there(world, half)
    assert not world.new.kind("Deployment")

    async def up() -> None:
        _, new = world.runs()
        await world.ensure(new, Chart)

    with pytest.raises(ZeroJHubError, match="the hub moves to class"):
        anyio.run(up)


def test_only_those_who_are_left_are_copied_by_the_next_run(monkeypatch):
    world = made(monkeypatch)
    there(world)
    homes = len([each for each in world.restored if each != HUB_CLAIM])
    for world in interrupted(monkeypatch, there):
        done = [each for each in world.restored if each != HUB_CLAIM]
        stopped = not world.old.hub_runs()
        there(world)
        rest = [each for each in world.restored if each != HUB_CLAIM][len(done) :]
        if stopped:
            assert len(done) + len(rest) <= homes + 1  # one may have been restored, and not be marked yet


def test_a_copy_that_was_killed_anywhere_can_be_undone_and_made_again(monkeypatch):
    for world in interrupted(monkeypatch, there):
        database = world.old.database["users"]
        installed = bool(world.new.kind("Deployment"))
        back(world)
        is_back(world)
        assert world.old.database["users"] >= database
        if not installed:
            there(world)
            is_there(world)


def test_going_back_that_was_killed_anywhere_is_completed_by_the_next_run(monkeypatch):
    for world in interrupted(monkeypatch, back):
        back(world)
        is_back(world)
        assert world.new.volume("claim-ada")["worked here"]


def test_going_back_that_was_killed_anywhere_is_turned_around_only_if_nobody_works_on_the_old_hub(monkeypatch):
    for world in interrupted(monkeypatch, back):
        try:
            there(world)
            assert world.new.hub_runs()
            assert not world.old.hub_runs()
        except Problems as refused:
            assert "people have worked on class2 since it was copied to" in str(refused)
            back(world)
            is_back(world)
        assert world.new.volume("claim-ada")["worked here"]
        assert world.new.database["worked here"]


def test_a_backup_of_the_old_hub_after_the_move_is_not_copied_over_what_people_do(world):
    there(world)
    work_on(world.new)
    with pytest.raises(Killed):
        back(world, 2)
    assert planned(world).progress is Progress.under_way
    for name in ("ada", "ada-b"):
        world.back_up(world.old, owner_of(name, "", f"claim-{name}", "10Gi"))
    there(world)
    assert world.new.volume("claim-ada")["worked here"]


def test_what_people_have_worked_with_is_not_replaced_by_a_second_copy(world):
    there(world)
    work_on(world.new)
    back(world)
    found = planned(world)
    assert found.progress is Progress.to_do
    with pytest.raises(Problems, match=r"people have worked on class2 .*down --delete-data -f hub.yaml"):
        there(world)
    assert world.old.hub_runs()


def test_a_backup_from_before_the_standstill_does_not_do(world, monkeypatch):
    """Whoever has no backup since then stops the move, although there is an earlier one."""
    halt = switch.halt

    async def halt_and_fail(*arguments: Any) -> None:
        await halt(*arguments)
        world.refuses = {"user--ada"}

    with monkeypatch.context() as failing:
        failing.setattr(switch, "halt", halt_and_fail)
        with pytest.raises(ZeroJHubError, match=r"no backup of ada since the hub was stopped .*--back\)"):
            there(world)
    assert not world.new.hub_runs()
    world.refuses = set()
    there(world)
    is_there(world)


# -- what cannot work ---------------------------------------------------------------------------------------------------


def refusals(world: TwoClouds) -> str:
    found = planned(world)
    with pytest.raises(Problems):
        there(world)
    assert world.old.hub_runs()
    assert world.writes == 0
    return "\n".join(str(each) for each in found.problems)


def test_a_new_hub_with_data_of_its_own_is_refused(world):
    meta = {"name": "claim-cleo", "namespace": "class2"}
    world.new.bind(world.new.add("PersistentVolumeClaim", {"metadata": meta, "spec": {}}))
    assert "class2 already has 1 claim" in refusals(world)
    world.new.kind("Namespace")[0]["metadata"]["annotations"] = {"zerojhub.io/copied-from": "class"}
    assert "class2 already has 1 volume that no copy was made to" in refusals(world)


def test_a_pod_that_writes_to_a_volume_is_refused(world):
    world.old.kind("Pod").append(world.old.pod("rsync", "", "claim-ada"))
    assert "pod rsync uses a volume" in refusals(world)


def test_what_is_nobodys_is_not_copied_and_it_is_said(world):
    meta = {"name": "datasets", "namespace": "class"}
    world.old.bind(world.old.add("PersistentVolumeClaim", {"metadata": meta, "spec": {}}))
    assert "not copied, because it is nobody's or has no volume: datasets" in planned(world).remarks
    assert [each.owner for each in planned(world).volumes] == ["hub", "ada", "ada-b"]


def test_a_move_goes_on_as_it_was_begun(world):
    there(world)

    async def without() -> Plan:
        old, new = world.runs()
        return await plan.make(await world.look(old), await world.look(new))

    with pytest.raises(UserError, match=r"by an earlier run with --copy .give --copy again"):
        anyio.run(without)
    world.new.kind("Namespace")[0]["metadata"]["annotations"] = {}
    with pytest.raises(UserError, match="was begun without --copy"):
        planned(world)


@pytest.mark.parametrize("project", ["p1", "p2"])
def test_a_deployment_is_not_copied_to_itself_by_another_name_of_its_cloud(tmp_path, monkeypatch, project):
    monkeypatch.setattr(plan, "project", lambda side: side.project)
    old, new = (
        SimpleNamespace(
            name="class",
            project=name,
            party=Party("class", "class", "c1"),
            installed=None,
            run=SimpleNamespace(deployment=deployment(tmp_path, "class", name, PLACE)),
        )
        for name in ("p1", project)
    )
    found = [str(each) for each in copying._places(old, new)]  # type: ignore[arg-type]  # as far as it is looked at
    assert len(found) == (project == "p1")
    assert all("p1.yaml:1: class and class are the same" in each for each in found)


def sides(world: TwoClouds) -> tuple[Any, Any]:
    async def work() -> tuple[Any, Any]:
        old, new = world.runs()
        return await world.look(old), await world.look(new)

    return anyio.run(work)


# -- the files that say where the backups are ---------------------------------------------------------------------------


def deployment(folder: Path, name: str, cloud: str, backup: str | None) -> Deployment:
    path = folder / f"{cloud}.yaml"
    section = (
        f"\nbackup: {{to: '{backup}', password_file: {cloud}.password, credentials_file: login}}" if backup else ""
    )
    path.write_text(f"name: {name}\ncloud: {cloud}\ncluster: {{template: t}}{section}\n")
    for file, text in (
        (f"{cloud}.password", "a long password\n"),
        ("login", "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\n"),
    ):
        (folder / file).write_text(text)
        (folder / file).chmod(0o600)
    return load(path)


@pytest.mark.parametrize("who", ["old", "new", "both"])
def test_one_of_the_files_says_where_the_backups_are_for_both(tmp_path, who):
    old = deployment(tmp_path, "class", "here", None if who == "new" else PLACE)
    new = deployment(tmp_path, "class", "there", None if who == "old" else f"{PLACE}/")
    copying.share_backups(old, new)
    assert old.backup
    assert new.backup
    assert {each.to.rstrip("/") for each in (old.backup, new.backup)} == {PLACE}


def test_what_is_wrong_with_these_files_is_said_in_one_line(tmp_path):
    old, new = deployment(tmp_path, "class", "here", None), deployment(tmp_path, "class2", "there", None)
    with pytest.raises(UserError, match=r"there.yaml: a copy goes through backups, .*\(add to it: backup: {to: "):
        copying.share_backups(old, new)
    old, new = (deployment(tmp_path, name, name, f"{PLACE}-{name}") for name in ("here", "there"))
    with pytest.raises(UserError, match=r"there.yaml:4: the backups of here are in .*-here, and .* another place"):
        copying.share_backups(old, new)
    old, new = (deployment(tmp_path, name, name, PLACE) for name in ("here", "there"))
    (tmp_path / "there.password").write_text("another password")
    with pytest.raises(UserError, match=r"there.password: it has another password than the backups of here"):
        copying.share_backups(old, new)
    (tmp_path / "there.password").unlink()
    with pytest.raises(UserError, match=r"there.password: cannot be read"):
        copying.share_backups(old, new)


def test_deployments_in_two_clouds_may_have_one_name(tmp_path):
    old, new = deployment(tmp_path, "class", "here", PLACE), deployment(tmp_path, "class", "there", PLACE)
    plan.refuse_alike(old, new, copy=True)
    with pytest.raises(
        UserError, match=r"both deployments are named class.*; or add --copy, if it is in another cloud"
    ):
        plan.refuse_alike(old, new)


# -- the end ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def torn_down(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What has been undone: `None` is everything."""
    undone: list[Any] = []

    async def down(run: Run, stages: Any, teardown: Any, *, act: Any = None) -> None:
        undone.append((run.deployment.name, act))
        assert not teardown.doomed
        teardown.kept = [KeptVolume("v-ada", "pvc-v-ada", 10, "ada")]

    async def gone(*_: Any) -> None: ...

    monkeypatch.setattr(graph, "down", down)
    monkeypatch.setattr(magnum, "find_cluster", gone)
    return undone


def test_the_old_deployment_is_deleted_without_its_volumes_and_only_after_the_move(world, torn_down):
    with pytest.raises(ZeroJHubError, match="the hub has not moved to class2 yet"):
        doing(world, copying.finish)
    assert torn_down == []
    there(world)
    finished = doing(world, copying.finish)
    assert (finished.volumes, [each.owner for each in finished.kept]) == (3, ["ada"])
    assert torn_down == [("class", None)]


@pytest.mark.parametrize("lost", ["deleted", "half restored"])
def test_the_old_deployment_stays_if_somebody_has_no_copy(world, torn_down, lost):
    there(world)
    claims = world.new.kind("PersistentVolumeClaim")
    (ada,) = [each for each in claims if each["metadata"]["name"] == "claim-ada"]
    if lost == "deleted":
        claims.remove(ada)
    else:
        ada["metadata"]["annotations"][RESTORED] = "pending"
    with pytest.raises(ZeroJHubError, match=r"class2 has no copy of what ada had"):
        doing(world, copying.finish)
    assert torn_down == []


def test_there_is_no_way_back_after_the_end(world, torn_down):
    there(world)
    for kind in ("Deployment", "PersistentVolumeClaim", "PersistentVolume", "ConfigMap"):
        world.old.kind(kind).clear()
    world.old.kind("Namespace")[0]["metadata"]["annotations"] = {}
    assert planned(world).progress is Progress.finished
    assert doing(world, copying.finish).volumes == 3
    with pytest.raises(ZeroJHubError, match="class has no hub to go back to"):
        back(world)


# -- the command --------------------------------------------------------------------------------------------------------


def test_going_back_says_who_leaves_something_behind(world):
    there(world)
    old, new = sides(world)
    users = {"ada": "2026-11-30T08:00:00.0Z", "ben": "2026-11-01T08:00:00.0Z", "zerojhub-check": "2026-11-30T09:00:00Z"}
    new.data.items = [SimpleNamespace(user=name, last_used=when) for name, when in users.items()]
    said = anyio.run(copying.ask_back, ("class", "class2"), old, new)
    assert "what was written on class2 since stays there (ada worked there)" in said


def test_a_plan_says_how_much_is_copied_and_where_through(world, capsys):
    there(world, kill_at=0)
    back(world)
    show_move_plan(planned(world), Output.table)
    shown = capsys.readouterr().out
    assert f"move: to do; 3 volumes, 30 GB, copied through {PLACE}" in shown
    assert "note: 3.0 GB of files in the last backups of 3 owners" in shown
    assert "nobody can work for about 90 s" in shown
    show_move_plan(planned(world), Output.json)
    assert json.loads(capsys.readouterr().out)["through"] == PLACE


def test_what_was_done_is_said_with_what_is_left(capsys):
    show_moved(switch.Moved("http://hub/", 3, 52.4, False, copied=True), Output.table, back=False, quiet=False)
    assert "copied 3 volumes, 52 s without a hub" in capsys.readouterr().err
    show_moved(switch.Moved("http://hub/", 3, 52.4, False, copied=True), Output.table, back=True, quiet=False)
    assert "what was written on the new cluster since is left there" in capsys.readouterr().err
    kept = [KeptVolume("v", "pvc-v", 10, "ada"), KeptVolume("w", "pvc-w", 11, "ben")]
    show_finished(switch.Finished(2, kept, None, copied=True), "class", Path("old.yaml"), Output.table)
    assert capsys.readouterr().out == (
        "class is deleted; 2 volumes of the new hub verified; the old volumes, 2 with 21 GB, are there as well;"
        " to delete them: zerojhub down --delete-data -f old.yaml\n"
    )


def test_a_mistake_is_reported_before_a_cloud_is_asked(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\ncloud: nowhere\ncluster: {{template: t}}\n")
    words = ["move", "-f", str(tmp_path / "one.yaml"), "--to", str(tmp_path / "two.yaml"), "--copy"]
    assert "neither file has a section backup" in run(*words, code=2).stderr
    assert "--rehearse needs volumes that Cinder can copy" in run(*words, "--rehearse", code=2).stderr
