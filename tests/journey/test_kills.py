"""Commands, and the practice cloud itself, that are killed with `kill -9`. Each test continues where the one before ended."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROGRAM, Shell
from tests.journey.test_data import READ, VALUES, Hub, write
from tests.waiting import until

SEED = int(os.environ.get("ZEROJHUB_TEST_SEED", "15"))
"""Of the moments at which commands are killed; it is in the message of a test that fails."""
KILLS = int(os.environ.get("ZEROJHUB_TEST_KILLS", "3"))
FILE = """
name: keep
cloud: practice
cluster: {template: kubernetes-v1.34.4, workers: 1}
hub: {chart: embedded, values: values.yaml}
"""


@pytest.fixture(scope="module", autouse=True)
def deployment(cloud: Shell) -> None:
    (cloud.folder / "values.yaml").write_text(VALUES)
    (cloud.folder / "hub.yaml").write_text(FILE)


def kill_again_and_again(cloud: Shell, most: int, *command: str) -> int:
    """Run the command some times, and kill it after a random number of lines of its progress. How often it was killed."""
    chance, deaths = random.Random(f"{SEED} {command}"), 0
    for _ in range(KILLS):
        lines = chance.randint(3, most)
        with subprocess.Popen(
            [PROGRAM, *command, "-v"],
            cwd=cloud.folder,
            env=cloud.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr
            seen = [line for _, line in zip(range(lines), process.stderr, strict=False)]
            if len(seen) == lines:
                process.kill()
                deaths += 1
        assert len(seen) == lines or process.returncode == 0, f"seed {SEED}: {''.join(seen)}"
    return deaths


def secrets(cloud: Shell) -> dict[str, bytes]:
    folder = Path(cloud.environment["XDG_STATE_HOME"]) / "zerojhub" / "deployments" / "practice--keep"
    return {name: (folder / name).read_bytes() for name in ("secrets.yaml", "id_ed25519") if (folder / name).exists()}


def listed(cloud: Shell, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cloud.openstack(*words, "list", "-f", "json"))
    return found


def idents(cloud: Shell) -> dict[str, list[str]]:
    """The IDs of everything that outlives the practice cloud's process, by kind."""
    kinds = ("coe cluster", "server", "volume", "loadbalancer", "floating ip")
    rows = {
        kind: [{key.lower(): value for key, value in row.items()} for row in listed(cloud, *kind.split())]
        for kind in kinds
    }
    return {kind: sorted(row.get("id") or row["uuid"] for row in found) for kind, found in rows.items()}


@pytest.fixture(scope="module")
def hub(cloud: Shell) -> Hub:
    """The hub of an `up` that follows some that were killed."""
    assert kill_again_and_again(cloud, 60, "up"), f"seed {SEED}"
    before = secrets(cloud)
    url = cloud.json("up")["url"]
    after = secrets(cloud)
    assert {name: after[name] for name in before} == before, f"seed {SEED}: a secret was made again"
    return Hub(cloud, url)


@pytest.fixture(scope="module")
def written(hub: Hub) -> dict[str, Any]:
    return write(hub, ["ada"], [("ada", "")])


def test_up_converges_to_one_of_everything(cloud: Shell, hub: Hub, written: dict[str, Any]) -> None:
    assert len(cloud.json("cluster", "list")) == 1
    addresses = json.loads(cloud.openstack("floating", "ip", "list", "--long", "-f", "json"))
    assert [each["Description"] for each in addresses].count("zerojhub:keep") == 1
    assert len(listed(cloud, "keypair")) == len(listed(cloud, "loadbalancer")) == 1
    # The cluster detaches the volume of ada's server some time after it has stopped; the hub's own stays.
    until(lambda: sorted(cloud.volumes()) == ["available", "in-use"])
    before = len(cloud.audit())
    cloud.zerojhub("up")
    assert cloud.writes(before) == []


def test_a_killed_practice_cloud_goes_on(cloud: Shell, hub: Hub, written: dict[str, Any]) -> None:
    before = idents(cloud)
    os.kill(cloud.json("practice", "status")["pid"], signal.SIGKILL)
    cloud.zerojhub("practice", "start", timeout=300)
    assert idents(cloud) == before
    cloud.zerojhub("up", timeout=900)
    until(lambda: all(each["ready"] for each in cloud.json("node", "list", "keep")))
    assert hub.ask("GET", "/user", token=written["token"]).json()["name"] == "ada"
    assert hub.run("ada", "", READ) == written["trees"]["ada", ""]


def test_down_after_some_that_were_killed_keeps_the_data_and_up_gives_it_back(
    cloud: Shell, hub: Hub, written: dict[str, Any]
) -> None:
    volumes = sorted(each["ID"] for each in listed(cloud, "volume"))
    kill_again_and_again(cloud, 30, "down", "--yes")
    cloud.zerojhub("down", "--yes")
    assert cloud.json("cluster", "list") == []
    for kind in ("server", "floating ip", "keypair", "loadbalancer", "stack"):
        assert listed(cloud, *kind.split()) == [], f"seed {SEED}: {kind}"
    assert sorted(each["ID"] for each in listed(cloud, "volume")) == volumes
    again = Hub(cloud, cloud.json("up")["url"])
    assert again.ask("GET", "/user", token=written["token"]).json()["name"] == "ada"
    assert again.run("ada", "", READ) == written["trees"]["ada", ""]
    cloud.zerojhub("down", "--yes", "--delete-data")
