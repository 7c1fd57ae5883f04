"""A hub is copied through backups to a cluster that its volumes cannot go to, and the command is killed on the way. Each test
continues where the one before ended."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from tests.conftest import Shell
from tests.journey.test_backup import object_store
from tests.journey.test_data import ROADS, VALUES, Hub, has_accounts, has_files, write
from tests.journey.test_move import FILE, MOVE, killed, volumes
from tests.waiting import until

KILLS = int(os.environ.get("ZEROJHUB_TEST_KILLS", "1"))
PEOPLE = ["ada", "zoë"]
SERVERS = [("ada", ""), ("zoë", ""), ("ada", "lab")]
BACKUP = "backup: {{to: 's3:{store}/copies', password_file: password, credentials_file: login}}\n"
"""In the new file alone: the old hub has no backups."""


@pytest.fixture(scope="module")
def written(cloud: Shell) -> dict[str, Any]:
    """What everybody has on the old cluster: files by server, a token of ada's, and the volumes."""
    store, _ = object_store(cloud)
    (cloud.folder / "values.yaml").write_text(VALUES)
    (cloud.folder / "old.yaml").write_text(FILE.format(name="keep", template=ROADS["ssh"], chart="embedded"))
    new = FILE.format(name="keep-2", template=ROADS["api"], chart="embedded") + BACKUP.format(store=store)
    (cloud.folder / "new.yaml").write_text(new)
    hub = Hub(cloud, cloud.json("up", "-f", "old.yaml")["url"])
    return write(hub, PEOPLE, SERVERS) | {"volumes": volumes(cloud)}


def test_a_plan_says_what_is_copied_and_changes_nothing(cloud: Shell, written: dict[str, Any]) -> None:
    # The cluster detaches the volumes of servers some time after they have stopped; the hub's own stays.
    until(lambda: sorted(cloud.volumes()) == ["available"] * 3 + ["in-use"])
    before = len(cloud.audit())
    plan = cloud.json(*MOVE, "--copy", "--plan", code=3)
    assert plan["progress"] == "to do"
    assert plan["through"].endswith("/copies")
    assert sorted(each["owner"] for each in plan["volumes"]) == ["ada", "ada (server lab)", "hub", "zoë"]
    assert cloud.writes(before) == []


def test_a_copy_that_was_killed_is_undone(cloud: Shell, written: dict[str, Any]) -> None:
    chance = random.Random(14)
    deaths = [killed(cloud, chance.randint(20, 60), "--copy") for _ in range(KILLS)]
    assert any(deaths)
    old = Hub(cloud, cloud.json(*MOVE, "--copy", "--back", "--yes")["url"])
    has_files(old, written, [("zoë", "")])
    assert cloud.json(*MOVE, "--copy", "--plan", code=3)["progress"] == "to do"


@pytest.fixture(scope="module")
def hub(cloud: Shell, written: dict[str, Any]) -> Hub:
    """The hub on the new cluster."""
    copied = cloud.json(*MOVE, "--copy", "--yes")
    assert copied["volumes"] == len(written["volumes"])
    return Hub(cloud, copied["url"])


def test_everybody_has_their_files_accounts_and_tokens(cloud: Shell, written: dict[str, Any], hub: Hub) -> None:
    assert cloud.json(*MOVE, "--copy", "--plan")["progress"] == "moved"
    has_files(hub, written, SERVERS)
    has_accounts(hub, written, PEOPLE)
    assert set(volumes(cloud)) > set(written["volumes"])  # nothing was taken from the old cluster


def test_in_the_end_the_old_volumes_are_kept(cloud: Shell, written: dict[str, Any], hub: Hub) -> None:
    finished = cloud.json(*MOVE, "--copy", "--finish", "--yes")
    assert finished["volumes"] == len(written["volumes"])
    assert {each["id"] for each in finished["kept"]} == set(written["volumes"])
    assert [each["name"] for each in cloud.json("cluster", "list")] == ["keep-2"]
    assert set(volumes(cloud)) > set(written["volumes"])
