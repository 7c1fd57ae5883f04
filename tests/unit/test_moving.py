"""Moving a hub: it arrives whole wherever the command was killed, goes back, and what cannot work is refused before."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import anyio
import pytest

from tests.command import run
from tests.unit.kubernetes import Cluster as FakeCluster
from tests.unit.twoclusters import Killed, LiveCluster, World
from zerojhub import graph
from zerojhub.data import accounts, handover, reattach
from zerojhub.data.handover import MOVED_FROM
from zerojhub.data.inventory import Item
from zerojhub.data.inventory import State as VolumeState
from zerojhub.data.owner import KEPT, recorded
from zerojhub.data.reattach import Decision
from zerojhub.deployment import Deployment, load
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.hub.release import InstalledRelease
from zerojhub.moving import address, move, plan, pull, rehearsal, switch
from zerojhub.moving.plan import Place, Progress
from zerojhub.openstack import magnum, neutron
from zerojhub.report.move import show_finished, show_move_plan, show_moved
from zerojhub.report.results import Output
from zerojhub.run import Run, Silent
from zerojhub.stages import Chart, Cluster, Values, kept_address

TAG = "cinder.csi.openstack.org/cluster"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_pauses: None) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    made.install(monkeypatch)
    return made


def planned(world: World) -> plan.Plan:
    async def work() -> plan.Plan:
        old, new = world.runs()
        return await plan.make(await world.look(old), await world.look(new))

    return anyio.run(work)


def there(world: World, *, kill_at: int = 0) -> switch.Moved:
    """`zerojhub move`; killed at that write, if it is one of its writes."""

    async def work() -> switch.Moved:
        old, new = world.runs()
        sides = await world.look(old), await world.look(new)
        return await move.there(*sides, await plan.make(*sides))

    moved: switch.Moved = killed_at(world, kill_at, work)
    return moved


def back(world: World, *, kill_at: int = 0) -> switch.Moved:
    async def work() -> switch.Moved:
        old, new = world.runs()
        sides = await world.look(old), await world.look(new)
        return await move.back(*sides, await plan.make(*sides))

    moved: switch.Moved = killed_at(world, kill_at, work)
    return moved


def killed_at(world: World, number: int, work: Any) -> Any:
    world.writes, world.kill_at = 0, number
    try:
        return anyio.run(work)
    finally:
        world.kill_at = 0


def is_on(world: World, here: LiveCluster, other: LiveCluster) -> None:
    """The hub runs here with everything, and there is nothing of it on the other cluster."""
    name = world.deployments[here].name
    assert here.hub_runs()
    assert not other.hub_runs()
    assert here.has() == set(world.volumes)
    assert other.kind("PersistentVolume") == other.kind("PersistentVolumeClaim") == []
    for volume in world.volumes.values():
        owner = recorded(volume["metadata"])
        assert owner and (owner.deployment, owner.namespace, owner.cluster) == (name, here.namespace, here.uuid)
        assert volume["metadata"][TAG] == here.uuid
        assert KEPT not in volume["metadata"]
    assert world.database["namespace"] == here.namespace


def test_a_hub_moves_with_all_volumes(world):
    moved = there(world)
    is_on(world, world.new, world.old)
    assert (moved.url, moved.volumes, moved.restored) == ("http://c2/", 3, False)
    assert moved.downtime_seconds is not None
    assert planned(world).progress is Progress.moved


def test_moving_again_changes_nothing(world):
    there(world)
    before = world.writes
    there(world)
    assert before > 20
    assert world.writes == 1  # of the stage, which looks whether Helm has something to do
    is_on(world, world.new, world.old)


def every_write(monkeypatch: pytest.MonkeyPatch, way: Any) -> int:
    """How many writes it takes."""
    world = World()
    world.schemas["c2"] = 2
    world.install(monkeypatch)
    if way is back:
        there(world)
    way(world)
    return world.writes


def interrupted(monkeypatch: pytest.MonkeyPatch, way: Any) -> Iterator[World]:
    """A world for each write at which the way there or back was killed; every other one has a newer chart on the new side."""
    for number in range(1, every_write(monkeypatch, way) + 1):
        world = World()
        world.schemas["c2"] = 1 + number % 2
        world.install(monkeypatch)
        if way is back:
            there(world)
        with pytest.raises(Killed):
            way(world, kill_at=number)
        yield world


def test_a_move_that_was_killed_anywhere_is_completed_by_the_next(monkeypatch):
    for world in interrupted(monkeypatch, there):
        there(world)
        is_on(world, world.new, world.old)


def test_a_move_that_was_killed_anywhere_can_be_undone(monkeypatch):
    for world in interrupted(monkeypatch, there):
        back(world)
        is_back(world)


def test_going_back_that_was_killed_anywhere_is_completed_by_the_next(monkeypatch):
    for world in interrupted(monkeypatch, back):
        back(world)
        is_back(world)


def test_going_back_that_was_killed_anywhere_can_be_turned_around(monkeypatch):
    for world in interrupted(monkeypatch, back):
        there(world)
        is_on(world, world.new, world.old)


def is_back(world: World) -> None:
    assert world.old.hub_runs()
    assert not world.new.hub_runs()
    assert world.old.has() == set(world.volumes)
    assert world.new.kind("PersistentVolume") == []
    for volume in world.volumes.values():
        owner = recorded(volume["metadata"])
        assert owner is None or owner.deployment == "class"
        assert volume["metadata"][TAG] == "c1"
        assert KEPT not in volume["metadata"]
    policies = {each["spec"]["persistentVolumeReclaimPolicy"] for each in world.old.kind("PersistentVolume")}
    assert policies == {"Delete"}


def test_accounts_of_a_newer_hub_are_restored_on_the_way_back(monkeypatch):
    world = World()
    world.schemas["c2"] = 2
    world.install(monkeypatch)
    there(world)
    assert world.database["schema"] == 2
    assert back(world).restored
    assert world.database == {"schema": 1, "namespace": "class"}


def test_a_move_can_be_made_again_after_it_was_undone(world):
    there(world)
    back(world)
    assert planned(world).progress is Progress.to_do
    there(world)
    is_on(world, world.new, world.old)
    assert {volume["metadata"][MOVED_FROM] for volume in world.volumes.values()} == {"class"}


def test_names_are_those_of_the_new_hubs_spawner(monkeypatch):
    world = World()
    world.schemas["c2"] = 2
    world.install(monkeypatch)
    there(world)
    assert "claim-ada-b" in {each["metadata"]["name"] for each in world.new.kind("PersistentVolumeClaim")}


def test_a_plan_says_who_moves_and_where_each_volume_is(world, monkeypatch):
    found = planned(world)
    assert found.progress is Progress.to_do
    assert [(each.owner, each.place) for each in found.volumes] == [
        ("ada", Place.old),
        ("ada-b", Place.old),
        ("hub-db-dir", Place.old),
    ]
    writes = every_write(monkeypatch, there)
    world.install(monkeypatch)
    with pytest.raises(Killed):
        there(world, kill_at=writes // 2)
    found = planned(world)
    assert found.progress is Progress.under_way
    assert len(found.volumes) == 3
    assert Place.between in {each.place for each in found.volumes}


# -- what cannot work ---------------------------------------------------------------------------------------------------


def deployment(folder: Path, text: str) -> Deployment:
    path = folder / "hub.yaml"
    path.write_text(f"{{{text}}}")
    return load(path)


def test_two_deployments_whose_parts_would_be_mistaken_for_each_others_are_refused(tmp_path):
    one = deployment(tmp_path, "name: a, cluster: {template: t}")
    with pytest.raises(UserError, match=r"hub.yaml:1: both deployments are named a,.*\(give the new one another name"):
        plan.refuse_alike(one, deployment(tmp_path, "name: a, cluster: {template: t}, hub: {namespace: b}"))
    with pytest.raises(UserError, match="both deployments are on cluster a in namespace a"):
        plan.refuse_alike(one, deployment(tmp_path, "name: b, cluster: {template: t, name: a}, hub: {namespace: a}"))
    plan.refuse_alike(one, deployment(tmp_path, "name: b, cluster: {template: t}, hub: {namespace: a}"))
    plan.refuse_alike(one, deployment(tmp_path, "name: b, cluster: {template: t, name: a}"))


@pytest.mark.parametrize(
    ("installed", "wanted", "older"),
    [
        ("jupyterhub-3.3.8", "jupyterhub-4.4.0", False),
        ("jupyterhub-4.4.0", "jupyterhub-4.4.0", False),
        ("jupyterhub-4.4.0", "jupyterhub-3.3.8", True),
        ("jupyterhub-4.10.0", "jupyterhub-4.9.0", True),
        ("jupyterhub-4.4.0", "jupyterhub-4.4.0-0.dev", True),
        ("our-own-2.0.0", "jupyterhub-1.0.0", False),
        ("jupyterhub-latest", "jupyterhub-1.0.0", False),
    ],
)
def test_a_chart_is_older_by_its_version(installed, wanted, older):
    assert plan.is_older(installed, wanted) == older


def side(
    folder: Path, text: str, *, chart: str, project: str = "p1", values: Any = None, moved_to: str | None = None
) -> Any:
    """A side as far as its structure goes: `chart` is installed, and what the files want."""
    name, version = chart.rsplit("-", 1)
    run = SimpleNamespace(deployment=deployment(folder, text), cloud=MagicMock(project_id=project))
    run.cloud.region.get_region_name.return_value = "R1"
    installed = InstalledRelease(1, "deployed", chart, "", values or {})
    rendered = SimpleNamespace(chart=SimpleNamespace(name=name, version=version))
    namespace = run.deployment.namespace
    return SimpleNamespace(
        run=run,
        name=run.deployment.name,
        namespace=namespace,
        installed=installed,
        moved_to=moved_to,
        found={Values: rendered},
    )


OLD = "name: a, cluster: {template: t}"
POSTGRES = {"hub": {"db": {"type": "postgres"}}}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ({}, {}, None),
        ({}, {"chart": "jupyterhub-3.3.8"}, "the hub has chart jupyterhub-4.0.0, and b an older one, 3.3.8"),
        ({"moved_to": "c"}, {}, "the hub of a moves to c, not to b"),
        ({"moved_to": "b"}, {}, None),
        (
            {"values": POSTGRES},
            {"values": POSTGRES},
            "the database notes the namespace of each server .set hub.namespace: a",
        ),
        ({"values": POSTGRES}, {"values": {}}, "the hub keeps its accounts in postgres, and b in sqlite-pvc"),
        (
            {"values": {"hub": {"config": {"KubeSpawner": {"enable_user_namespaces": True}}}}},
            {},
            "every user has a namespace of their own",
        ),
        ({"values": {}}, {"values": {"fullnameOverride": "x"}}, "fullnameOverride was empty, and is x: .*leave it as"),
    ],
)
def test_what_cannot_work_is_a_problem_of_the_plan(tmp_path, old, new, problem):
    for each in ("old", "new"):
        (tmp_path / each).mkdir()
    values = new.pop("values", {})
    here = side(tmp_path / "old", OLD, **{"chart": "jupyterhub-4.0.0"} | old)
    there = side(tmp_path / "new", "name: b, cluster: {template: t}", **{"chart": "jupyterhub-4.0.0"} | new)
    found = [str(each) for each in plan.structural(here, there, values)]
    assert len(found) == (problem is not None)
    assert all(re.search(problem, each) for each in found)


def test_volumes_do_not_go_to_another_project_and_it_is_said_what_does(tmp_path):
    for each in ("old", "new"):
        (tmp_path / each).mkdir()
    here, near, far = (
        side(tmp_path / folder, f"name: {name}, cluster: {{template: t}}", chart="jupyterhub-4.0.0", project=project)
        for folder, name, project in (("old", "a", "p1"), ("new", "b", "p1"), ("new", "b", "p2"))
    )
    assert plan.other_project(here, near) == []
    (problem,) = plan.other_project(here, far)
    assert re.fullmatch(r"\S+:1: b is in another project or region than a, .* \(add --copy: .*\)", str(problem))


def test_people_are_told_what_the_move_does_not_do_for_them(tmp_path, monkeypatch):
    for each in ("old", "new"):
        (tmp_path / each).mkdir()
    old = side(tmp_path / "old", "name: a, cluster: {template: t}, hub: {host: h.org}", chart="jupyterhub-4.0.0")
    new = side(tmp_path / "new", "name: b, cluster: {template: t}, hub: {host: h.org}", chart="jupyterhub-4.0.0")
    about: dict[str, Any] = dict.fromkeys(
        ("user", "server", "persistent_volume", "size_gb", "used_bytes", "attached_to", "last_used")
    )
    items = [
        Item(owner="ada", claim="claim-ada", volume="v1", state=VolumeState.idle, **about),
        Item(owner="ben", claim="claim-ben", volume="v2", state=VolumeState.no_volume, **about),
        Item(owner="nfs", claim="nfs", volume=None, state=VolumeState.idle, **about),
        Item(owner="cleo", claim=None, volume="v3", state=VolumeState.kept, **about),
    ]
    old.data = SimpleNamespace(items=items)
    github = {"hub": {"config": {"JupyterHub": {"authenticator_class": "github"}}}}
    monkeypatch.setattr(plan, "merged_values", lambda side: github)
    said = plan.remarks(old, new)
    assert [line.split(":")[0] for line in said] == [
        "h.org must resolve to the new address when the hub has moved",
        "1 claim without a volume",
        "not in Cinder, so to be set up by yourself",
        "stays with a, because no claim has it",
    ]
    assert [line.rpartition(" ")[2] for line in said[1:]] == ["ben", "nfs", "v3"]
    new.run.deployment.hub.host = None
    assert "register the new address with the provider" in plan.remarks(old, new)[0]


def refusals(world: World) -> str:
    found = planned(world)
    assert found.progress is Progress.to_do
    return "\n".join(str(problem) for problem in found.problems)


def test_nothing_is_stopped_for_a_volume_that_cannot_be_attached(world):
    world.volumes["v-ada"]["status"] = "error"
    assert "volume v-ada of ada has status error: repair it first" in refusals(world)
    with pytest.raises(Problems, match="v-ada"):
        there(world)
    assert world.writes == 0
    assert world.old.hub_runs()


def test_nothing_is_stopped_for_a_new_hub_that_is_in_use(world):
    world.new.objects["Deployment"] = [{"metadata": {"name": "hub", "namespace": "class2", "labels": {}}, "spec": {}}]
    assert "class2 already has a hub, with accounts of its own" in refusals(world)
    world.new.objects["Deployment"] = []
    world.new.objects["PersistentVolumeClaim"] = [
        {"metadata": {"name": "claim-ada", "namespace": "class2"}, "spec": {}}
    ]
    assert "class2 already has 1 claim (delete them" in refusals(world)


def test_nothing_is_stopped_while_another_pod_uses_a_volume(world):
    world.old.kind("Pod").append(world.old.pod("rsync", "", "claim-ada"))
    assert "pod rsync uses a volume" in refusals(world)


def test_the_hub_is_not_started_without_somebodys_volume(world, monkeypatch):
    async def one_missing(*_: Any, **__: Any) -> Any:
        decision = await look(*_, **__)
        lost = [each for each in decision.returns if each.volume.id == "v-ada"]
        returns = [each for each in decision.returns if each not in lost]
        return Decision(returns, [f"volume {each.volume.id} of ada, 1 GB: server s uses it" for each in lost])

    look = reattach.look
    monkeypatch.setattr(reattach, "look", one_missing)
    with pytest.raises(ZeroJHubError, match=r"1 volume cannot be used by class2(.|\n)*server s uses it.*--back"):
        there(world)
    assert not world.new.hub_runs()
    monkeypatch.setattr(reattach, "look", look)
    there(world)
    is_on(world, world.new, world.old)


@pytest.mark.parametrize("who", ["Kubernetes", "Cinder"])
def test_a_volume_that_is_still_attached_stays_where_it_is(world, monkeypatch, who):
    monkeypatch.setattr(handover, "DETACH_TIMEOUT", 0)
    if who == "Cinder":
        world.volumes["v-ada"]["attachments"] = [{"server_id": "n1"}]
    else:
        source = {"persistentVolumeName": "pvc-v-ada"}
        attached = {"metadata": {"name": "a"}, "spec": {"nodeName": "n1", "source": source}}
        world.old.objects["VolumeAttachment"] = [attached]
    with pytest.raises(ZeroJHubError, match="volume v-ada of ada is still attached to n1"):
        there(world)
    assert world.old.has() == set(world.volumes)


# -- rehearsals ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose servers are started in a rehearsal."""
    names: list[str] = []

    async def start(run: Any, user: str) -> rehearsal.Tried:
        names.append(user)
        return rehearsal.Tried(user, 7, 4.2)

    monkeypatch.setattr(rehearsal, "_try", start)
    return names


def rehearse(world: World, *, kill_at: int = 0) -> rehearsal.Rehearsed:
    async def work() -> rehearsal.Rehearsed:
        old, new = world.runs()
        sides = await world.look(old), await world.look(new)
        return await rehearsal.rehearse(*sides, await plan.make(*sides))

    result: rehearsal.Rehearsed = killed_at(world, kill_at, work)
    return result


def test_a_rehearsal_tries_copies_and_leaves_nothing(world, tried):
    before = json.dumps(world.volumes)
    found = rehearse(world)
    assert tried == ["ada-b", "ada"]
    assert [each.files for each in found.people] == [7, 7]
    assert found.downtime_seconds >= 20
    assert json.dumps(world.volumes) == before
    assert world.old.hub_runs()
    assert world.new.kind("Deployment") == world.new.kind("PersistentVolume") == []
    assert not world.new.rehearses()
    there(world)
    is_on(world, world.new, world.old)


def test_a_rehearsal_that_was_killed_anywhere_does_not_disturb_the_move(monkeypatch, tried):
    world = World()
    world.install(monkeypatch)
    rehearse(world)
    for number in range(1, world.writes + 1):
        world = World()
        world.install(monkeypatch)
        with pytest.raises(Killed):
            rehearse(world, kill_at=number)
        assert world.old.hub_runs()
        there(world)
        assert len(world.volumes) == 3
        is_on(world, world.new, world.old)


def test_a_rehearsal_fails_if_somebody_gets_an_empty_volume(world, tried, monkeypatch):
    def lose(copies: Any) -> Any:
        async def changed(new: Any, people: Any) -> None:
            (claim,) = [
                each for each in world.new.kind("PersistentVolumeClaim") if each["metadata"]["name"] == "claim-ada"
            ]
            claim["spec"]["volumeName"] = "pvc-new"
            await copies(new, people)

        return changed

    monkeypatch.setattr(rehearsal, "_refuse_new_volumes", lose(rehearsal._refuse_new_volumes))
    with pytest.raises(ZeroJHubError, match="ada got a new, empty volume with claim claim-ada"):
        rehearse(world)
    assert len(world.volumes) == 3


def test_nothing_is_rehearsed_after_the_move_has_begun(world, tried):
    there(world)
    with pytest.raises(UserError, match="the move is moved"):
        rehearse(world)


def test_a_rehearsed_hub_does_nothing_by_itself_and_takes_no_address(tmp_path):
    hub = "hub: {host: hub.example.org, https: true, contact: a@example.org, address: keep}"
    alone = rehearsal.on_its_own(deployment(tmp_path, f"name: a, cluster: {{template: t}}, {hub}"))
    assert (alone.hub.host, alone.hub.https, alone.hub.contact, alone.hub.address) == (None, None, None, None)
    assert alone.path == tmp_path / "hub.yaml"
    mine = {
        "cull": {"users": True},
        "proxy": {"service": {"loadBalancerIP": "192.0.2.1"}},
        "hub": {"config": {"A": {"b": 1}}},
    }
    assert rehearsal.harmless(mine, "NodePort") == {
        "cull": {"users": True, "enabled": False},
        "proxy": {"service": {}, "https": {"enabled": False}},
        "hub": {"config": {"A": {"b": 1}, "KubeSpawner": {"delete_pvc": False}}},
    }
    internal = {"proxy": {"service": {"type": "ClusterIP"}}}
    assert rehearsal.harmless(internal, "NodePort")["proxy"]["service"] == {"type": "NodePort"}


# -- the address --------------------------------------------------------------------------------------------------------


FLOATING = {"proxy": {"service": {"loadBalancerIP": "192.0.2.7"}}}


class Neutron:
    """The floating IP of the old hub, whose load balancer is deleted after some looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, description: str, looks: int = 2) -> None:
        self.ip = {"id": "f", "floating_ip_address": "192.0.2.7", "description": description, "port_id": "old"}
        self.looks, self.described = looks, list[str]()

        async def floating_ips(cloud: Any, **query: str) -> list[dict[str, Any]]:
            return [self.ip]

        async def get_floating_ip(cloud: Any, ident: str) -> dict[str, Any]:
            self.looks -= 1
            return self.ip if self.looks > 0 else self.ip | {"port_id": None}

        async def describe_floating_ip(cloud: Any, ident: str, description: str) -> None:
            self.ip["description"] = description
            self.described.append(description)

        async def load_balancers(run: Run) -> list[dict[str, Any]]:
            return [{"vip_port_id": run.deployment.name}]

        for each in (floating_ips, get_floating_ip, describe_floating_ip):
            monkeypatch.setattr(neutron, each.__name__, each)
        monkeypatch.setattr(kept_address, "load_balancers", load_balancers)


def party(wanted: str | None, name: str, values: Any = None, **parts: Any) -> Any:
    document = {"name": name, "cloud": "c", "cluster": {"template": "t"}, "hub": {"address": wanted}}
    run = Run(Deployment.model_validate(document), Silent(), MagicMock())
    return SimpleNamespace(
        run=run, release="class", namespace="class", installed=values and SimpleNamespace(values=values), **parts
    )


OWN, NEW = "zerojhub:old: the hub's address", "zerojhub:new: the hub's address"
ALLOCATED = "Floating IP for Kubernetes external service class/proxy-public from cluster c1"


@pytest.mark.parametrize(
    ("old", "new", "description", "described"),
    [
        ((None, FLOATING), (None, FLOATING), "", []),
        ((None, FLOATING), ("192.0.2.7", {}), "mine", []),
        (("keep", FLOATING), ("192.0.2.7", {}), OWN, []),
        (("keep", FLOATING), ("keep", {}), OWN, [OWN, NEW]),
        (("keep", {"hub": {}}), ("keep", {}), ALLOCATED, [OWN, NEW]),
        ((None, {"hub": {}}), (None, FLOATING), "", None),
        ((None, FLOATING), ("keep", {}), "mine", None),
        (("keep", FLOATING), (None, {}), OWN, None),
        (("keep", FLOATING), ("keep", {}), NEW, None),
    ],
    ids=[
        "values",
        "values and file",
        "kept and named",
        "kept",
        "not kept yet",
        *("differ", "mine", "no", "has its own"),
    ],
)
def test_the_old_load_balancer_leaves_an_address_that_both_want_and_keeps_it_for_the_new(
    monkeypatch, old, new, description, described
):
    labels = {"release": "class", "component": "proxy-public"}
    service = {
        "metadata": {"name": "proxy-public", "namespace": "class", "labels": labels},
        "spec": {"type": "LoadBalancer"},
    }
    cluster, project = FakeCluster(Service=[service]), Neutron(monkeypatch, description)
    monkeypatch.setattr(plan, "merged_values", lambda side: new[1])
    monkeypatch.setattr(plan, "project", lambda side: None)
    source, target = party(old[0], "old", old[1], kube=cluster), party(new[0], "new", found={Values: None})
    anyio.run(address.free, source, target, lambda text: None)
    changes = [(each["spec"]["type"], each["metadata"]["annotations"][address.KEEP]) for each in cluster.applied]
    assert changes == [("ClusterIP", "true")] * (described is not None)
    assert project.described == (described or [])
    assert (project.looks == 0) is (described is not None), "it is waited for"


def test_an_address_that_the_new_load_balancer_has_already_is_not_waited_for(monkeypatch):
    project = Neutron(monkeypatch, "", looks=9)
    project.ip["port_id"] = "new"
    monkeypatch.setattr(plan, "merged_values", lambda side: FLOATING)
    monkeypatch.setattr(plan, "project", lambda side: None)
    source, target = (
        party(None, "old", FLOATING, kube=FakeCluster(Service=[])),
        party(None, "new", found={Values: None}),
    )
    anyio.run(address.free, source, target, lambda text: None)
    assert project.looks == 8


# -- images -------------------------------------------------------------------------------------------------------------


class Kubelet(FakeCluster):
    """Its nodes do with a pod's containers what `states` says, one look after the other; the last one stays."""

    def __init__(self, *states: list[dict[str, Any]], phase: str = "Pending") -> None:
        conditions = {"conditions": [{"type": "Ready", "status": "True"}]}
        nodes = [{"metadata": {"name": name, "labels": labels}, "status": conditions} for name, labels in NODES.items()]
        super().__init__(Node=nodes, Pod=[], Namespace=[])
        self.states, self.phase = list(states), phase
        self.before_list = self.go_on

    async def create(self, kind, manifest, *, dry_run=False):
        self.objects["Pod"].append(manifest | {"status": {"phase": "Pending"}})
        self.applied.append(manifest)
        return manifest

    def go_on(self) -> None:
        for pod in self.objects["Pod"]:
            names = [each["image"] for each in pod["spec"]["containers"]]
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            statuses = [
                {"name": "c", "image": image, "restartCount": 0, "state": each}
                for image, each in zip(names, state, strict=True)
            ]
            pod["status"] = {
                "phase": "Pending" if any("waiting" in each for each in state) else self.phase,
                "containerStatuses": statuses,
            }


NODES = {"worker": {}, "master": {"node-role.kubernetes.io/control-plane": ""}}
COMING, ENDED = {"waiting": {"reason": "ContainerCreating"}}, {"terminated": {"exitCode": 0}}
REFUSED = {"waiting": {"reason": "ImagePullBackOff"}}


@pytest.mark.parametrize(
    ("states", "phase", "said"),
    [
        ([[COMING, COMING], [ENDED, COMING], [ENDED, ENDED]], "Succeeded", "2 images on 1 node"),
        ([[ENDED, ENDED]], "Failed", "2 images on 1 node"),
        ([[COMING, COMING], [COMING, REFUSED], [ENDED, REFUSED]], "", "2 images on 1 node, but not own:1"),
    ],
)
def test_images_are_pulled_to_the_workers_and_what_does_not_come_is_not_waited_for(states, phase, said):
    cluster = Kubelet(*states, phase=phase)
    assert anyio.run(pull.pull, cluster, "class2", ["hub:1", "own:1"], lambda text: None) == said
    made = [each for each in cluster.applied if each["kind"] == "Pod"]
    assert [each["spec"]["nodeName"] for each in made] == ["worker"]
    assert cluster.deleted == [each["metadata"]["name"] for each in made]


def test_the_images_are_those_that_the_hub_and_its_users_start_from():
    values = {
        "hub": {"image": {"name": "hub", "tag": "4"}},
        "proxy": {"chp": {"image": {"name": "chp", "tag": "5"}}},
        "singleuser": {
            "image": {"name": "lab", "tag": "1"},
            "networkTools": {"image": {"name": "tools", "tag": "4"}},
            "profileList": [
                {"kubespawner_override": {"image": "gpu:2"}},
                {"kubespawner_override": {"image": "lab:1"}},
                {},
            ],
        },
    }
    assert pull.images_of(values) == ["hub:4", "chp:5", "lab:1", "gpu:2"]


# -- the end ------------------------------------------------------------------------------------------------------------


def finish(world: World) -> switch.Finished:
    async def work() -> switch.Finished:
        old, new = world.runs()
        sides = await world.look(old), await world.look(new)
        return await move.finish(*sides, await plan.make(*sides))

    return anyio.run(work)


@pytest.fixture
def torn_down(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What has been undone: `None` is everything."""
    undone: list[Any] = []

    async def down(run: Run, stages: Any, teardown: Any, *, act: Any = None) -> None:
        undone.append((run.deployment.name, act))

    async def gone(*_: Any) -> None: ...

    monkeypatch.setattr(graph, "down", down)
    monkeypatch.setattr(magnum, "find_cluster", gone)
    return undone


def test_the_old_deployment_is_deleted_only_after_the_hub_has_moved(world, torn_down):
    with pytest.raises(ZeroJHubError, match="the hub has not moved to class2 yet"):
        finish(world)
    assert torn_down == []
    there(world)
    assert finish(world) == switch.Finished(3, [], None)
    assert torn_down == [("class", None)]


def test_there_is_no_way_back_after_the_end(world, torn_down):
    there(world)
    finish(world)
    world.old.objects["Deployment"] = []
    world.old.kind("Namespace")[0]["metadata"]["annotations"] = {}
    assert planned(world).progress is Progress.finished
    assert finish(world).volumes == 3
    with pytest.raises(ZeroJHubError, match=r"class has no hub to go back to .move from class2 to another deployment"):
        back(world)


def test_a_cluster_that_the_new_hub_is_on_stays(world, torn_down):
    there(world)
    world.old.uuid = "c2"
    finish(world)
    ((_, act),) = torn_down
    assert Chart in act
    assert Cluster not in act


def test_a_volume_that_went_with_the_old_cluster_is_reported(world, torn_down, monkeypatch):
    there(world)
    moved = planned(world)
    del world.volumes["v-ada"]

    async def before(*_: Any) -> plan.Plan:
        return moved

    monkeypatch.setattr(plan, "make", before)
    with pytest.raises(ZeroJHubError, match=r"Cinder no longer has v-ada \(ada\)"):
        finish(world)


# -- the hub's database -------------------------------------------------------------------------------------------------


def database(folder: Path, version: str = "1", *servers: dict[str, str] | None) -> Path:
    path = folder / "jupyterhub.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table alembic_version (version_num)")
        db.execute("insert into alembic_version values (?)", (version,))
        db.execute("create table spawners (id integer primary key, state text)")
        for state in servers:
            db.execute("insert into spawners (state) values (?)", (None if state is None else json.dumps(state),))
    return path


def prepared(folder: Path, *, back: bool = False) -> dict[str, Any]:
    script = accounts.SCRIPT.replace("/hub", str(folder)).replace("/dev/termination-log", str(folder / "log"))
    given = {
        "FOLDER": "",
        "NAME": "jupyterhub.sqlite",
        "BACK": "yes" if back else "no",
        "OLD": "class",
        "NEW": "class2",
    }
    subprocess.run([sys.executable, "-c", script], env=os.environ | given, check=True, timeout=60)
    found: dict[str, Any] = json.loads((folder / "log").read_text())
    return found


def states(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return [state and json.loads(state) for (state,) in db.execute("select state from spawners order by id")]


def test_servers_are_noted_in_the_new_namespace_and_keep_their_claims(tmp_path):
    ada = {
        "namespace": "class",
        "dns_name": "jupyter-ada.class.svc",
        "pvc_name": "claim-ada",
        "pod_name": "jupyter-ada",
    }
    path = database(tmp_path, "1", ada, {"namespace": "elsewhere"}, {}, None)
    assert prepared(tmp_path) == {"there": True, "restored": False, "servers": 1}
    moved = {"namespace": "class2", "pvc_name": "claim-ada", "pod_name": "jupyter-ada"}
    assert states(path) == [moved, {"namespace": "elsewhere"}, {}, None]
    assert states(tmp_path / "jupyterhub.sqlite.before-move")[0] == ada


def test_a_database_is_restored_only_if_a_newer_hub_has_upgraded_it(tmp_path):
    path = database(tmp_path, "1", {"namespace": "class"})
    path.chmod(0o640)
    prepared(tmp_path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("insert into spawners (state) values (?)", (json.dumps({"new": "user"}),))
    assert prepared(tmp_path, back=True)["restored"] is False
    assert {"new": "user"} in states(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("update alembic_version set version_num = '2'")
    assert prepared(tmp_path, back=True) == {"there": True, "restored": True, "servers": 1}
    assert states(path) == [{"namespace": "class2"}]
    assert path.stat().st_mode & 0o777 == 0o640
    assert {"new": "user"} in states(tmp_path / "jupyterhub.sqlite.after-move")
    assert prepared(tmp_path, back=True)["restored"] is False


def test_a_hub_without_a_database_has_nothing_to_prepare(tmp_path):
    assert prepared(tmp_path) == {"there": False, "restored": False, "servers": 0}


@pytest.mark.parametrize(
    ("db", "expected"),
    [
        ({}, ("", "jupyterhub.sqlite")),
        ({"pvc": {"subPath": "hub"}, "url": "sqlite:///accounts.db"}, ("hub", "accounts.db")),
        ({"type": "postgres"}, None),
    ],
)
def test_the_database_is_where_the_values_say(db, expected):
    found = accounts.on_volume({"hub": {"db": db}}, "hub-db-dir", "hub:1")
    assert (found and (found.folder, found.name)) == expected


# -- the command --------------------------------------------------------------------------------------------------------


def test_a_mistake_is_reported_before_the_cloud_is_asked(tmp_path):
    files = []
    for name in ("one", "two"):
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text("name: class\ncloud: nowhere\ncluster: {template: t}\n")
    ended = run("move", "-f", str(files[0]), "--to", str(files[1]), code=2)
    assert "two.yaml:1: both deployments are named class" in ended.stderr
    ended = run("move", "-f", str(files[0]), "--to", str(files[1]), "--back", "--finish", code=2)
    assert "--plan, --rehearse, --back and --finish are different things to do" in ended.stderr


def test_a_plan_is_printed_for_people_and_for_programs(world, capsys):
    found = planned(world)
    show_move_plan(found, Output.table)
    shown = capsys.readouterr().out
    assert "move: to do; 3 volumes, 3 GB" in shown
    assert re.search(r"ada-b +1 +old cluster +v-ada-b", shown)
    assert "nobody can work for about 66 s" in shown
    assert shown.splitlines()[-1] == "next: the same command without --plan moves the hub"
    show_move_plan(found, Output.json)
    assert json.loads(capsys.readouterr().out)["volumes"][0] == {
        "owner": "ada",
        "size_gb": 1,
        "volume": "v-ada",
        "place": "old cluster",
    }


def test_what_a_move_did_is_said_beside_the_url(capsys):
    show_moved(switch.Moved("http://hub/", 3, 52.4, True), Output.table, back=True, quiet=False)
    shown = capsys.readouterr()
    assert shown.out == "url: http://hub/\n"
    assert "moved 3 volumes back, 52 s without a hub" in shown.err
    assert "the accounts are those from before the move" in shown.err
    show_moved(switch.Moved("http://hub/", 3, None, False), Output.table, back=False, quiet=True)
    assert capsys.readouterr().err == ""
    show_finished(switch.Finished(3, [], "shared"), "class", Path("hub.yaml"), Output.table)
    assert capsys.readouterr().out == (
        "class is deleted; 3 volumes of the new hub verified; cluster shared is not class's alone, and stays\n"
    )
