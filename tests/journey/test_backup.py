"""Backups of a running hub: a night, a wrong `rm -rf`, a volume that is gone, lost accounts, and in the end everything. Each test
continues where the one before ended."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import PROGRAM, Shell
from tests.journey.outside import gateway
from tests.journey.test_data import READ, ROADS, VALUES, WRITE, Hub
from tests.waiting import until
from zerojhub.practice.daemon import PORT

FILE = """
name: keep
cloud: practice
cluster: {{template: {template}, workers: 2}}
hub: {{chart: embedded, values: values.yaml}}
backup: {{to: 's3:{store}/backups', password_file: password, credentials_file: login, keep: {{daily: 3}}}}
"""
PASSWORD = "the password of the backups"
USERS = ("ben", "grace@example.org")


def object_store(cloud: Shell) -> tuple[str, dict[str, str]]:
    """A new access key, in the file `login` beside the file `password`: the practice cloud's object store, and the key."""
    made: dict[str, str] = json.loads(cloud.openstack("ec2", "credentials", "create", "-f", "json"))
    (cloud.folder / "password").write_text(f"{PASSWORD}\n")
    login = f"AWS_ACCESS_KEY_ID={made['access']}\nAWS_SECRET_ACCESS_KEY={made['secret']}\n"
    (cloud.folder / "login").write_text(login)
    for name in ("password", "login"):
        (cloud.folder / name).chmod(0o600)
    return f"http://{gateway()}:{PORT}", made


@pytest.fixture(scope="module")
def key(cloud: Shell) -> dict[str, str]:
    """The deployment's files; the access key in them."""
    store, made = object_store(cloud)
    (cloud.folder / "values.yaml").write_text(VALUES)
    (cloud.folder / "hub.yaml").write_text(FILE.format(template=ROADS["ssh"], store=store))
    return made


@pytest.fixture(scope="module")
def hub(cloud: Shell, key: dict[str, str]) -> Hub:
    return Hub(cloud, cloud.json("up")["url"])


@pytest.fixture(scope="module")
def trees(hub: Hub) -> dict[str, str]:
    """What the users have. Their servers are stopped."""
    found = {}
    for user in USERS:
        hub.ask("POST", f"/users/{user}")
        hub.run(user, "", WRITE.replace("{user}", user).replace("{server}", ""))
        found[user] = hub.run(user, "", READ)
        assert "notes.txt" in found[user]
    return found


def kubectl(cloud: Shell, *command: str) -> str:
    return cloud.zerojhub("cluster", "ssh", "keep", "-q", "--", "sudo", "kubectl", "-n", "keep", *command).stdout


def backups(cloud: Shell) -> dict[str, dict[str, Any]]:
    return {row["owner"]: row for row in cloud.json("backup", "status")["owners"]}


def test_the_password_is_tried_before_anything_is_installed(cloud: Shell, key: dict[str, str], hub: Hub) -> None:
    assert "zerojhub-backup" in kubectl(cloud, "get", "cronjob", "-o", "name")
    (cloud.folder / "password").write_text("another password\n")
    refused = cloud.zerojhub("up", code=1).stderr
    assert "the password is not the one of the backups that are there" in refused
    (cloud.folder / "password").write_text(f"{PASSWORD}\n")
    cloud.zerojhub("up")


def test_up_again_writes_nothing_and_status_tells_of_no_backup_yet(cloud: Shell, hub: Hub) -> None:
    before = kubectl(cloud, "get", "cronjob,cm,secret", "-o", "json")
    cloud.zerojhub("up")
    versions = [
        [each["metadata"]["resourceVersion"] for each in json.loads(text)["items"]]
        for text in (before, kubectl(cloud, "get", "cronjob,cm,secret", "-o", "json"))
    ]
    assert versions[0] == versions[1]
    assert cloud.json("status")["backup"] == {"last_good": None, "age_seconds": None, "overdue": False}


@pytest.fixture(scope="module")
def backed_up(cloud: Shell, hub: Hub, trees: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The first backup, while ben's server runs."""
    cloud.zerojhub("hub", "users", "start", "ben")
    cloud.zerojhub("backup", "run")
    yield backups(cloud)


def test_everybody_is_backed_up_without_anybody_being_stopped(cloud: Shell, hub: Hub, backed_up) -> None:
    assert sorted(backed_up) == sorted([*USERS, "hub"])
    assert all(row["last_good"] and not row["problem"] for row in backed_up.values())
    assert backed_up["ben"]["bytes"] > 50 << 20  # a sparse file
    assert hub.ask("GET", "/users/ben").json()["servers"][""]["ready"]
    assert cloud.json("status")["backup"]["age_seconds"] < 600


def test_nothing_secret_is_in_pods_or_logs(cloud: Shell, key: dict[str, str], backed_up) -> None:
    night = subprocess.run(
        [PROGRAM, "backup", "run", "--user", "ben"], cwd=cloud.folder, env=cloud.environment, capture_output=True
    )
    assert night.returncode == 0, night.stderr
    seen = kubectl(cloud, "get", "pod,job,cronjob,cm,event", "-o", "yaml") + night.stderr.decode()
    seen += cloud.zerojhub("cron", "logs", "zerojhub-backup", "-n", "keep").stdout
    for secret in (PASSWORD, key["secret"], key["access"]):
        assert secret not in seen


def test_the_second_backup_is_small(cloud: Shell, backed_up) -> None:
    first, second = cloud.json("backup", "list", "--user", "ben")
    assert first["id"] != second["id"]
    assert second["added"] < 100_000
    assert first["bytes"] == backed_up["ben"]["bytes"]


def test_what_was_removed_by_mistake_is_restored_while_the_server_runs(
    cloud: Shell, hub: Hub, trees: dict[str, str], backed_up
) -> None:
    cloud.zerojhub("hub", "users", "stop", "ben")
    hub.run("ben", "", "import os, shutil; shutil.rmtree(os.path.expanduser('~/work ünï 漢'))")
    shown = cloud.json("backup", "show", "ben", "--path", "work ünï 漢")
    assert "work ünï 漢/notes.txt" in [each["path"] for each in shown]
    cloud.zerojhub("hub", "users", "start", "ben")
    restored = cloud.json("backup", "restore", "--user", "ben", "--into", "found again")
    assert restored["into"] == "found again"
    refused = cloud.zerojhub("backup", "restore", "--user", "ben", "--over", "--yes", code=2).stderr
    assert "the server of ben runs" in refused
    cloud.zerojhub("hub", "users", "stop", "ben")
    moved = "import os; h = os.path.expanduser('~'); os.rename(f'{h}/found again/work ünï 漢', f'{h}/work ünï 漢')"
    hub.run("ben", "", f"{moved}; open(f'{{h}}/work ünï 漢/empty', 'w').write('not any more')")
    words = ["backup", "restore", "--user", "ben", "--path", "work ünï 漢/empty", "--over"]
    assert "Replace work ünï 漢/empty of ben" in cloud.zerojhub(*words, code=2).stderr
    cloud.zerojhub(*words, "--yes")
    assert hub.run("ben", "", READ) == trees["ben"]


def test_a_volume_that_is_gone_comes_back_from_the_backup(
    cloud: Shell, hub: Hub, trees: dict[str, str], backed_up
) -> None:
    user = USERS[1]
    cloud.zerojhub("data", "remove", user, "--yes")
    assert backups(cloud)[user]["claim"] is None
    cloud.zerojhub("backup", "restore", "--user", user)
    assert hub.run(user, "", READ) == trees[user]


def test_lost_accounts_come_back(cloud: Shell, hub: Hub, backed_up) -> None:
    token = hub.ask("POST", "/users/ada/tokens", body={"note": "kept"}).json()["token"]
    cloud.zerojhub("backup", "run", "--hub")
    cloud.zerojhub("hub", "users", "remove", USERS[1], "--yes")
    hub.ask("POST", "/users/later")
    assert "the hub stops for a moment" in cloud.zerojhub("backup", "restore", "--hub", code=2).stderr.lower()
    cloud.zerojhub("backup", "restore", "--hub", "--yes")
    until(lambda: hub.ask("GET", "/user", token=token, check=False).is_success)
    assert hub.ask("GET", "/user", token=token).json()["name"] == "ada"
    assert {each["name"] for each in hub.ask("GET", "/users").json()} == {"ada", *USERS}


def test_backups_are_verified_and_pruned(cloud: Shell, hub: Hub, backed_up) -> None:
    (checked,) = cloud.json("backup", "verify", "--user", "ben", "--all")
    assert checked["sample"] >= checked["same"] > 0  # what has changed since is not compared
    assert not checked["problem"]
    (pruned,) = cloud.json("backup", "prune", "--user", "ben")
    assert pruned["before"] >= pruned["after"] > 0


@pytest.fixture(scope="module")
def lost(cloud: Shell, hub: Hub, trees: dict[str, str], backed_up) -> str:
    """Everything is lost but the backups and the deployment's files. A token of ada's."""
    token: str = hub.ask("POST", "/users/ada/tokens", body={"note": "of mine"}).json()["token"]
    cloud.zerojhub("backup", "run")
    cloud.zerojhub("down", "--yes", "--delete-data")
    shutil.rmtree(cloud.environment["XDG_STATE_HOME"] + "/zerojhub/deployments")
    return token


def test_down_with_all_data_leaves_the_backups(cloud: Shell, lost: str) -> None:
    assert cloud.volumes() == []
    listed = cloud.openstack("object", "list", "backups", "-f", "value", "-c", "Name").split()
    assert {each.partition("/")[0] for each in listed} == {"hub", "user--ben", "user--grace-40example-2eorg"}


def test_a_hub_comes_back_from_its_backups_alone_on_the_other_road(
    cloud: Shell, lost: str, trees: dict[str, str]
) -> None:
    text = (cloud.folder / "hub.yaml").read_text()
    (cloud.folder / "hub.yaml").write_text(text.replace(ROADS["ssh"], ROADS["api"], 1))
    again = Hub(cloud, cloud.json("up", "--from-backup")["url"])
    assert again.ask("GET", "/user", token=lost).json()["name"] == "ada"
    for user in USERS:
        assert again.run(user, "", READ) == trees[user], user
    refused = cloud.zerojhub("up", "--from-backup", code=2).stderr
    assert "there is a hub already" in refused
    cloud.zerojhub("down", "--yes", "--delete-data")
