"""The practice cloud responds like a real Neutron, except for the known differences."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.agreement import differences, hold_to_questions, hold_to_the_list, known_of
from tests.contract.clouds import Cloud, Site
from tests.contract.real.cloud import Real
from tests.contract.real.network import real_network
from tests.contract.session import Answer, ask, read

QUESTIONS = read(Path(__file__).with_name("network_questions.yaml"))
NAMES = [step["name"] for step in QUESTIONS["steps"]]
DIFFERENCES = differences("networks")
ADDRESSES = r"\b(127\.221|10\.9|10\.221)\.\d+\.\d+\b(?!/)"
# What counts the changes of a record, what is drawn, and what agents say.
DRAWN = {"revision_number", "mac_address", "status", "availability_zones"}


@pytest.fixture(scope="module")
def real_one(real: Real) -> Iterator[Cloud]:
    with real_network(real) as cloud:
        yield cloud


def answers_of(cloud: Cloud) -> dict[str, Answer]:
    client = cloud.client(Accept="application/json")
    network = cloud.at("/network/v2.0")
    known = known_of(cloud, "neutron", "/network")
    known["public"] = client.get(f"{network}/networks?name=public").json()["networks"][0]["id"]
    known["default"] = client.get(f"{network}/security-groups?name=default").json()["security_groups"][0]["id"]
    return {step["name"]: ask(cloud, client, step, QUESTIONS, known)[0] for step in QUESTIONS["steps"]}


@pytest.fixture(scope="module")
def practice_answers(site: Site) -> dict[str, Answer]:
    return answers_of(site)


@pytest.fixture(scope="module")
def real_answers(real_one: Cloud) -> dict[str, Answer]:
    return answers_of(real_one)


@pytest.mark.parametrize("cloud", ["site", "real_one"])
def test_a_subnet_pool_with_a_new_description_has_a_new_time(request: pytest.FixtureRequest, cloud: str) -> None:
    """zerojhub takes a lock for stale by this time, and lists those of its own project by name."""
    client = request.getfixturevalue(cloud).client("/network/v2.0", Accept="application/json")
    body = {"subnetpool": {"name": "lock", "prefixes": ["192.0.2.0/24"], "description": "first"}}
    pool = client.post("/subnetpools", json=body).raise_for_status().json()["subnetpool"]
    assert pool["updated_at"] == pool["created_at"]
    time.sleep(1.1)  # its times are whole seconds
    path = f"/subnetpools/{pool['id']}"
    client.put(path, json={"subnetpool": {"description": "second"}}).raise_for_status()
    [shown] = client.get("/subnetpools", params={"name": "lock"}).json()["subnetpools"]
    assert (shown["description"], shown["project_id"]) == ("second", pool["project_id"])
    assert shown["updated_at"] > shown["created_at"] == pool["created_at"]
    client.delete(path).raise_for_status()


def comparable(body: Any) -> Any:
    """The body without random values, and with sorted lists: Neutron's lists have no order."""
    if isinstance(body, dict):
        return {name: "…" if name in DRAWN else comparable(item) for name, item in body.items()}
    if isinstance(body, list):
        return sorted((comparable(item) for item in body), key=json.dumps)
    return re.sub(ADDRESSES, "<address>", body) if isinstance(body, str) else body


@pytest.mark.parametrize("name", NAMES)
def test_both_say_the_same(practice_answers: dict[str, Answer], real_answers: dict[str, Answer], name: str) -> None:
    hold_to_the_list(name, DIFFERENCES, practice_answers[name], real_answers[name], comparable)


def test_known_differences_are_of_questions_that_are_asked() -> None:
    hold_to_questions(DIFFERENCES, NAMES)
