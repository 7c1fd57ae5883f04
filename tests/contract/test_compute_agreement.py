"""The practice cloud responds like a real Nova, except for the known differences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.agreement import differences, hold_to_questions, hold_to_the_list, known_of
from tests.contract.clouds import Cloud, Site, until
from tests.contract.real.cloud import Real
from tests.contract.real.compute import real_compute
from tests.contract.session import PATIENCE, Answer, ask, filled, read, without

QUESTIONS = read(Path(__file__).with_name("compute_questions.yaml"))
NAMES = [step["name"] for step in QUESTIONS["steps"] if "name" in step]
DIFFERENCES = differences("servers")
DRAWN = {
    "adminPass",
    "hostId",
    "created_at",
    "launched_at",
    "OS-SRV-USG:launched_at",
    "start_time",
    "finish_time",
    "updated_at",
}
"""A random value, or a time without a zone."""


@pytest.fixture(scope="module")
def real_one(real: Real, site: Site) -> Iterator[Cloud]:
    with real_compute(real, list(site.store.flavors.values())) as cloud:
        yield cloud


def answers_of(cloud: Cloud) -> dict[str, Answer]:
    client = cloud.client(Accept="application/json", **{"OpenStack-API-Version": "compute 2.96"})
    compute = cloud.at("/compute/v2.1")
    known = known_of(cloud, "nova", "/compute")
    known["image"] = client.get(cloud.at("/image/v2/images?name=fedora-coreos-38")).json()["images"][0]["id"]
    flavors = {flavor["name"]: flavor["id"] for flavor in client.get(f"{compute}/flavors").json()["flavors"]}
    small, medium = flavors["m1.small"], flavors["m1.medium"]
    answers = {}
    for step in QUESTIONS["steps"]:
        step = filled(step, {"small": small, "medium": medium})
        if "name" in step:
            answers[step["name"]], _ = ask(cloud, client, step, QUESTIONS, known)
        else:
            (how, ident), *_ = filled(step, known).items()
            until(partial(reached, client, f"{compute}/servers/{ident}", how), PATIENCE)
    return answers


def reached(client: httpx.Client, url: str, how: str) -> bool:
    """Whether the server is gone, active, or idle."""
    answer = client.get(url)
    if how == "gone":
        return answer.status_code == 404
    server = answer.json()["server"]
    if how == "active":
        return server["status"] == "ACTIVE"
    return server["OS-EXT-STS:task_state"] is None and server["status"] != "BUILD"


@pytest.fixture(scope="module")
def practice_answers(site: Site) -> dict[str, Answer]:
    return answers_of(site)


@pytest.fixture(scope="module")
def real_answers(real_one: Cloud) -> dict[str, Answer]:
    return answers_of(real_one)


def comparable(body: Any) -> Any:
    return without(body, DRAWN)


@pytest.mark.parametrize("name", NAMES)
def test_both_say_the_same(practice_answers: dict[str, Answer], real_answers: dict[str, Answer], name: str) -> None:
    hold_to_the_list(name, DIFFERENCES, practice_answers[name], real_answers[name], comparable)


def test_known_differences_are_of_questions_that_are_asked() -> None:
    hold_to_questions(DIFFERENCES, NAMES)
