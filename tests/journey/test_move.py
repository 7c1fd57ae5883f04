"""A hub moves from a cluster on the SSH road to one on the API road and back, and the command is killed on the way. Each test
continues where the one before ended."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
from typing import Any

import pytest

from tests.conftest import GIVEN_CHARTS, PROGRAM, Shell
from tests.journey.test_data import READ, ROADS, VALUES, Hub, has_accounts, has_files, write
from tests.waiting import until

PEOPLE = ["ada", "ada-b", "grace@example.org", "zoë", *(f"user-{n}" for n in range(16))]
PEOPLE = PEOPLE[: int(os.environ.get("ZEROJHUB_TEST_PEOPLE", "2"))]
KILLS = int(os.environ.get("ZEROJHUB_TEST_KILLS", "10"))
SERVERS = [*((user, "") for user in PEOPLE), ("ada", "lab")]
FILE = """
name: {name}
cloud: practice
cluster: {{template: {template}, workers: 1}}
hub: {{chart: {chart}, values: values.yaml}}
"""
LATER = "_ = open('later', 'w').write('between two moves')"
MOVE = ("move", "-f", "old.yaml", "--to", "new.yaml")


@pytest.fixture(
    scope="module", params=[("embedded", "embedded"), *([tuple(GIVEN_CHARTS)] if len(GIVEN_CHARTS) > 1 else [])]
)
def charts(request) -> tuple[str, str]:
    """The charts before and after: our own, or the archives that the environment names."""
    return request.param


@pytest.fixture(scope="module")
def written(cloud: Shell, charts: tuple[str, str]) -> dict[str, Any]:
    """What everybody has on the old cluster: files by server, a token of ada's, and the volumes. The server of ada-b runs."""
    (cloud.folder / "values.yaml").write_text(VALUES)
    for file, name, template, chart in (
        ("old.yaml", "keep", ROADS["ssh"], charts[0]),
        ("new.yaml", "keep-2", ROADS["api"], charts[1]),
    ):
        (cloud.folder / file).write_text(FILE.format(name=name, template=template, chart=chart))
    hub = Hub(cloud, cloud.json("up", "-f", "old.yaml")["url"])
    made = write(hub, PEOPLE, SERVERS)
    hub.ask("POST", "/users/ada-b/server")
    until(lambda: hub.ask("GET", "/users/ada-b").json()["servers"].get("", {}).get("ready"))
    return made | {"volumes": volumes(cloud), "hub": hub}


def volumes(cloud: Shell) -> list[str]:
    return sorted(each["ID"] for each in json.loads(cloud.openstack("volume", "list", "-f", "json")))


def killed(cloud: Shell, lines: int, *words: str) -> bool:
    """Kill the move after so many lines of its progress; False if it ended before."""
    command = [str(PROGRAM), *MOVE, *words, "--yes", "-v"]
    with subprocess.Popen(
        command, cwd=cloud.folder, env=cloud.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        seen = [line for _, line in zip(range(lines), process.stderr, strict=False)]
        if len(seen) == lines:
            process.kill()
            return True
    assert process.returncode == 0, "".join(seen)
    return False


def test_a_plan_says_who_moves_and_changes_nothing(cloud, written):
    until(lambda: cloud.volumes().count("available") == len(SERVERS) - 1)  # but for the hub's and ada-b's
    before = len(cloud.audit())
    plan = cloud.json(*MOVE, "--plan", code=3)
    assert plan["progress"] == "to do"
    assert sorted(each["owner"] for each in plan["volumes"]) == sorted([*PEOPLE, "ada (server lab)", "hub-db-dir"])
    assert {each["what"] for each in plan["differences"]} >= {"cluster", "namespace", "address"}
    assert cloud.writes(before) == []


def test_a_rehearsal_tries_copies_while_people_work(cloud, written):
    found = cloud.json(*MOVE, "--rehearse")
    assert len(found["people"]) == min(3, len(PEOPLE))
    assert all(each["files"] >= 5 for each in found["people"])
    assert volumes(cloud) == written["volumes"]
    assert written["hub"].ask("GET", "/users/ada-b").json()["servers"][""]["ready"]
    assert cloud.json(*MOVE, "--plan", code=3)["progress"] == "to do"


def test_a_move_that_was_killed_again_and_again_is_undone(cloud, written):
    chance, ways = random.Random(14), itertools.cycle([(), (), ("--back",)])
    deaths = [killed(cloud, chance.randint(20, 60), *next(ways)) for _ in range(KILLS)]
    assert any(deaths)
    old = Hub(cloud, cloud.json(*MOVE, "--back", "--yes")["url"])
    assert cloud.json(*MOVE, "--plan", code=3)["progress"] == "to do"
    assert volumes(cloud) == written["volumes"]
    assert old.run("ada", "", READ + LATER) == written["trees"]["ada", ""]
    assert old.ask("GET", "/user", token=written["token"]).json()["name"] == "ada"


@pytest.fixture(scope="module")
def hub(cloud: Shell, written: dict[str, Any]) -> Hub:
    """The hub after the move, on the new cluster."""
    moved = cloud.json(*MOVE, "--yes")
    assert moved["volumes"] == len(written["volumes"])
    assert cloud.json(*MOVE, "--plan")["progress"] == "moved"
    return Hub(cloud, moved["url"])


def test_up_does_not_start_the_old_hub(cloud, written, hub):
    refused = cloud.zerojhub("up", "-f", "old.yaml", code=1).stderr
    assert "the hub moves to deployment keep-2, or has moved there" in refused
    assert volumes(cloud) == written["volumes"]


@pytest.fixture(scope="module")
def finished(cloud: Shell, written: dict[str, Any], hub: Hub) -> Hub:
    """The hub, after the old cluster was deleted."""
    assert cloud.json(*MOVE, "--finish", "--yes")["volumes"] == len(written["volumes"])
    return hub


def test_everybody_has_their_files_accounts_and_tokens(written, finished):
    has_files(finished, written, SERVERS)
    assert "between" in finished.run("ada", "", "print(open('later').read())")
    has_accounts(finished, written, PEOPLE)


def test_nothing_of_the_old_cluster_is_left_and_no_volume_went_with_it(cloud, written, finished):
    assert [each["name"] for each in cloud.json("cluster", "list")] == ["keep-2"]
    assert volumes(cloud) == written["volumes"]
    assert len(json.loads(cloud.openstack("loadbalancer", "list", "-f", "json"))) <= 2  # of the API and of the hub
    assert "zerojhub:keep" not in cloud.openstack("floating", "ip", "list", "--long", "-f", "csv").split('"')
    shown = json.loads(cloud.openstack("volume", "show", written["volumes"][0], "-f", "json"))["properties"]
    assert shown["zerojhub:deployment"] == "keep-2"
    assert "zerojhub:kept" not in shown


def test_up_again_writes_nothing(cloud, written, finished):
    until(lambda: sorted(cloud.volumes()) == [*["available"] * len(SERVERS), "in-use"])  # the hub's
    before = len(cloud.audit())
    assert cloud.json("up", "-f", "new.yaml")["ready"] is True
    assert cloud.writes(before) == []
