"""The commands about users' volumes, on a running hub. Each test continues where the one before ended."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Shell
from tests.journey.test_data import FILE, ROADS, VALUES, Hub
from tests.waiting import until
from zerojhub.practice.machines import filesystem

SIZE = "import os; stats = os.statvfs(os.path.expanduser('~')); print(stats.f_blocks * stats.f_frsize >> 20)"
WRITE = (
    "import pathlib, os; (pathlib.Path.home() / 'of-{user}').write_bytes(os.urandom(40 << 20)); os.sync(); print('ok')"
)


@pytest.fixture(scope="module")
def hub(cloud: Shell) -> Hub:
    """A hub on which ada and ben have files, and ada's server runs."""
    (cloud.folder / "values.yaml").write_text(VALUES)
    (cloud.folder / "hub.yaml").write_text(FILE.format(template=ROADS["api"], chart="embedded"))
    hub = Hub(cloud, cloud.json("up", "-f", "hub.yaml")["url"])
    cloud.zerojhub("hub", "users", "add", "ada", "ben")
    for user in ("ada", "ben"):
        assert "ok" in hub.run(user, "", WRITE.replace("{user}", user))
    cloud.zerojhub("hub", "users", "start", "ada")
    return hub


def rows(cloud: Shell) -> dict[str, dict]:
    return {row["owner"]: row for row in cloud.json("data", "list")}


def test_a_running_servers_volume_is_in_use_and_its_used_space_is_known(cloud, hub):
    until(lambda: rows(cloud)["ben"]["state"] == "idle")
    until(lambda: (rows(cloud)["ada"]["used_bytes"] or 0) > 40 << 20)
    there = rows(cloud)
    assert there["ada"]["state"] == "in use"
    assert "-node-" in there["ada"]["attached_to"]
    assert there["hub-db-dir"]["state"] == "in use"
    assert there["ada"]["last_used"]
    assert {row["size_gb"] for row in there.values()} == {1}


def test_a_volume_that_no_server_uses_grows_at_once_and_its_file_system_when_one_does(cloud, hub):
    until(lambda: rows(cloud)["ben"]["state"] == "idle")
    assert cloud.json("data", "grow", "ben", "2Gi")["outcome"] == "grows when the server starts"
    assert int(hub.run("ben", "", SIZE).split()[-1]) > 1800
    assert "cannot shrink" in cloud.zerojhub("data", "grow", "ben", "1Gi", code=2).stderr


def test_a_volume_grows_while_its_server_runs_if_the_machine_lets_it_or_after_that(cloud, hub):
    if filesystem.grows_while_mounted():
        assert cloud.json("data", "grow", "ada", "2Gi")["outcome"] == "grown"
    else:
        refused = cloud.zerojhub("data", "grow", "ada", "2Gi", code=1).stderr
        assert "to extend" in refused
        assert "stop the user's server" in refused
    cloud.zerojhub("hub", "users", "stop", "ada")
    until(lambda: rows(cloud)["ada"]["size_gb"] == 2)
    assert int(hub.run("ada", "", SIZE).split()[-1]) > 1800


def test_the_volume_of_a_user_who_left_is_given_to_another(cloud, hub):
    cloud.zerojhub("hub", "users", "remove", "ben", "--yes")
    until(lambda: rows(cloud)["ben"]["state"] == "orphaned")
    volume = rows(cloud)["ben"]["volume"]
    cloud.zerojhub("hub", "users", "add", "cleo")
    assert "Give it to cleo?" in cloud.zerojhub("data", "adopt", volume, "--user", "cleo", code=2).stderr
    assert cloud.json("data", "adopt", volume, "--user", "cleo", "--yes")["given_back"] is True
    assert "of-ben" in hub.run("cleo", "", "import os; print(os.listdir(os.path.expanduser('~')))")
    there = rows(cloud)
    assert (there["cleo"]["volume"], "ben" in there) == (volume, False)


def test_files_are_copied_to_a_folder_of_another_user(cloud, hub):
    cloud.zerojhub("hub", "users", "stop", "ada")
    cloud.zerojhub("hub", "users", "start", "cleo")
    assert "hub users stop cleo" in cloud.zerojhub("data", "copy", "ada", "cleo", code=2).stderr
    cloud.zerojhub("hub", "users", "stop", "cleo")
    copied = cloud.json("data", "copy", "ada", "cleo")
    assert (copied["folder"], copied["kilobytes"] > 40 << 10) == ("from-ada", True)
    code = "import hashlib, pathlib; print(hashlib.sha256((pathlib.Path.home() / '{path}').read_bytes()).hexdigest())"
    there = hub.run("cleo", "", code.replace("{path}", "from-ada/of-ada"))
    assert there == hub.run("ada", "", code.replace("{path}", "of-ada"))
    assert "the folder is there already" in cloud.zerojhub("data", "copy", "ada", "cleo", code=1).stderr


def test_a_home_can_be_looked_into_while_its_server_runs_and_changed_when_it_does_not(cloud, hub):
    cloud.zerojhub("hub", "users", "start", "cleo")
    listed = ["data", "open", "cleo", "--", "ls", "-a", "/home/jovyan"]
    assert "of-ben" in cloud.zerojhub(*listed).stdout
    touched = ["data", "open", "cleo", "--", "touch", "new"]
    assert "Read-only" in cloud.zerojhub(*touched, code=1).stderr
    touched.insert(3, "--rw")
    assert "the server of cleo runs" in cloud.zerojhub(*touched, code=2).stderr
    cloud.zerojhub("hub", "users", "stop", "cleo")
    cloud.zerojhub(*touched)
    assert "new 1000" in hub.run(
        "cleo", "", "import pathlib; print('new', (pathlib.Path.home() / 'new').stat().st_uid)"
    )


def test_removing_a_users_data_stops_the_server_and_deletes_everything(cloud, hub):
    cloud.zerojhub("hub", "users", "start", "ada")
    volume = rows(cloud)["ada"]["volume"]
    cloud.zerojhub("data", "remove", "ada", "--yes")
    assert "ada" not in rows(cloud)
    assert volume not in [each["ID"] for each in json.loads(cloud.openstack("volume", "list", "-f", "json"))]
    assert hub.ask("GET", "/users/ada").json()["servers"] == {}
    assert "of-ada" not in hub.run("ada", "", "import os; print(os.listdir(os.path.expanduser('~')))")
