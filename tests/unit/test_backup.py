"""Decisions about backups: who is backed up, in which order and where, how a run of the cron job goes, and what is overdue."""

from __future__ import annotations

import ast
import json
import os
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.unit.kubernetes import Cluster
from zerojhub import deployment
from zerojhub.backup import installed, night, objects, pod, recover, state, store, worker
from zerojhub.backup.night import Night
from zerojhub.backup.pod import Settings, Volume
from zerojhub.cli.backup import inside_home, moment
from zerojhub.data import reattach, saved
from zerojhub.deployment import BackupSpec
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub import database as database_of_hub
from zerojhub.hub.names import Scheme
from zerojhub.hub.pods import is_stopped
from zerojhub.kube.crons import Crons
from zerojhub.kube.labels import SERVERNAME, USERNAME
from zerojhub.report.backup import show_backup_status
from zerojhub.report.results import Output

SETTINGS = Settings(
    namespace="class",
    deployment="class",
    image="k8s-hub:4",
    restic="restic:1",
    to="s3:https://store/box",
    keep={"daily": 7, "weekly": 4, "monthly": 0},
    memory="1Gi",
    chart="jupyterhub-4.4.0",
    database=True,
)


def claim(name: str, user: str | None = None, server: str = "", *, phase: str = "Bound", at: int = 0) -> Any:
    annotations = {USERNAME: user} if user else {}
    if server:
        annotations[SERVERNAME] = server
    meta = {"name": name, "creationTimestamp": f"2026-11-0{at + 1}T00:00:00Z", "annotations": annotations}
    return {"metadata": meta, "status": {"phase": phase, "capacity": {"storage": "10Gi"}}}


# -- who is backed up, and where ----------------------------------------------------------------------------------------


def test_everybody_has_a_repository_of_their_own():
    claims = [
        claim("hub-db-dir"),
        claim("claim-ada", "ada"),
        claim("claim-adalab", "ada", "lab"),
        claim("claim-x", "Zoë@example.org"),
        claim("claim-gone", "ben", phase="Pending"),
        claim("claim-zerojhub-check", "zerojhub-check"),
        claim("shared"),
    ]
    found, problems = night.owners(claims, database=True)
    assert [(each.name, each.label, each.claim) for each in found] == [
        ("hub", "hub", "hub-db-dir"),
        ("user---5ao-c3-ab-40example-2eorg", "Zoë@example.org", "claim-x"),
        ("user--ada", "ada", "claim-ada"),
        ("user--ada--lab", "ada (server lab)", "claim-adalab"),
    ]
    assert problems == []


def test_a_user_and_a_server_are_never_taken_for_another_user():
    names = [night.owner_of(user, server).name for user, server in (("a", "b"), ("a--b", ""), ("a-b", ""), ("ab", ""))]
    assert len(set(names)) == 4


def test_a_claim_without_an_annotation_is_its_users_if_the_hub_has_made_it():
    made = claim("claim-ada-2db")
    made["metadata"]["labels"] = {"component": "singleuser-storage"}
    found, _ = night.owners([made], database=True)
    assert [each.user for each in found] == [None, "ada-b"]


def test_the_newer_of_two_claims_is_backed_up_and_the_other_one_is_reported():
    found, problems = night.owners([claim("old", "ada", at=0), claim("new", "ada", at=1)], database=True)
    assert [each.claim for each in found] == [None, "new"]
    assert problems == ["ada has two claims, and old is not backed up"]


def test_a_hub_with_its_database_elsewhere_has_backups_of_the_rest():
    found, _ = night.owners([claim("hub-db-dir")], database=False)
    assert [(each.name, each.claim) for each in found] == [("hub", None)]
    assert night.task_of(SETTINGS, found[0])["database"] is False


# -- a run of the cron job ----------------------------------------------------------------------------------------------


class Here:
    """The API for the cron job. Each new pod ends as `ends` says: a result per repository and attempt, or a pod's change."""

    def __init__(self, claims: list[Any], pods: list[Any] | None = None, **ends: list[Any]) -> None:
        me = {"metadata": {"name": "me", "uid": "me", "creationTimestamp": "2", "labels": {pod.ROLE: "night"}}}
        self._claims, self._pods, self.ends = claims, [*(pods or []), me | PLAIN], ends
        self.noted: dict[str, Any] = {"owners": {}}
        self.created: list[Any] = []
        self.deleted: list[str] = []

    def pods(self) -> list[Any]:
        return self._pods

    def claims(self) -> list[Any]:
        return self._claims

    def create(self, manifest: Any) -> None:
        self.created.append(manifest)
        name = manifest["metadata"]["annotations"][pod.REPOSITORY].removeprefix("user--")
        end = self.ends.get(name, [GOOD]).pop(0) if self.ends.get(name) else GOOD
        there = {**manifest, "status": {"phase": "Running"}}
        if isinstance(end, dict):
            code = "Succeeded" if "snapshot" in end else "Failed"
            message = {"state": {"terminated": {"message": json.dumps(end)}}}
            there["status"] = {"phase": code, "containerStatuses": [message]}
        else:
            end(self, there)
        self._pods.append(there)

    def delete(self, name: str) -> None:
        self.deleted.append(name)
        self._pods = [each for each in self._pods if each["metadata"]["name"] != name]

    def state(self) -> Any:
        return self.noted

    def note(self, noted: Any) -> None:
        self.noted = json.loads(json.dumps(noted))


PLAIN: dict[str, Any] = {"spec": {}, "status": {"phase": "Running"}}
GOOD = {"snapshot": "abcdefgh", "files": 3, "bytes": 100, "added": 50, "seconds": 1.5, "note": ""}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(night, "PAUSE", 0)
    monkeypatch.setattr(night, "LATER", 0)


def run(here: Here, *only: str) -> int:
    return Night(here, SETTINGS, {"name": "me", "uid": "me"}, only).run()  # type: ignore[arg-type]  # a fake


def using(claim: str, node: str | None, name: str = "jupyter-ada") -> Any:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]
    spec = {"volumes": volumes, **({"nodeName": node} if node else {})}
    return {"metadata": {"name": name, "creationTimestamp": "1"}, "spec": spec, "status": {"phase": "Running"}}


def test_everybody_is_backed_up_and_it_is_noted_when():
    here = Here([claim("hub-db-dir"), claim("claim-ada", "ada"), claim("claim-ben", "ben")])
    assert run(here) == 0
    owners = here.noted["owners"]
    assert {name: each["snapshot"] for name, each in owners.items()} == {
        "hub": "abcdefgh",
        "user--ada": "abcdefgh",
        "user--ben": "abcdefgh",
    }
    assert all(each["last_good"] for each in owners.values())
    assert here.noted["ended"]
    assert [each["metadata"]["name"] for each in here.created] == here.deleted


def test_the_hub_comes_first_and_then_those_who_have_waited_longest():
    here = Here([claim("hub-db-dir"), claim("claim-ada", "ada"), claim("claim-ben", "ben"), claim("claim-new", "new")])
    here.noted["owners"] = {
        "user--ada": {"name": "user--ada", "last_good": "2026-11-28T03:00:00Z"},
        "user--ben": {"name": "user--ben", "last_good": "2026-11-27T03:00:00Z"},
    }
    assert run(here) == 0
    order = [each["metadata"]["annotations"][pod.REPOSITORY] for each in here.created]
    assert order == ["hub", "user--new", "user--ben", "user--ada"]


def test_the_pod_of_a_home_in_use_is_put_on_its_node():
    here = Here([claim("claim-ada", "ada"), claim("claim-ben", "ben")], [using("claim-ada", "node-2")])
    assert run(here) == 0
    nodes = {each["metadata"]["annotations"][pod.REPOSITORY]: each["spec"].get("nodeName") for each in here.created}
    assert nodes == {"hub": None, "user--ada": "node-2", "user--ben": None}


def test_a_backup_gives_way_to_a_server_that_starts_on_another_node():
    def interrupted(here: Here, own: Any) -> None:
        own["spec"]["nodeName"] = "node-1"
        here._pods.append(using("claim-ada", "node-2"))

    here = Here([claim("claim-ada", "ada")], ada=[interrupted, GOOD])
    assert run(here) == 0
    first, second = (each for each in here.created if each["metadata"]["annotations"][pod.REPOSITORY] == "user--ada")
    assert first["metadata"]["name"] in here.deleted
    assert second["spec"]["nodeName"] == "node-2"


def test_what_fails_is_tried_again_and_then_noted_and_nobody_else_is_affected():
    bad = {"problem": "the store does not answer"}
    here = Here([claim("claim-ada", "ada"), claim("claim-ben", "ben")], ada=[bad, bad, bad], ben=[bad, GOOD])
    here.noted["owners"] = {"user--ada": {"name": "user--ada", "last_good": "2026-11-27T03:00:00Z"}}
    assert run(here) == 1
    ada, ben = here.noted["owners"]["user--ada"], here.noted["owners"]["user--ben"]
    assert (ada["problem"], ada["last_good"]) == ("the store does not answer", "2026-11-27T03:00:00Z")
    assert (ben["problem"], ben["snapshot"]) == ("", "abcdefgh")


def test_a_pod_that_the_node_had_no_room_for_is_tried_again():
    def refused(here: Here, own: Any) -> None:
        own["status"] = {"phase": "Failed", "reason": "OutOfmemory", "message": "Node didn't have enough memory"}

    here = Here([claim("claim-ada", "ada")], ada=[refused, GOOD])
    assert run(here) == 0


def test_a_pod_that_was_killed_for_its_memory_says_what_to_do():
    def killed(here: Here, own: Any) -> None:
        terminated = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
        own["status"] = {"phase": "Failed", "containerStatuses": [{"state": terminated}]}

    here = Here([claim("claim-ada", "ada")], ada=[killed] * night.ATTEMPTS)
    assert run(here) == 1
    assert "backup.memory" in here.noted["owners"]["user--ada"]["problem"]


def test_one_user_is_backed_up_alone():
    here = Here([claim("hub-db-dir"), claim("claim-ada", "ada"), claim("claim-ben", "ben")])
    assert run(here, "user--ben") == 0
    assert [each["metadata"]["annotations"][pod.REPOSITORY] for each in here.created] == ["user--ben"]
    assert run(here, "user--nobody") == 1


def test_locks_are_removed_only_if_no_other_pod_works_on_the_repository(monkeypatch):
    other = using("claim-ben", "node-1", "restoring")
    other["metadata"] |= {"labels": {pod.ROLE: "worker"}, "annotations": {pod.REPOSITORY: "user--ben"}}
    here = Here([claim("claim-ada", "ada"), claim("claim-ben", "ben")], [other])
    assert run(here) == 0
    tasks = [json.loads(each["spec"]["containers"][0]["env"][0]["value"]) for each in here.created]
    assert {each["name"]: each["alone"] for each in tasks} == {"hub": True, "user--ada": True, "user--ben": False}


def test_two_runs_do_not_overlap(monkeypatch):
    earlier = {"metadata": {"name": "n", "uid": "n", "creationTimestamp": "1", "labels": {pod.ROLE: "night"}}}
    here = Here([claim("claim-ada", "ada")], [earlier | PLAIN])
    monkeypatch.setattr("zerojhub.backup.night.time.sleep", lambda seconds: here.delete("n"))
    assert run(here) == 0
    assert here.deleted[0] == "n"


def test_somebody_whose_volume_is_gone_is_no_longer_there_but_is_not_forgotten():
    here = Here([claim("claim-ada", "ada")])
    here.noted["owners"] = {"user--ben": {"name": "user--ben", "last_good": "2026-11-27T03:00:00Z"}}
    assert run(here) == 0
    assert here.noted["owners"]["user--ben"]["present"] is False


# -- what is installed --------------------------------------------------------------------------------------------------


def test_nothing_secret_is_in_a_pod_or_in_a_cron_job():
    login = store.Login("a very secret password", {"AWS_SECRET_ACCESS_KEY": "a very secret key"})
    rest = objects.rest(SETTINGS, "0 3 * * *", "batch/v1")
    made = pod.worker(SETTINGS, {"action": "back up", "name": "n", "host": "h"}, volume=Volume("c", pod.HOME))
    assert "very secret" not in json.dumps([*rest, made])
    first, second = objects.secrets(SETTINGS, login, {"cookie_secret": "c"})
    assert {first["kind"], second["kind"]} == {"Secret"}
    assert set(second["data"]) == {"password", "hub.json"}


def test_a_home_is_mounted_read_only_unless_something_is_restored():
    for writable in (False, True):
        made = pod.worker(SETTINGS, {}, volume=Volume("claim-ada", pod.HOME, writable))
        (mount,) = (each for each in made["spec"]["containers"][0]["volumeMounts"] if each["name"] == "data")
        assert mount["readOnly"] is not writable


def test_the_programs_need_nothing_but_python_and_each_other():
    shipped = {path.removesuffix(".py").replace("/", ".") for path in pod.PROGRAMS.values()}
    for path in pod.PROGRAMS.values():
        if path.endswith(".py"):
            for node in ast.walk(ast.parse((objects.SOURCES.parent / path).read_text())):
                if isinstance(node, ast.ImportFrom):
                    module = node.module or ""
                    names = {f"{module}.{each.name}" for each in node.names} | {module}
                    assert names & shipped or module.split(".")[0] in sys.stdlib_module_names, module
                elif isinstance(node, ast.Import):
                    assert all(each.name.split(".")[0] in sys.stdlib_module_names for each in node.names)


def test_only_what_has_changed_is_installed_again():
    async def work(cluster: Cluster) -> list[str]:
        return [
            each["kind"] for each in await objects.missing(cluster, objects.rest(SETTINGS, "0 4 * * *", "batch/v1"))
        ]

    there: dict[str, list[Any]] = {}
    for each in objects.rest(SETTINGS, "0 3 * * *", "batch/v1"):
        there.setdefault(each["kind"], []).append(each)
    assert anyio.run(work, Cluster(**there)) == ["CronJob"]


def test_secrets_are_tried_before_they_count():
    wanted = objects.secrets(SETTINGS, store.Login("password", {"A": "b"}), {})

    async def work(cluster: Cluster) -> int:
        return len(await objects.differing(cluster, wanted, SETTINGS.to))

    assert anyio.run(work, Cluster(Secret=[])) == 2
    assert anyio.run(work, Cluster(Secret=wanted)) == 1
    tried = {**wanted[1], "metadata": wanted[1]["metadata"] | {"annotations": {objects.READY: SETTINGS.to}}}
    assert anyio.run(work, Cluster(Secret=[wanted[0], tried])) == 0
    other = {**tried, "data": {"password": "b3RoZXI="}}
    assert anyio.run(work, Cluster(Secret=[wanted[0], other])) == 1


def test_backups_pause_with_their_hub_and_resume_unless_a_person_has_suspended_them():
    async def work(suspended: bool) -> tuple[list[Any], list[str]]:
        spec = {"schedule": "0 3 * * *", **({"suspend": True} if suspended else {})}
        owned = {"ownerReferences": [{"uid": "c"}], "namespace": "class", "creationTimestamp": "1"}
        jobs = [
            {
                "metadata": {"name": name, **owned},
                "status": {"conditions": [{"type": end, "status": "True"}] * bool(end)},
            }
            for name, end in (("running", ""), ("last night's", "Complete"), ("failed", "Failed"))
        ]
        meta: dict[str, Any] = {"name": pod.NAME, "namespace": "class", "uid": "c"}
        cluster = Cluster(CronJob=[{"metadata": meta, "spec": spec, "status": {}}], Job=jobs, Pod=[])
        crons = Crons(cluster, "class", (1, 34))
        await installed.pause(crons, lambda text: None)
        meta["annotations"] = cluster.applied[0]["metadata"]["annotations"] if cluster.applied else {}
        await installed.resume(crons)
        return [each["spec"]["suspend"] for each in cluster.applied], cluster.deleted

    assert anyio.run(work, False) == ([True, None], ["running"])
    assert anyio.run(work, True) == ([], ["running"])


# -- what is overdue ----------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def cron(created: timedelta = timedelta(days=10), schedule: str = "0 3 * * *") -> Any:
    meta = {"name": pod.NAME, "creationTimestamp": (NOW - created).isoformat()}
    return {"metadata": meta, "spec": {"schedule": schedule}, "status": {}}


def entry(name: str, good: datetime | None, claim: str | None) -> Any:
    found = {"name": name, "label": name, "claim": claim}
    return found | ({"last_good": good.isoformat()} if good else {})


def decided(*entries: Any, claims: tuple[str, ...] = ("claim-ada", "claim-ben"), **more: Any) -> state.Status:
    noted: Any = {"owners": {each["name"]: each for each in entries}}
    return state.decide(more.pop("cron", cron(**more)), noted, claims, "s3:x", NOW)


LAST_NIGHT = NOW.replace(hour=4)


def test_backups_of_last_night_are_not_overdue():
    found = decided(entry("hub", LAST_NIGHT, None), entry("ada", LAST_NIGHT + timedelta(minutes=5), "claim-ada"))
    assert not found.overdue
    assert (found.age_seconds, found.next_run) == (8 * 3600, "2026-11-30T03:00:00Z")
    assert "8 h ago" in found.line()


def test_one_backup_that_is_missing_makes_all_overdue_six_hours_later():
    earlier = entry("ada", LAST_NIGHT - timedelta(days=1), "claim-ada")
    assert decided(entry("hub", LAST_NIGHT, None), earlier).overdue
    assert "OVERDUE for ada" in decided(entry("hub", LAST_NIGHT, None), earlier).line()
    in_time = state.decide(cron(), {"owners": {"ada": earlier}}, ["claim-ada"], "s3:x", NOW.replace(hour=8))
    assert not in_time.overdue


def test_who_has_no_volume_any_more_needs_no_backup():
    gone = entry("cleo", LAST_NIGHT - timedelta(days=30), "claim-cleo")
    found = decided(entry("hub", LAST_NIGHT, None), gone)
    assert not found.overdue
    assert found.last_good == LAST_NIGHT.isoformat()
    assert [each.claim for each in found.owners] == [None, None]


def test_backups_that_were_never_made_are_overdue_after_the_first_time():
    assert not decided(created=timedelta(hours=3)).overdue
    assert decided(created=timedelta(hours=20)).overdue
    assert decided(entry("hub", None, None), created=timedelta(hours=20)).overdue


def test_the_status_is_a_table_with_a_line_for_the_whole(capsys):
    ada = entry("ada", LAST_NIGHT - timedelta(days=1), "claim-ada") | {"files": 3, "bytes": 3 << 20, "added": 1 << 19}
    show_backup_status(decided(entry("hub", LAST_NIGHT, None), ada), Output.table)
    header, row, hub, line = capsys.readouterr().out.splitlines()
    assert header.split() == ["OWNER", "LAST_GOOD", "AGE", "FILES", "MB", "NEW_MB", "PROBLEM"]
    assert row.split() == ["ada", "2026-11-28", "04:00", "32", "h", "3", "3.0", "0.5", "overdue"]
    assert hub.startswith("hub")
    assert line.startswith("to s3:x: OVERDUE for ada; last good backup of everybody 32 h ago")


def test_what_is_noted_is_checked_where_it_is_read():
    async def work(text: str | None) -> Any:
        data = {"data": {night.STATE_KEY: text}} if text else {}
        there = {"metadata": {"name": pod.STATE, "namespace": "class"}, **data}
        crons = Crons(Cluster(ConfigMap=[there]), "class", (1, 34))
        return await state.read(crons.kube, crons.namespace)

    assert anyio.run(work, None) == {"owners": {}}
    assert anyio.run(work, '{"owners": {"hub": {"name": "hub"}}}')["owners"]["hub"]["name"] == "hub"
    with pytest.raises(Exception, match="delete it; the next backup writes it"):
        anyio.run(work, '{"owners": 3}')


# -- files and options --------------------------------------------------------------------------------------------------


def spec(folder: Path, to: str = "s3:https://store/box", **files: str) -> BackupSpec:
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return BackupSpec(to=to, password_file=folder / "password", credentials_file=folder / "login")


def test_the_password_and_the_login_are_read_from_files(tmp_path):
    login = "# of the project\nAWS_ACCESS_KEY_ID=abc\nexport AWS_SECRET_ACCESS_KEY='d e'\n"
    read = store.read(spec(tmp_path, password="a long password\n", login=login))
    assert (read.password, read.variables) == (
        "a long password",
        {"AWS_ACCESS_KEY_ID": "abc", "AWS_SECRET_ACCESS_KEY": "d e"},
    )
    assert "long" not in repr(read)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"login": "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\n"}, "password: cannot be read: No such file"),
        (
            {"password": "short", "login": "AWS_ACCESS_KEY_ID=a"},
            "password:1: the password must be one line of at least",
        ),
        ({"password": "a long password", "login": "AWS_ACCESS_KEY_ID=a"}, "login: s3: needs AWS_SECRET_ACCESS_KEY"),
        ({"password": "a long password", "login": "PATH=/x\n"}, "login:1: PATH is no variable for the login"),
        ({"password": "a long password", "login": "\nhello\n"}, "login:2: is not of the form NAME=VALUE"),
    ],
)
def test_a_mistake_in_these_files_is_one_line(tmp_path, files, said):
    with pytest.raises(UserError) as error:
        store.read(spec(tmp_path, **files))
    assert said in str(error.value)


def test_a_password_that_others_can_read_is_refused(tmp_path):
    wanted = spec(tmp_path, password="a long password", login="AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b")
    (tmp_path / "password").chmod(0o640)
    with pytest.raises(UserError, match=r"others may read it.*chmod 600 password"):
        store.read(wanted)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{to: 's3:https://me:word@store/box', password_file: p}", "backup.to: must be s3:https://HOST/BUCKET"),
        ("{to: 'ftp://store', password_file: p}", "backup.to: must be s3:https://HOST/BUCKET"),
        ("{to: 's3:https://store/box'}", "missing key 'backup.password_file'"),
        (
            "{to: 's3:https://store/box', password_file: p, keep: {daily: 0, weekly: 0, monthly: 0}}",
            "must keep at least one backup",
        ),
        ("{to: 's3:https://store/box', password_file: p, keep: {dayly: 1}}", "did you mean 'daily'?"),
    ],
)
def test_a_mistake_in_the_section_is_reported_with_its_line(tmp_path, section, said):
    path = tmp_path / "hub.yaml"
    path.write_text(f"name: a\ncluster: {{template: t}}\nbackup: {section}\n")
    with pytest.raises(UserError) as error:
        deployment.load(path)
    assert f"{path}:3: " in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "to", ["s3:https://store.example.org/box/of/mine", "swift:backups:/", "swift:backups:/class", "rest:http://h:8000/"]
)
def test_places_for_backups(tmp_path, to):
    path = tmp_path / "hub.yaml"
    path.write_text(f"name: a\ncluster: {{template: t}}\nbackup: {{to: '{to}', password_file: p}}\n")
    loaded = deployment.load(path).backup
    assert loaded
    assert (loaded.to, loaded.password_file) == (to, tmp_path / "p")
    assert loaded.keep.model_dump() == {"daily": 7, "weekly": 4, "monthly": 12}


def test_a_day_is_meant_to_its_end():
    assert datetime.fromisoformat(moment("2026-11-28")) > datetime.fromisoformat(moment("2026-11-28T23:59"))
    assert moment("abcdef01") == "abcdef01"
    assert moment("") == ""
    with pytest.raises(UserError, match="neither a time nor the ID"):
        moment("yesterday")


def test_a_path_is_in_the_home():
    assert [inside_home(each) for each in ("work/a", "/home/jovyan/work/a", "~/work//a/", "./work/a")] == ["work/a"] * 4
    with pytest.raises(UserError, match="not in the home"):
        inside_home("work/../../etc")


# -- in a pod -----------------------------------------------------------------------------------------------------------


def test_what_restic_said_is_one_line():
    assert worker.reason(12, "Fatal: wrong password or no key found") == worker.REASONS[12]
    assert worker.reason(1, '{"message_type":"exit_error","code":1,"message":"Fatal: no space"}\n') == "no space"
    assert worker.reason(1, "warning: x\nFatal: unable to open\n\n") == "unable to open"
    assert worker.reason(1, "") == "restic ended with code 1"


SUMMARY = '{"message_type":"summary","snapshot_id":"abcdef0123","total_files_processed":1,"data_added":2,"total_bytes_processed":3}'


def restic(folder: Path, **answers: str) -> worker.Repository:
    """A repository whose restic does what is written for each of its commands, and notes how it was called."""
    cases = "".join(f"{name}) {text};;\n" for name, text in answers.items())
    program = folder / "restic"
    program.write_text(f'#!/bin/sh\necho "$*" >> {folder}/calls\ncase "$1" in\n{cases}esac\n')
    program.chmod(0o755)
    environment = {"BACKUP_TO": "s3:https://store/box/", "PATH": os.environ["PATH"]}
    return worker.Repository({"name": "user--ada", "host": "ada"}, environment, str(program))


def test_files_that_cannot_be_read_do_not_make_a_backup_fail(tmp_path):
    repository = restic(tmp_path, backup=f"echo '{SUMMARY}'; exit 3")
    task = {"action": "back up", "keep": SETTINGS.keep, "tags": ["claim=c"], "alone": True}
    code, result = worker.perform(task, repository)
    assert (code, result["snapshot"], result["note"]) == (0, "abcdef01", "some files could not be read")
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [each.split()[0] for each in calls] == ["unlock", "backup", "forget"]
    assert calls[0] == "unlock --remove-all"
    assert "--host=ada" in calls[1]
    assert "--tag=claim=c" in calls[1]
    assert "--keep-daily=7 --keep-weekly=4 --retry-lock" in calls[2]  # and no --keep-monthly=0


def test_a_repository_is_created_only_if_there_is_none(tmp_path):
    worker.perform(
        {"action": "back up", "keep": {"daily": 1}}, restic(tmp_path, unlock="exit 10", backup=f"echo '{SUMMARY}'")
    )
    commands = [each.split()[0] for each in (tmp_path / "calls").read_text().splitlines()]
    assert commands == ["unlock", "init", "backup"]  # and nothing to be forgotten yet
    there = "echo 'Fatal: create repository at s3:x failed: config file already exists' >&2; exit 1"
    assert worker.perform({"action": "prepare"}, restic(tmp_path, init=there))[0] == 0
    code, result = worker.perform({"action": "prepare"}, restic(tmp_path, init=there, cat="exit 12"))
    assert (code, result) == (1, {"problem": worker.REASONS[12]})


def test_old_backups_that_cannot_be_removed_do_not_make_a_backup_fail(tmp_path):
    repository = restic(tmp_path, backup=f"echo '{SUMMARY}'", forget="exit 11")
    code, result = worker.perform({"action": "back up", "keep": {"daily": 1}}, repository)
    assert (code, result["note"]) == (0, "old backups were not removed: another pod has locked the backups")
    assert "unlock\n" in (tmp_path / "calls").read_text()


def test_times_of_restic_have_nine_digits():
    assert worker.moment("2026-11-28T03:00:01.123456789Z") == datetime(2026, 11, 28, 3, 0, 1, 123456, tzinfo=UTC)
    assert worker.moment("2026-11-28T03:00:01.5+01:00") == datetime(2026, 11, 28, 2, 0, 1, 500000, tzinfo=UTC)


def database(path: Path, *names: str) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute("create table if not exists users (name text)")
        connection.executemany("insert into users values (?)", [(name,) for name in names])
    connection.close()
    return path


def users(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    found = [name for (name,) in connection.execute("select name from users")]
    connection.close()
    return found


def test_a_database_is_copied_while_somebody_writes(tmp_path):
    busy = sqlite3.connect(database(tmp_path / "jupyterhub.sqlite", "ada"), isolation_level=None)
    busy.execute("begin immediate")
    busy.execute("insert into users values ('half')")
    database_of_hub.copy_database(database_of_hub.find_database(tmp_path), tmp_path / "copy")
    busy.execute("commit")
    busy.close()
    assert users(tmp_path / "copy") == ["ada"]


def test_a_damaged_database_is_no_backup(tmp_path):
    (tmp_path / "jupyterhub.sqlite").write_bytes(b"x" * 10000)
    with pytest.raises(database_of_hub.DatabaseError, match="cannot be copied"):
        database_of_hub.copy_database(tmp_path / "jupyterhub.sqlite", tmp_path / "copy")


def test_the_database_that_is_replaced_is_kept_beside_the_new_one(tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    database(volume / "jupyterhub.sqlite", "of today")
    (volume / "jupyterhub.sqlite").chmod(0o640)
    (volume / "jupyterhub.sqlite-journal").write_text("of today")
    database_of_hub.replace_database(database(tmp_path / "saved", "of yesterday"), volume)
    assert users(volume / "jupyterhub.sqlite") == ["of yesterday"]
    assert (volume / "jupyterhub.sqlite").stat().st_mode & 0o777 == 0o640
    assert not (volume / "jupyterhub.sqlite-journal").exists()
    (kept,) = volume.glob("jupyterhub.sqlite.2*")
    assert users(kept) == ["of today"]


def test_a_link_does_not_lead_a_restore_out_of_the_home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "way").symlink_to(tmp_path)
    assert worker.inside(home / "new" / "er", home)
    assert not worker.inside(home / "way" / "out", home)


def test_a_path_with_signs_of_patterns_means_itself():
    assert worker.escaped("a[1]*?.txt") == r"a\[1\]\*\?.txt"


# -- before an upgrade --------------------------------------------------------------------------------------------------


def test_what_was_saved_before_an_upgrade_is_put_back(tmp_path, monkeypatch):
    monkeypatch.setattr(database_of_hub, "HUB", str(tmp_path))
    database(tmp_path / "jupyterhub.sqlite", "ada")
    database_of_hub.main("save", "before-upgrade.sqlite")
    database(tmp_path / "jupyterhub.sqlite", "later")
    database_of_hub.main("put-back", "before-upgrade.sqlite")
    assert users(tmp_path / "jupyterhub.sqlite") == ["ada"]
    assert [users(each) for each in tmp_path.glob("jupyterhub.sqlite.2*")] == [["ada", "later"]]


def test_a_hub_without_a_database_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(database_of_hub, "HUB", str(tmp_path))
    with pytest.raises(SystemExit, match=r"the hub's volume has no jupyterhub\.sqlite"):
        database_of_hub.main("save", "before-upgrade.sqlite")


def hub_deployment(claim: str | None, replicas: int = 1) -> Any:
    volumes = [{"name": "db", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    spec = {"containers": [{"name": "hub", "image": "k8s-hub:3.3.8"}], "volumes": volumes}
    labels = {"release": "class", "component": "hub"}
    meta = {"name": "hub", "namespace": "class", "labels": labels}
    return {"metadata": meta, "spec": {"replicas": replicas, "template": {"spec": spec}}, "status": {}}


class Ending(Cluster):
    """A cluster whose new pods have ended at once."""

    phase, message = "Succeeded", ""

    async def create(self, kind, manifest, *, dry_run=False):
        state = {"terminated": {"exitCode": 1, "message": self.message}}
        container = {"name": "data", "image": "i", "restartCount": 0, "state": state}
        ended = {**manifest, "status": {"phase": self.phase, "containerStatuses": [container]}}
        self.objects.setdefault(kind.rpartition("/")[2], []).append(ended)
        self.applied.append(manifest)
        return ended


def saving(cluster: Cluster) -> bool:
    return anyio.run(saved.save, cluster, "class", "class", "jupyterhub-3.3.8", 4, lambda text: None)


def test_the_database_is_saved_on_the_hubs_node_and_it_is_noted_what_it_belongs_to():
    pod_of_hub = using("hub-db-dir", "node-1", "hub-1")
    pod_of_hub["metadata"] |= {"namespace": "class", "labels": {"release": "class", "component": "hub"}}
    cluster = Ending(Deployment=[hub_deployment("hub-db-dir")], Pod=[pod_of_hub])
    assert saving(cluster)
    made, noted = cluster.applied
    assert (made["spec"]["nodeName"], made["spec"]["containers"][0]["image"]) == ("node-1", "k8s-hub:3.3.8")
    assert (noted["data"]["chart"], noted["data"]["revision"]) == ("jupyterhub-3.3.8", "4")
    cluster.objects["ConfigMap"] = [noted]
    before = anyio.run(saved.saved, cluster, "class")
    assert before
    assert (before.chart, before.revision, before.image) == ("jupyterhub-3.3.8", 4, "k8s-hub:3.3.8")


def test_an_upgrade_does_not_begin_if_the_database_cannot_be_saved():
    cluster = Ending(Deployment=[hub_deployment("hub-db-dir")], Pod=[])
    cluster.phase, cluster.message = "Failed", "the hub's database is damaged: page 3\n"
    with pytest.raises(ZeroJHubError, match="saving the hub's database: the hub's database is damaged: page 3"):
        saving(cluster)


def test_a_database_that_is_elsewhere_is_not_saved():
    assert not saving(Ending(Deployment=[hub_deployment(None)], Pod=[]))


def test_a_hub_that_was_stopped_for_its_database_is_not_taken_for_one_that_is_as_wanted():
    assert is_stopped(hub_deployment("hub-db-dir", 0))
    assert not is_stopped(hub_deployment("hub-db-dir", 1))


# -- from the backups alone ---------------------------------------------------------------------------------------------

HUB_OF_CLAIMS = reattach.Hub(
    "class", "class", "c1", Scheme(True, "claim-{user_server}"), "cinder", "cinder", 1, {"cinder": "Delete"}
)


def fetched(*entries: Any) -> recover.Fetched:
    return recover.Fetched("2026-11-28T03:00:00Z", {"owners": {}}, list(entries), {})


def whose(user: str, claim: str | None = None, **more: Any) -> Any:
    good = {"last_good": "2026-11-28T03:00:00Z", "size": "20Gi", "server": ""}
    return {"name": f"user--{user}", "label": user, "user": user, "claim": claim} | good | more


def recovered(cluster: Cluster, *entries: Any) -> tuple[int, list[str]]:
    notes: list[str] = []

    async def work() -> int:
        say: Any = lambda text: None  # noqa: E731 (a function that does nothing)
        return await recover.restore_everybody(cluster, SETTINGS, HUB_OF_CLAIMS, fetched(*entries), say, notes.append)

    return anyio.run(work), notes


def claim_of(cluster: Cluster, name: str) -> Any:
    return next(each for each in cluster.objects["PersistentVolumeClaim"] if each["metadata"]["name"] == name)


def restoring() -> Ending:
    cluster = Ending(PersistentVolumeClaim=[], Pod=[])
    cluster.message = json.dumps({"id": "abcdefgh"})
    return cluster


def test_everybody_gets_the_claim_that_the_hub_will_look_for_with_their_files():
    cluster = restoring()
    assert recovered(cluster, whose("ada", "claim-ada"), whose("Zoë", None)) == (2, [])
    ada = claim_of(cluster, "claim-ada")
    assert ada["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert ada["metadata"]["annotations"][USERNAME] == "ada"
    claim_of(cluster, HUB_OF_CLAIMS.scheme.claim("Zoë"))
    done = [each["metadata"]["annotations"] for each in cluster.applied if "kind" in each and "name" in each]
    assert done == [{recover.RESTORED: "abcdefgh"}] * 2


def test_what_was_interrupted_is_restored_again_and_what_is_done_or_somebody_elses_is_not():
    cluster = restoring()
    states = {"claim-ada": recover.PENDING, "claim-ben": "abcdefgh", "claim-cleo": None}
    for name, restored in states.items():
        annotations = {recover.RESTORED: restored} if restored else {}
        meta = {"name": name, "namespace": "class", "annotations": annotations}
        cluster.objects["PersistentVolumeClaim"].append({"metadata": meta})
    entries = [whose(name, f"claim-{name}") for name in ("ada", "ben", "cleo")]
    number, notes = recovered(cluster, *entries)
    assert (number, notes) == (1, ["cleo has a volume already, which is left as it is"])
    assert [each["metadata"]["annotations"][pod.REPOSITORY] for each in cluster.objects["Pod"]] == []
    assert len(cluster.deleted) == 1


def test_somebody_without_a_backup_gets_an_empty_volume_and_it_is_said():
    cluster = restoring()
    number, notes = recovered(cluster, whose("ada", "claim-ada", last_good=""))
    assert (number, notes) == (1, ["ada had no backup yet, and gets an empty volume"])
