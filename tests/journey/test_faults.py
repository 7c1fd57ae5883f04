"""Commands against OpenStack, Kubernetes and a hub that fail now and then. Each test continues where the one before ended."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, Shell
from tests.waiting import until
from zerojhub.practice.daemon import PORT, read_password
from zerojhub.practice.faults import HUB, KUBERNETES, PATH, TOKENS, What

FILE = ROOT / "config" / "practice.yaml"
JOB = ("job", "run", "once", "-f", FILE, "--image", "busybox", "--logs", "--", "echo", "done")
SEED = 13
NEVER = 10**9
# A hub and a cluster have no tokens of the cloud's.
IMPOSSIBLE = {(service, what) for service in (HUB, KUBERNETES) for what in TOKENS}


@pytest.fixture(autouse=True)
def no_fault_is_left(cloud: Shell) -> Iterator[None]:
    """A test that fails leaves its faults to none of the next."""
    yield
    control(cloud, "DELETE")


def control(cloud: Shell, method: str = "GET", **fault: object) -> list[dict]:
    """Add a fault as `practice fault add` does, list or clear the faults; a program for each would take a second."""
    password = read_password(Path(cloud.environment["OS_CLIENT_CONFIG_FILE"]))
    headers = {"Authorization": f"Bearer {password}"}
    answer = httpx.request(method, f"http://127.0.0.1:{PORT}{PATH}", json=fault or None, headers=headers, timeout=60)
    return answer.raise_for_status().json()


def add(cloud: Shell, service: str, what: What, call: int) -> None:
    control(cloud, "POST", service=service, what=what, first=call)


def fired(cloud: Shell) -> int:
    """How many faults have fired. Ends them all."""
    number = sum(fault["fired"] for fault in control(cloud))
    control(cloud, "DELETE")
    return number


def scatter(cloud: Shell, *services: str, apart: int) -> None:
    """Add every fault to each of these services, so many calls apart; only the first one hangs, for half a minute."""
    for service in services:
        kinds = [what for what in What if (service, what) not in IMPOSSIBLE]
        if service != services[0]:
            kinds.remove(What.hang)
        random.Random(f"{SEED} {service}").shuffle(kinds)
        for number, what in enumerate(kinds):
            add(cloud, service, what, 1 + number * apart)


def names(cloud: Shell, *words: str) -> list[str]:
    return [
        {key.lower(): value for key, value in row.items()}["name"]
        for row in json.loads(cloud.openstack(*words, "-f", "json"))
    ]


def test_a_hub_comes_up_through_every_fault_of_every_service(cloud):
    scatter(cloud, "identity", "compute", "network", "orchestration", apart=2)
    scatter(cloud, "container-infra", HUB, KUBERNETES, apart=4)
    up = cloud.zerojhub("up", "-f", FILE, "-v", timeout=900)
    assert "retrying in" in up.stderr
    assert fired(cloud) > 30
    assert names(cloud, "coe", "cluster", "list") == ["practice"]
    assert names(cloud, "keypair", "list") == ["zerojhub-practice"]
    marked = json.loads(cloud.openstack("floating", "ip", "list", "--long", "-f", "json"))
    assert [row["Description"] for row in marked].count("zerojhub:practice") == 1
    assert len(json.loads(cloud.openstack("loadbalancer", "list", "-f", "json"))) == 1
    assert cloud.json("status", "-f", FILE)["ready"] is True


@pytest.fixture(scope="module")
def calls(cloud: Shell) -> dict[str, int]:
    """How many requests `up` on a finished deployment sends to the hub and to Kubernetes."""
    for service in (HUB, KUBERNETES):
        add(cloud, service, What.slow, NEVER)
    cloud.zerojhub("up", "-f", FILE)
    counted = {fault["service"]: fault["matched"] for fault in control(cloud)}
    control(cloud, "DELETE")
    assert all(counted.values())
    return counted


@pytest.mark.parametrize("what", [what for what in What if what not in TOKENS])
def test_faults_of_a_cluster_and_its_hub_do_not_end_up(cloud, calls, what):
    """At the first request to each and at another."""
    until(lambda: cloud.volumes() == ["in-use"])  # the hub's; that of the test's user is deleted
    chosen = {
        (name, call)
        for name, of in calls.items()
        for call in (1, random.Random(f"{SEED} {name} {what}").randint(1, of))
    }
    for service, call in chosen:
        add(cloud, service, what, call)
    before = len(cloud.audit())
    cloud.zerojhub("up", "-f", FILE)
    assert fired(cloud) == len(chosen)
    assert cloud.writes(before) == []


def test_a_job_runs_once(cloud):
    scatter(cloud, "container-infra", KUBERNETES, apart=3)
    assert "done" in cloud.zerojhub(*JOB).stdout
    assert fired(cloud)
    assert [job["name"] for job in cloud.json("job", "list", "-f", FILE)] == ["once"]


def test_a_cluster_shrinks_by_one_node(cloud):
    scatter(cloud, "container-infra", KUBERNETES, HUB, apart=3)
    cloud.zerojhub("cluster", "resize", "practice", "1", "--yes")
    assert fired(cloud)
    assert len(cloud.json("node", "list", "practice")) == 2


def test_a_cluster_that_keeps_failing_is_one_line_and_up_completes_it(cloud):
    cloud.zerojhub("practice", "fault", "add", KUBERNETES, What.unavailable, "--every")
    [fault] = cloud.json("practice", "fault", "list")
    assert (fault["service"], fault["what"], fault["count"]) == ("kubernetes", "503", None)
    error = cloud.zerojhub("up", "-f", FILE, "-q", code=1).stderr
    assert error.count("error:") == 1
    assert "after 5 attempts" in error
    cloud.zerojhub("practice", "fault", "clear")
    cloud.zerojhub("up", "-f", FILE)


def test_down_leaves_nothing(cloud):
    scatter(cloud, "compute", "network", "load-balancer", "volume", apart=2)
    # Several requests at a time go to these: closer together, all five attempts of a single one could fail.
    scatter(cloud, "container-infra", "orchestration", KUBERNETES, apart=4)
    cloud.zerojhub("down", "-f", FILE, "--yes")
    assert fired(cloud)
    for words in ("coe cluster", "server", "floating ip", "keypair", "loadbalancer", "stack"):
        assert cloud.openstack(*words.split(), "list", "-f", "value").strip() == ""
