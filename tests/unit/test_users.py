"""Adding, removing, starting and stopping users, on a fake hub whose spawner deletes claims as KubeSpawner does."""

from __future__ import annotations

import functools
import json
from typing import Any

import anyio
import httpx
import pytest

from tests.unit.fakehub import FakeHub
from tests.unit.kubernetes import Cluster
from zerojhub.cli import app
from zerojhub.cli.users import names_of, report
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub import classlist
from zerojhub.hub.client import HubClient, User, UserServer
from zerojhub.hub.users import Leaving, UserRow, Users
from zerojhub.kube import kinds, volumes
from zerojhub.kube.client import KubeError
from zerojhub.kube.volumes import Volume
from zerojhub.report.hub import show_leaving
from zerojhub.report.results import Output


class Storage(Cluster):
    """Claims and volumes as Kubernetes binds and deletes them."""

    loses_claims = False
    """Whether no claim can be created."""

    def give(self, user: str, claim: str | None = None, *, policy: str = "Delete", annotated: bool = True) -> None:
        """A bound claim of 10 GB."""
        claim = claim or f"claim-{user}"
        number = len(self.objects.setdefault("PersistentVolume", [])) + 1
        name = f"pvc-{number}"
        annotations = {"hub.jupyter.org/username": user, "pv.kubernetes.io/bind-completed": "yes"}
        meta = {"name": claim, "namespace": "hub", "uid": f"u{number}", "labels": {"component": "singleuser-storage"}}
        if annotated:
            meta["annotations"] = annotations
        spec = {"volumeName": name, "resources": {"requests": {"storage": "10Gi"}}, "storageClassName": "cinder"}
        self.objects.setdefault("PersistentVolumeClaim", []).append(
            {"metadata": meta, "spec": spec, "status": {"phase": "Bound"}}
        )
        self.objects["PersistentVolume"].append(
            {
                "metadata": {"name": name},
                "spec": {
                    "capacity": {"storage": "10Gi"},
                    "persistentVolumeReclaimPolicy": policy,
                    "claimRef": {"namespace": "hub", "name": claim, "uid": f"u{number}"},
                    "csi": {"driver": volumes.CINDER, "volumeHandle": f"cinder-{number}"},
                },
            }
        )

    def volume(self, name: str) -> dict[str, Any]:
        return next(each for each in self.objects["PersistentVolume"] if each["metadata"]["name"] == name)

    async def merge(self, kind, name, namespace, change):
        await super().merge(kind, name, namespace, change)
        spec = self.volume(name)["spec"]
        merged = spec["claimRef"] | change["spec"].get("claimRef", {})
        spec |= change["spec"] | {"claimRef": {key: value for key, value in merged.items() if value is not None}}
        return self.volume(name)

    async def delete(self, kind, name, namespace=None, *, wait=0, dependents_first=False):
        bound = [each for each in self.objects["PersistentVolume"] if each["spec"]["claimRef"]["name"] == name]
        await super().delete(kind, name, namespace)
        for volume in bound:
            if volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete":
                self.objects["PersistentVolume"].remove(volume)

    async def create(self, kind, manifest, *, dry_run=False):
        if self.loses_claims:
            raise KubeError("quota exceeded", status=403)
        free = "uid" not in self.volume(manifest["spec"]["volumeName"])["spec"]["claimRef"]
        meta = manifest["metadata"] | {"uid": "new"}
        made = manifest | {"metadata": meta, "status": {"phase": "Bound" if free else "Pending"}}
        self.objects["PersistentVolumeClaim"].append(made)
        return made

    def claims(self) -> list[str]:
        return [each["metadata"]["name"] for each in self.objects["PersistentVolumeClaim"]]


@pytest.fixture
def hub(monkeypatch) -> FakeHub:
    hub = FakeHub.install(monkeypatch)
    hub.users = {name: {"name": name, "admin": False, "servers": {}} for name in ("ada", "ben")}
    return hub


@pytest.fixture
def storage(hub) -> Storage:
    """The claims of the hub's users; the spawner deletes that of a deleted user."""
    storage = Storage()
    storage.objects |= {"PersistentVolume": [], "PersistentVolumeClaim": []}

    def on_delete(name: str) -> None:
        for claim in list(storage.objects["PersistentVolumeClaim"]):
            if claim["metadata"]["name"] == f"claim-{name}":
                storage.objects["PersistentVolumeClaim"].remove(claim)
                bound = storage.volume(claim["spec"]["volumeName"])
                if bound["spec"]["persistentVolumeReclaimPolicy"] == "Delete":
                    storage.objects["PersistentVolume"].remove(bound)

    hub.on_delete = on_delete
    return storage


def do(method: str, *words, said: list[str] | None = None) -> list[UserRow]:
    async def run():
        async with HubClient("http://hub", "t0ken") as client:
            known = await Users.of(client, (said if said is not None else []).append)
            return await getattr(known, method)(*words)

    return anyio.run(run)


def remove(storage: Storage, *names: str, with_data: bool = False) -> list[UserRow]:
    async def run():
        async with HubClient("http://hub", "t0ken") as client:
            known = await Users.of(client, lambda text: None)
            leaving = await known.leaving(storage, "hub", names)
            return await known.remove(storage, "hub", leaving, with_data=with_data)

    return anyio.run(run)


def outcomes(rows: list[UserRow]) -> list[tuple[str, str, str]]:
    return [(row.name, row.outcome, row.detail) for row in rows]


def test_users_are_added_once_and_named_as_the_hub_names_them(hub):
    said: list[str] = []
    assert outcomes(do("add", ["Cleo", "ADA", "dan"], said=said)) == [
        ("cleo", "added", "given as Cleo"),
        ("ada", "already a user", "given as ADA"),
        ("dan", "added", ""),
    ]
    assert list(hub.users) == ["ada", "ben", "cleo", "dan"]
    assert said[-1] == "3 of 3 users"


def test_one_who_cannot_be_added_does_not_stop_the_others(hub):
    rows = do("add", ["a/b", "dan"])
    assert [row.outcome for row in rows] == ["failed", "added"]
    assert rows[0].detail == "POST http://hub/hub/api/users: the hub responded 400: Invalid username: a/b"


def test_an_addition_whose_answer_is_lost_is_not_repeated(hub, monkeypatch):
    async def known():
        async with HubClient("http://hub", "t0ken") as client:
            people = await Users.of(client, lambda text: None)
            hub.faults = [httpx.ReadError("reset")]
            return await people.add(["dan"])

    monkeypatch.setattr("zerojhub.retry.FIRST", 0.01)
    assert outcomes(anyio.run(known)) == [("dan", "added", "")]


def test_administrators_are_made_and_unmade(hub):
    assert outcomes(do("set_admin", ["ada"], True)) == [("ada", "now an administrator", "")]
    assert hub.users["ada"]["admin"] is True
    assert outcomes(do("set_admin", ["Ada"], True)) == [("ada", "already an administrator", "given as Ada")]
    assert outcomes(do("set_admin", ["ada", "ben"], False)) == [
        ("ada", "now a user", ""),
        ("ben", "already a user", ""),
    ]


def test_a_service_that_lacks_the_right_gets_it_with_up(hub):
    hub.admin_token = "another"
    [row] = do("set_admin", ["ada"], True)
    assert row.outcome == "failed"
    assert row.detail.endswith("Only admins can grant admin permissions (zerojhub up gives zerojhub's own service in the "
                               "hub the rights that it lacks)")  # fmt: skip


@pytest.mark.parametrize("method", ["start", "stop"])
def test_a_name_that_nobody_has(hub, method):
    assert outcomes(do(method, ["adda", "zzzz"])) == [
        ("adda", "failed", "no such user (did you mean ada?)"),
        ("zzzz", "failed", "no such user (zerojhub hub users add)"),
    ]


def test_servers_are_started_until_they_are_ready_and_stopped_until_they_are_gone(hub):
    assert outcomes(do("start", ["ada"])) == [("ada", "started", "")]
    assert outcomes(do("start", ["ada"])) == [("ada", "already running", "")]
    hub.users["ada"]["servers"]["second"] = {"url": "/user/ada/second/"}
    hub.looks_until_stopped = 2
    assert outcomes(do("stop", ["ada", "ben"])) == [("ada", "stopped", ""), ("ben", "not running", "")]
    assert hub.users["ada"]["servers"] == {}


def test_a_server_that_fails_to_start_is_reported(hub):
    hub.events = [{"failed": True, "message": "no room"}]
    assert outcomes(do("start", ["ada"])) == [("ada", "failed", "the server of ada failed to start: no room")]


def test_those_with_servers(hub):
    hub.users["ben"]["servers"] = {"": {"url": "/user/ben/", "pending": "spawn"}}

    async def run():
        async with HubClient("http://hub") as client:
            return (await Users.of(client, lambda text: None)).with_servers()

    assert anyio.run(run) == ["ben"]


def test_a_removed_users_volume_keeps_its_claim(hub, storage):
    storage.give("ada")
    storage.give("ben")
    hub.users["ada"]["servers"] = {"": {"url": "/user/ada/"}}
    assert outcomes(remove(storage, "Ada", "nobody")) == [
        ("ada", "removed", "given as Ada, kept volume cinder-1 (10 GB)"),
        ("nobody", "not a user", ""),
    ]
    assert list(hub.users) == ["ben"]
    assert storage.volume("pvc-1")["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert storage.volume("pvc-2")["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    claim = anyio.run(storage.get, kinds.PERSISTENT_VOLUME_CLAIM, "claim-ada", "hub")
    assert claim["metadata"]["annotations"] == {"hub.jupyter.org/username": "ada"}
    assert claim["metadata"]["labels"] == {"component": "singleuser-storage"}
    assert claim["spec"]["volumeName"] == "pvc-1"
    assert claim["status"]["phase"] == "Bound"


def test_a_volume_that_a_user_has_got_since_the_question_is_kept(hub, storage):
    async def run():
        async with HubClient("http://hub", "t0ken") as client:
            known = await Users.of(client, lambda text: None)
            leaving = await known.leaving(storage, "hub", ["ada"])
            storage.give("ada")
            return await known.remove(storage, "hub", leaving, with_data=False)

    assert outcomes(anyio.run(run)) == [("ada", "removed", "kept volume cinder-1 (10 GB)")]
    assert storage.claims() == ["claim-ada"]


def test_a_claim_that_the_spawner_does_not_delete_is_left_alone(hub, storage):
    storage.give("ada", "claim-ada-old")
    remove(storage, "ada")
    claim = anyio.run(storage.get, kinds.PERSISTENT_VOLUME_CLAIM, "claim-ada-old", "hub")
    assert claim["metadata"]["uid"] == "u1"


@pytest.mark.parametrize(("user", "claim"), [("ada", "claim-ada"), ("a.b@c", "claim-a-2eb-40c"), ("é", "claim--c3-a9")])
def test_a_claim_without_an_annotation_is_known_by_its_name(hub, storage, user, claim):
    hub.users[user] = {"name": user, "servers": {}}
    storage.give(user, claim, annotated=False)
    assert [volume.id for row in remove(storage, user) for volume in row.volumes] == ["cinder-1"]


def test_a_user_whose_volume_cannot_be_retained_stays(hub, storage, monkeypatch):
    async def ignore(self, kind, name, namespace, change):
        return self.volume(name)

    storage.give("ada")
    monkeypatch.setattr(Storage, "merge", ignore)
    assert outcomes(remove(storage, "ada")) == [("ada", "failed", "volume pvc-1 does not have reclaim policy Retain")]
    assert "ada" in hub.users


def test_a_volume_without_a_new_claim_is_kept_and_reported(hub, storage):
    storage.give("ada")
    storage.loses_claims = True
    assert outcomes(remove(storage, "ada")) == [
        ("ada", "failed", "removed; volume pvc-1 is kept, but without a claim: quota exceeded")
    ]
    assert storage.volume("pvc-1")


def test_data_is_deleted_on_demand_even_after_the_user(hub, storage):
    storage.give("ada", policy="Retain")
    storage.give("ben", "claim-ben-old")
    assert outcomes(remove(storage, "ada", "ben", with_data=True)) == [
        ("ada", "removed", "deleted volume cinder-1 (10 GB)"),
        ("ben", "removed", "deleted volume cinder-2 (10 GB)"),
    ]
    assert (storage.claims(), storage.objects["PersistentVolume"]) == ([], [])
    storage.give("cleo")
    assert outcomes(remove(storage, "cleo")) == [("cleo", "not a user", "kept volume cinder-1 (10 GB)")]
    assert storage.claims() == ["claim-cleo"]
    assert outcomes(remove(storage, "Cleo", with_data=True)) == [
        ("cleo", "not a user", "deleted volume cinder-1 (10 GB)")
    ]
    assert storage.claims() == []


def test_a_volume_that_is_not_deleted_is_a_failure(hub, storage, monkeypatch):
    async def stays(self, kind, name, namespace=None, **options):
        return None

    storage.give("ada", "claim-ada-old")
    monkeypatch.setattr(volumes, "DELETE_TIMEOUT", 0.05)
    monkeypatch.setattr(Storage, "delete", stays)
    assert outcomes(remove(storage, "ada", with_data=True)) == [
        ("ada", "failed", "volume pvc-1 is still being deleted (waited 0.1 s)")
    ]


def test_a_user_who_cannot_be_deleted_keeps_everything(hub, storage):
    storage.give("ada")
    hub.refuse = functools.partial(httpx.Response, 403, json={"message": "forbidden"})
    assert [row.outcome for row in remove(storage, "ada")] == ["failed"]
    assert storage.claims() == ["claim-ada"]


# -- class lists --------------------------------------------------------------------------------------------------------


LISTS = {
    "username first": ("Name,Username,Email\nAda L,ada,ada@x.edu\n", ["ada"], "column Username"),
    "a name that is one word": ("id,name\n1,ada\n2,ben\n", ["ada", "ben"], "column name"),
    "people's names": ("name,email\nAda Lovelace,ada@x.edu\n", ["ada@x.edu"], "column email"),
    "semicolons, quotes and a mark": (
        '\ufeff"First name";"Email address"\r\n"Ada";"ada@x.edu"\r\n', ["ada@x.edu"], "column Email address"),
    "tabs": ("Student\tSIS Login ID\nLovelace, Ada\tada\n", ["ada"], "column SIS Login ID"),
    "bars": ("name|username\nAda L|ada\n", ["ada"], "column username"),
    "as Excel names its delimiter": ("sep=;\r\nusername;name\r\nada;Ada L\r\n", ["ada"], "column username"),
    "no header": ("ada\n\nben\n ben \n", ["ada", "ben"], "its only column (no header)"),
    "a header alone above names": ("username\nada\n", ["ada"], "column username"),
    "rows of other lengths": ("id,username\n1\n2,ada,x\n,,\n", ["ada"], "column username"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LISTS)
def test_a_class_list(tmp_path, kind):
    text, names, source = LISTS[kind]
    path = tmp_path / "class.csv"
    path.write_bytes(text.encode())
    assert classlist.read(path) == classlist.ClassList(names, source)


WRONG = {
    "": "there are no names in it",
    "\n , \n": "there are no names in it",
    "username\n": "there are no names in column username",
    "ID,Full name\n1,Ada L\n": "1: none of its columns is called username, name or email (rename one of ID, Full name, or "
    "keep that column alone)",
    "name,id\nAda Lovelace,1\n": "'Ada Lovelace' in column name is not a user name (add a column username or email)",
    "Ada Lovelace\nBen\n": "'Ada Lovelace' in its only column (no header) is not a user name (add a column username or "
    "email)",
    "username\nada\0\n": "not a CSV file (save it as CSV UTF-8)",
    '"username\nada\nben\n': "3: not a CSV file: unexpected end of data",
    'username\n"a\nb"\n': "'a\\nb' in column username is not a user name (add a column username or email)",
    'username\n"ada"x\n': "2: not a CSV file: ',' expected after '\"'",
    '{"ada": 1}\n': "'{\"ada\": 1}' in its only column (no header) is not a user name (add a column username or email)",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_class_list_without_user_names(tmp_path, text):
    path = tmp_path / "class.csv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        classlist.read(path)
    assert str(caught.value).removeprefix(f"{path}:").strip() == WRONG[text]


@pytest.mark.parametrize("content", [b"\xff\xfea\x00", None])
def test_a_class_list_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "class.csv"
    if content:
        path.write_bytes(content)
    with pytest.raises(UserError, match="not UTF-8" if content else "no such file"):
        classlist.read(path)


def test_names_from_everywhere_are_taken_once(tmp_path, capsys):
    path = tmp_path / "class.csv"
    path.write_text("username\nben\nADA\n")
    assert names_of([" ada ", "cleo"], path) == ["ada", "cleo", "ben"]
    assert capsys.readouterr().err == f"{path}: 2 names from column username\n"


@pytest.mark.parametrize(("names", "said"), [(None, "which users"), (["a/b"], "'a/b' is not"), ([" "], "'' is not")])
def test_names_that_nobody_can_have(names, said):
    with pytest.raises(UserError, match=said):
        names_of(names, None)


# -- the commands -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["", "list", "add ada", "remove ada", "admin ada", "start ada", "stop ada"])
def test_options_before_the_command_count(words):
    with pytest.raises(UserError, match=r"before\.yaml: no such file"):
        app(["hub", "users", "-f", "before.yaml", *words.split()], standalone_mode=False)


def test_stopping_everyone_has_to_be_said():
    with pytest.raises(UserError, match="whose servers"):
        app(["hub", "stop", "-f", "hub.yaml"], standalone_mode=False)


def test_a_failure_for_one_user_fails_the_command_after_the_table(capsys):
    rows = [UserRow("ada", "added"), UserRow("ben", "failed", "no room")]
    with pytest.raises(ZeroJHubError, match="failed for 1 of 2 users: ben"):
        report(rows, Output.json)
    printed = json.loads(capsys.readouterr().out)
    assert printed[1] == {"name": "ben", "outcome": "failed", "detail": "no room", "volumes": []}
    report(rows[:1], Output.table)
    assert capsys.readouterr().out == "NAME  OUTCOME  DETAIL\nada   added\n"


def test_who_is_about_to_leave_is_listed_with_gigabytes(capsys):
    volume = Volume("c-1", "pvc-1", 10, "ada", "claim-ada")
    ada = User("ada", False, None, None, {"": UserServer("/user/ada/", None, None)})
    show_leaving([Leaving("ada", "ada", ada, [volume]), Leaving("ben", "ben", None, [])], with_data=True)
    assert capsys.readouterr().err.splitlines() == [
        "ada: 1 running server, 10 GB (claim-ada) deleted",
        "ben: not a user, no volume",
        "2 users, 10 GB deleted",
    ]
