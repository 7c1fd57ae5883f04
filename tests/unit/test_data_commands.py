"""The commands about users' volumes: which state each is in, adopting, deleting and growing one."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer
from tests.unit.kubernetes import Cluster
from zerojhub.cli.data import of_user
from zerojhub.data import adopt, copy, grow, inventory, kept, remove
from zerojhub.data.inventory import InCinder, InKubernetes, Item, State
from zerojhub.data.kept import KeptVolume
from zerojhub.data.owner import KEPT, Owner
from zerojhub.deployment import Deployment
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack.cinder import Volume
from zerojhub.openstack.session import Cloud
from zerojhub.report.data import show_adopted, show_doomed, show_items
from zerojhub.report.results import ListOutput, Output

DEPLOYMENT = Deployment.model_validate({"name": "class", "cloud": "fake", "cluster": {"template": "t"}})
VOLUMES = f"/volume/v3/{PROJECT}/volumes"
ADA = Owner("class", "claim-ada", "class", "ada")
USERS = {"ada": "2026-11-28T10:00:00Z", "ben": None}


def claim(name: str, volume: str | None = None, phase: str = "Bound", **annotations: str) -> Any:
    keys = {f"hub.jupyter.org/{key}": value for key, value in annotations.items()}
    spec = {"volumeName": volume} if volume else {}
    meta = {"name": name, "namespace": "class", "uid": name, "annotations": keys}
    status = {"phase": phase, "capacity": {"storage": "10Gi"}}
    return {"metadata": meta, "spec": spec | {"storageClassName": "cinder"}, "status": status}


def persistent(name: str, id: str, claim: str = "", policy: str = "Delete", namespace: str = "class") -> Any:
    spec: dict[str, Any] = {"capacity": {"storage": "10Gi"}, "persistentVolumeReclaimPolicy": policy}
    spec["csi"] = {"driver": "cinder.csi.openstack.org", "volumeHandle": id}
    if claim:
        spec["claimRef"] = {"namespace": namespace, "name": claim}
    return {"metadata": {"name": name}, "spec": spec}


def disk(id: str, *servers: str, metadata: dict[str, str] | None = None, status: str = "") -> Volume:
    return {
        "id": id,
        "name": f"pvc-{id}",
        "size": 10,
        "status": status or ("in-use" if servers else "available"),
        "availability_zone": "nova",
        "created_at": "2026-11-28T10:00:00.000000",
        "attachments": [{"server_id": each} for each in servers],
        "metadata": metadata or {},
    }


def disks(*volumes: Volume, kept_ids: tuple[str, ...] = (), tags: tuple[str, ...] = ("c1",)) -> InCinder:
    there = {each["id"]: each for each in volumes}
    owned = [KeptVolume(id, "pvc", 10, "available", "nova", (), ADA) for id in kept_ids]
    return InCinder(there, kept.Found(owned, []), frozenset(tags))


def listed(
    here: InKubernetes | None, there: InCinder | None, users: dict[str, str | None] | None = USERS
) -> list[Item]:
    return inventory.items(DEPLOYMENT, here, there, users)


# -- which state each is in ---------------------------------------------------------------------------------------------

CSI = {"csi.storage.k8s.io/pvc/name": "claim-x-2dy", "csi.storage.k8s.io/pvc/namespace": "class"}
TAGGED = CSI | {"cinder.csi.openstack.org/cluster": "c1"}


def test_each_volume_is_in_the_state_that_kubernetes_cinder_and_the_hub_agree_on():
    here = InKubernetes(
        claims=[
            claim("claim-ada", "pv1", username="ada"),
            claim("claim-ben", "pv2", username="ben"),
            claim("claim-gone", "pv3", username="gone"),
            claim("claim-dan", "pv4", username="dan"),
            claim("claim-eve", "pv5", "Lost", username="eve"),
            claim("claim-fay", None, "Pending", username="fay"),
            claim("claim-adalab", "pv6", username="ada", servername="lab"),
            claim("hub-db-dir", "pv7"),
        ],
        volumes=[
            *(persistent(f"pv{n}", f"v{n}", "c") for n in (1, 2, 3, 4, 6, 7)),
            persistent("pv8", "v8", "claim-left"),
            persistent("pv9", "v9", "other", namespace="elsewhere"),
        ],
        nodes={"s1": "node-1"},
        attached={"pv1": "node-1"},
        used={"claim-ada": 3 << 30},
    )
    there = disks(
        *(disk(f"v{n}") for n in (1, 2, 3, 8)),
        disk("v6", "s1"),
        disk("v7", "elsewhere"),
        disk("lost", metadata=TAGGED),
        disk("theirs", metadata=TAGGED | {"csi.storage.k8s.io/pvc/namespace": "another"}),
        disk("kept", metadata=ADA.metadata() | {KEPT: "2026"}),
        disk("unrelated"),
        kept_ids=("kept",),
    )
    found = listed(here, there)
    assert [(each.owner, each.volume, each.state, each.attached_to) for each in found] == [
        ("ada", "v1", "in use", "node-1"),
        ("ada", "kept", "kept", None),
        ("ada (server lab)", "v6", "in use", "node-1"),
        ("ben", "v2", "idle", None),
        ("dan", "v4", "claim without volume", None),
        ("eve", None, "claim without volume", None),
        ("fay", None, "pending", None),
        ("gone", "v3", "orphaned", None),
        ("hub-db-dir", "v7", "in use", "elsewhere"),
        ("left", "v8", "volume without claim", None),
        ("x-y", "lost", "volume without claim", None),
    ]
    assert (found[0].used_bytes, found[0].last_used) == (3 << 30, USERS["ada"])


def test_without_a_hub_nobody_is_orphaned_and_without_cinder_no_volume_is_missed():
    here = InKubernetes(claims=[claim("claim-gone", "pv3", username="gone")], volumes=[persistent("pv3", "v3")])
    (alone,) = listed(here, None, users=None)
    assert (alone.state, alone.last_used) == ("idle", None)


def test_a_claim_without_an_annotation_is_a_users_only_if_the_hub_has_made_it():
    old, other = claim("claim-ada-2db", "pv1"), claim("claim-shared", "pv2")
    old["metadata"]["labels"] = {"component": "singleuser-storage"}
    here = InKubernetes(claims=[old, other], volumes=[persistent("pv1", "v1"), persistent("pv2", "v2")])
    assert [(each.user, each.state) for each in listed(here, None)] == [("ada-b", "orphaned"), (None, "idle")]


def test_without_a_cluster_there_are_the_kept_volumes():
    there = disks(disk("kept"), disk("unrelated"), kept_ids=("kept",), tags=())
    assert [(each.owner, each.volume, each.state) for each in listed(None, there, None)] == [("ada", "kept", "kept")]


def test_a_cluster_that_does_not_respond_has_the_volumes_that_cinder_says_are_its_own():
    there = disks(disk("v1", "s9", metadata=TAGGED), disk("v2", metadata=TAGGED), disk("v3"))
    found = [(each.claim, each.volume, each.state, each.attached_to) for each in listed(None, there, None)]
    assert found == [("claim-x-2dy", "v1", "in use", "s9"), ("claim-x-2dy", "v2", "idle", None)]


class Measured(Cluster):
    """A cluster with kubelets; that of `silent` does not respond. Counts its list requests."""

    asked = 0

    async def list(self, kind, namespace=None, *, labels="", fields=""):
        self.asked += 1
        return await super().list(kind, namespace, labels=labels, fields=fields)

    async def stats(self, node):
        if node == "silent":
            await anyio.sleep_forever()
        reference = {"pvcRef": {"name": "claim-0", "namespace": "class"}, "usedBytes": 5}
        return {"pods": [{"volume": [reference, {"usedBytes": 1}]}, {}]}


def node(name: str) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"machineID": name}}
    return {"metadata": {"name": name}, "spec": {"providerID": f"openstack:///{name}"}, "status": status}


def test_two_hundred_claims_take_one_request_for_each_kind(monkeypatch):
    monkeypatch.setattr(inventory, "STATS_TIMEOUT", 1)
    numbers = range(200)
    cluster = Measured(
        PersistentVolumeClaim=[claim(f"claim-{n}", f"pv{n}", username=f"u{n}") for n in numbers],
        PersistentVolume=[persistent(f"pv{n}", f"v{n}", f"claim-{n}") for n in numbers],
        VolumeAttachment=[
            {"spec": {"nodeName": name, "source": {"persistentVolumeName": volume}}}
            for volume, name in (("pv0", "node-1"), ("pv1", "silent"))
        ],
        Node=[node("node-1"), node("silent"), node("unused")],
    )
    here = anyio.run(inventory.in_kubernetes, cluster, "class")
    found = listed(here, disks(*(disk(f"v{n}") for n in numbers)), {f"u{n}": None for n in numbers})
    assert cluster.asked == 4
    assert here.used == {"claim-0": 5}
    assert sum(each.state is State.idle for each in found) == 198


def test_the_list_is_a_table_or_a_spreadsheet(capsys):
    item = Item("ada", "ada", "", "claim-ada", "v1", "pv1", 10, 3 << 29, "node-1", USERS["ada"], State.in_use)
    show_items([item], ListOutput.table)
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["OWNER", "STATE", "SIZE_GB", "USED_GB", "LAST_USED", "ATTACHED_TO", "CLAIM", "VOLUME"]
    assert row.split() == ["ada", "in", "use", "10", "1.5", "2026-11-28", "10:00", "node-1", "claim-ada", "v1"]
    show_items([replace(item, owner='a,"b')], ListOutput.csv)
    header, row = capsys.readouterr().out.splitlines()
    assert header.split(",")[:3] == ["owner", "user", "server"]
    assert row.startswith('"a,""b",ada,,claim-ada,v1,pv1,10,1610612736,node-1')
    show_doomed([item])
    assert capsys.readouterr().err == "ada  10 GB  volume v1, claim claim-ada  in use\n"
    show_adopted("v1", "ada", "the next `zerojhub up` gives it back", Output.table)
    assert capsys.readouterr().out == "volume v1 is ada's; the next `zerojhub up` gives it back\n"


# -- adopting -----------------------------------------------------------------------------------------------------------

BEN = Owner("class", "", "class", "ben")


def item(owner: Owner, volume: str | None, state: State = State.idle) -> Item:
    name = owner.claim or None
    return Item(owner.label, owner.user, owner.server, name, volume, "pv", 10, None, None, None, state)


def adopted(volume: Volume, owner: Owner = BEN, *items: Item, here: InKubernetes | None = None) -> adopt.Adoption:
    return adopt.plan(volume["id"], owner, items, here, disks(volume))


def test_a_volume_that_is_nobodys_becomes_the_users():
    planned = adopted(disk("v1"))
    assert (planned.owner, planned.taken_from) == (BEN, None)


def test_a_volume_keeps_its_file_system_and_is_taken_from_whom_it_belongs_to():
    marked = disk("v1", metadata=replace(ADA, file_system="xfs").metadata())
    planned = adopted(marked)
    assert (planned.owner.file_system, planned.taken_from) == ("xfs", "ada")
    assert adopted(disk("v1", metadata=replace(ADA, deployment="old").metadata())).taken_from == "ada of deployment old"
    assert adopted(disk("v1", metadata=TAGGED)).taken_from == "x-y"
    assert adopted(marked, replace(BEN, user="ada")).taken_from is None


@pytest.mark.parametrize(
    ("volume", "items", "here", "message"),
    [
        (disk("v1", "s1"), [], InKubernetes(nodes={"s1": "node-1"}), "in use: server node-1 has it"),
        (disk("v1", status="error"), [], None, "has status error"),
        (disk("v1"), [item(replace(BEN, claim="claim-ben"), "v2")], None, "ben already has volume v2 .10 GB, idle."),
        (disk("v1"), [item(replace(BEN, claim="claim-ben"), None, State.pending)], None, "has claim claim-ben"),
        (disk("v1"), [item(BEN, "v2", State.kept)], None, "zerojhub data remove ben"),
        (
            disk("v1"),
            [],
            InKubernetes(volumes=[persistent("pv1", "v1", "theirs", namespace="other")]),
            "claim theirs in namespace other has volume v1",
        ),
    ],
)
def test_a_volume_that_cannot_be_the_users_is_refused(volume, items, here, message):
    with pytest.raises(UserError, match=message):
        adopted(volume, BEN, *items, here=here)


def test_the_hubs_volume_is_refused_while_the_hub_has_one():
    hub = Owner("class", "hub-db-dir", "class")
    with pytest.raises(UserError, match="hub-db-dir already has volume v2"):
        adopted(disk("v1"), hub, item(hub, "v2"))
    assert adopted(disk("v1"), hub, item(replace(BEN, claim="claim-ben"), "v2")).owner == hub


def test_a_named_server_gets_a_volume_of_its_own():
    assert (
        adopted(disk("v1"), replace(BEN, server="lab"), item(replace(BEN, claim="claim-ben"), "v2")).taken_from is None
    )


# -- deleting -----------------------------------------------------------------------------------------------------------


class Driver(Cluster):
    """Deletes the volume of a deleted claim, as a CSI driver does."""

    async def merge(self, kind, name, namespace, change):
        await super().merge(kind, name, namespace, change)
        volume = await self.get(kind, name)
        volume["spec"] |= change["spec"]
        return volume

    async def delete(self, kind, name, namespace=None, **options):
        for volume in list(self.objects["PersistentVolume"]):
            spec = volume["spec"]
            if spec.get("claimRef", {}).get("name") == name and spec["persistentVolumeReclaimPolicy"] == "Delete":
                self.objects["PersistentVolume"].remove(volume)
        await super().delete(kind, name, namespace, **options)


def test_claims_persistent_volumes_and_kept_volumes_are_deleted(fake_cloud):
    fake_cloud.answer(
        f"GET {VOLUMES}/detail", Answer(200, {"volumes": [disk("kept"), disk("v2")]}), Answer(200, {"volumes": []})
    )
    for id in ("kept", "v2"):
        fake_cloud.answer(f"DELETE {VOLUMES}/{id}", Answer(202))
    cluster = Driver(
        PersistentVolumeClaim=[
            claim("claim-ada", "pv1", username="ada"),
            claim("claim-lost", "pv9", username="ada"),
            claim("claim-ben", "pv3", username="ben"),
        ],
        PersistentVolume=[
            persistent("pv1", "v1", "claim-ada", policy="Retain"),
            persistent("pv2", "v2", "claim-old"),
            persistent("pv3", "v3", "claim-ben"),
        ],
    )
    lost = replace(item(replace(ADA, claim="claim-lost"), None, State.no_volume), persistent_volume="pv9")
    doomed = [
        replace(item(ADA, "v1"), persistent_volume="pv1"),
        replace(item(replace(ADA, claim="claim-old"), "v2", State.no_claim), persistent_volume="pv2"),
        replace(item(ADA, "kept", State.kept), persistent_volume=None),
        lost,
    ]

    async def work() -> None:
        await remove.delete(cluster, Cloud("fake"), "class", doomed, print)

    anyio.run(work)
    assert [each["metadata"]["name"] for each in cluster.objects["PersistentVolumeClaim"]] == ["claim-ben"]
    assert [each["metadata"]["name"] for each in cluster.objects["PersistentVolume"]] == ["pv3"]
    deleted = [each.path.rpartition("/")[2] for each in fake_cloud.requests if each.method == "DELETE"]
    assert sorted(deleted) == ["kept", "v2"]


def test_a_volume_that_cinder_does_not_delete_is_a_failure(fake_cloud, monkeypatch):
    monkeypatch.setattr("zerojhub.openstack.leftovers.DETACH_TIMEOUT", -1)
    fake_cloud.answer(f"GET {VOLUMES}/detail", Answer(200, {"volumes": [disk("v1")]}))
    refusal = {"badRequest": {"code": 400, "message": "Invalid volume: Volume has snapshots"}}
    fake_cloud.answer(f"DELETE {VOLUMES}/v1", Answer(400, refusal))

    async def work() -> None:
        await remove.delete(None, Cloud("fake"), "class", [item(ADA, "v1", State.kept)], print)

    with pytest.raises(ZeroJHubError, match="Cinder still has v1"):
        anyio.run(work)


def pod(name: str, uses: str, user: str | None = None, phase: str = "Running") -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "namespace": "class"}
    if user:
        meta |= {"labels": {"component": "singleuser-server"}, "annotations": {"hub.jupyter.org/username": user}}
    spec = {"volumes": [{"persistentVolumeClaim": {"claimName": uses}}]}
    return {"metadata": meta, "spec": spec, "status": {"phase": phase}}


def test_the_users_servers_are_stopped_and_nothing_else_is():
    def stop(*pods: dict[str, Any]) -> Cluster:
        cluster = Cluster(Pod=list(pods))
        anyio.run(remove.stop_pods, cluster, "class", "ada", [item(ADA, "v1")])
        return cluster

    assert stop(pod("jupyter-ada", "claim-ada", "ada"), pod("b", "claim-ben", "ben")).deleted == ["jupyter-ada"]
    with pytest.raises(ZeroJHubError, match=r"pod copy uses a volume of ada .*kubectl -n class delete pod copy"):
        stop(pod("jupyter-ada", "claim-ada", "ada"), pod("copy", "claim-ada"))


def test_a_user_is_known_by_name_as_the_hub_writes_it():
    items = [item(ADA, "v1"), item(replace(ADA, server="lab"), "v2"), item(replace(ADA, user="ben"), "v3")]
    assert [each.volume for each in of_user(items, "Ada")] == ["v1", "v2"]
    with pytest.raises(UserError, match=r"adda has no volume \(did you mean ada"):
        of_user(items, "adda")


# -- growing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "gb"), [("20", 20), ("20Gi", 20), ("20G", 19), ("1Ti", 1024), ("20GB", 19)])
def test_sizes_are_given_as_in_kubernetes_and_counted_as_in_cinder(text, gb):
    assert grow.gigabytes(text) == gb


@pytest.mark.parametrize("text", ["", "many", "-5Gi", "1M", "20 Gi"])
def test_other_sizes_are_refused(text):
    with pytest.raises(UserError):
        grow.gigabytes(text)


class Resizer(Cluster):
    """Does to the claim what `grows` says after its request was changed."""

    grows: dict[str, Any] | None = {"capacity": {"storage": "20Gi"}}

    async def merge(self, kind, name, namespace, change):
        await super().merge(kind, name, namespace, change)
        claim = await self.get(kind, name, namespace)
        claim["spec"] |= change["spec"]
        claim["status"] |= self.grows or {}
        if self.grows is None:
            event = {"metadata": {"namespace": "class", "creationTimestamp": "2026"}, "reason": "VolumeResizeFailed"}
            reference = {"involvedObject": {"name": name}, "message": "quota\nexceeded"}
            self.objects["Event"] = [event | reference]
        return claim


PENDING = {"conditions": [{"type": "FileSystemResizePending", "status": "True"}]}


def grown(cluster: Cluster, size: int = 20) -> grow.Grown:
    return anyio.run(grow.grow, cluster, "class", "claim-ada", size, lambda text: None)


def resizer(*pods: dict[str, Any], **storage_class: Any) -> Resizer:
    classes = [{"metadata": {"name": "cinder"}, "allowVolumeExpansion": True} | storage_class]
    return Resizer(PersistentVolumeClaim=[claim("claim-ada", "pv1")], StorageClass=classes, Pod=list(pods))


def test_a_volume_grows():
    cluster = resizer()
    assert grown(cluster).outcome == "grown"
    (change,) = cluster.applied
    assert change["spec"] == {"resources": {"requests": {"storage": "20Gi"}}}
    assert grown(cluster).outcome == "already that large"


def test_a_file_system_that_is_not_mounted_grows_when_it_is(monkeypatch):
    monkeypatch.setattr(Resizer, "grows", PENDING)
    assert grown(resizer(pod("ended", "claim-ada", phase="Succeeded"))).outcome == "grows when the server starts"
    monkeypatch.setattr(grow, "TIMEOUT", -1)
    with pytest.raises(ZeroJHubError, match="growing the file system"):
        grown(resizer(pod("jupyter-ada", "claim-ada", "ada")))


@pytest.mark.parametrize(
    ("cluster", "size", "message"),
    [
        (resizer(), 5, "10 GB: volumes cannot shrink"),
        (resizer(allowVolumeExpansion=False), 20, "cinder does not allow .*kubectl patch storageclass cinder"),
        (Resizer(PersistentVolumeClaim=[claim("claim-ada", None, "Pending")]), 20, "has no volume"),
    ],
)
def test_what_cannot_grow_is_refused_before_anything_is_changed(cluster, size, message):
    with pytest.raises(UserError, match=message):
        grown(cluster, size)
    assert cluster.applied == []


@pytest.mark.parametrize(
    ("grows", "message"), [(None, r"quota exceeded \(Kubernetes keeps trying"), ({}, "may have no csi-resizer")]
)
def test_what_does_not_grow_is_a_failure_with_the_drivers_reason(monkeypatch, grows, message):
    monkeypatch.setattr(grow, "TIMEOUT", -1)
    monkeypatch.setattr(grow, "PATIENCE", -1)
    monkeypatch.setattr(Resizer, "grows", grows)
    with pytest.raises(ZeroJHubError, match=message):
        grown(resizer())


# -- copying ------------------------------------------------------------------------------------------------------------


def scripted(folder: Path, *, room: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run what the pod runs, with folders of this machine; `room`: the kilobytes that are free."""
    script = copy.SCRIPT.replace("/dev/termination-log", f"{folder}/log")
    script = script.replace("/from", f"{folder}/source").replace("/to", f"{folder}/target")
    if room is not None:
        script = script.replace("$(df -k --output=avail", f"$(echo {room}; : ").replace("| tail -n 1)", ")")
    environment = {**os.environ, "FOLDER": "from-ada b"}
    return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=20)


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "target").mkdir()
    (source / "ünï 漢.txt").write_text("notes")
    (source / "linked").hardlink_to(source / "ünï 漢.txt")
    (source / "pointer").symlink_to("linked")
    (source / ".hidden").mkdir(mode=0o750)
    with (source / "sparse").open("wb") as sparse:
        sparse.truncate(50 << 20)
    (source / "lost+found").mkdir()
    return tmp_path


def test_a_copy_has_the_same_files_links_modes_and_holes(homes):
    assert scripted(homes).returncode == 0
    copied = homes / "target" / "from-ada b"
    assert sorted(path.name for path in copied.iterdir()) == [".hidden", "linked", "pointer", "sparse", "ünï 漢.txt"]
    assert (copied / "linked").stat().st_nlink == 2
    assert (copied / "pointer").readlink() == Path("linked")
    assert (copied / ".hidden").stat().st_mode & 0o777 == 0o750
    assert (copied / "sparse").stat().st_blocks < 1000
    assert (homes / "log").read_text().isdigit()


def test_nothing_is_overwritten_and_nothing_is_copied_halfway(homes):
    refused = scripted(homes, room=1)
    assert (refused.returncode, refused.stdout) == (1, "it needs 0 MB, and 0 MB are free\n")
    (homes / "target" / "from-ada b").mkdir()
    assert scripted(homes).stdout == "the folder is there already\n"
    assert list((homes / "target").iterdir()) == [homes / "target" / "from-ada b"]


class Nodes(Cluster):
    """Runs each pod at once; it ends with this phase and message."""

    ends: tuple[str, str] = ("Succeeded", "2048")

    async def create(self, kind, manifest, *, dry_run=False):
        phase, message = self.ends
        status = {
            "name": "data",
            "image": "i",
            "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "message": message}},
        }
        made = manifest | {"status": {"phase": phase, "containerStatuses": [status]}}
        self.applied.append(made)
        self.objects.setdefault("Pod", []).append(made)
        return made


def copied(cluster: Cluster) -> copy.Copied:
    homes = ("ada", "claim-ada"), ("ben", "claim-ben")
    return anyio.run(copy.copy, cluster, "class", "hub:1", *homes, lambda text: None)


def test_a_pod_copies_and_is_deleted_afterwards():
    cluster = Nodes(Pod=[pod("ended", "claim-ada", "ada", phase="Succeeded"), pod("b", "claim-cleo", "cleo")])
    assert copied(cluster) == copy.Copied("ada", "ben", "from-ada", 2048)
    (made,) = cluster.applied
    assert cluster.deleted == [made["metadata"]["name"]]
    mounts = {each["mountPath"]: each["readOnly"] for each in made["spec"]["containers"][0]["volumeMounts"]}
    assert mounts == {"/from": True, "/to": False}


def test_a_copy_that_failed_is_an_error_and_leaves_no_pod(monkeypatch):
    monkeypatch.setattr(Nodes, "ends", ("Failed", "cp: cannot stat\n"))
    cluster = Nodes()
    with pytest.raises(ZeroJHubError, match="cannot copy to folder from-ada of ben: cp: cannot stat"):
        copied(cluster)
    assert len(cluster.deleted) == 1


@pytest.mark.parametrize(
    ("using", "message"),
    [(pod("jupyter-ben", "claim-ben", "ben"), "the server of ben runs"), (pod("x", "claim-ada"), "pod x uses")],
)
def test_nothing_is_copied_while_a_server_runs(using, message):
    cluster = Nodes(Pod=[using])
    with pytest.raises(UserError, match=message):
        copied(cluster)
    assert cluster.applied == []
