"""The practice cloud responds like a real Heat, except for the known differences."""

from __future__ import annotations

import re
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.agreement import differences, hold_to_questions, hold_to_the_list, known_of
from tests.contract.clouds import Cloud, Site, until
from tests.contract.session import PUBLIC_KEY, Answer, ask, read

QUESTIONS = read(Path(__file__).with_name("stack_questions.yaml"))
NAMES = [step["name"] for step in QUESTIONS["steps"] if "name" in step]
DIFFERENCES = differences("stacks")
DRAWN = r"(Failed to create Cluster '\w+' - |Circular Dependency Found: ).*"


def settled(client: httpx.Client, stack: str) -> bool:
    """Whether the stack is idle. Heat marks a stack as busy before it responds to the request that starts work."""
    answer = client.get(stack, follow_redirects=True)
    if answer.status_code == 404:
        return True
    there = answer.json()["stack"]
    # One that failed may not have begun to roll back yet.
    if there["stack_status"] == "CREATE_FAILED" and not there["disable_rollback"]:
        return False
    # One that is deleted is in the way of others until the time of it is known.
    return not there["stack_status"].endswith("PROGRESS") and (
        there["stack_status"] != "DELETE_COMPLETE" or there["deletion_time"] is not None
    )


def answers_of(cloud: Cloud) -> dict[str, Answer]:
    """Replay the session, and return the responses by step name."""
    client = cloud.client(Accept="application/json")
    keypairs = cloud.at("/compute/v2.1/os-keypairs")
    client.post(keypairs, json={"keypair": {"name": "mykey", "public_key": PUBLIC_KEY}}).raise_for_status()
    known = known_of(cloud, "heat", "/orchestration")
    known["user"] = cloud.token().json()["token"]["user"]["id"]
    answers = {}
    cloud.hold()
    try:
        for step in QUESTIONS["steps"]:
            if stack := step.get("settle"):
                cloud.let_go()
                path = cloud.at(f"/orchestration/v1/{known['project']}/stacks/{stack}?resolve_outputs=False")
                until(partial(settled, client, path), 180, pause=0.2)
                cloud.hold()
            else:
                answers[step["name"]], _ = ask(cloud, client, step, QUESTIONS, known)
    finally:
        cloud.let_go()
        client.delete(f"{keypairs}/mykey").raise_for_status()
    return answers


@pytest.fixture(scope="module")
def practice_answers(site: Site) -> dict[str, Answer]:
    return answers_of(site)


@pytest.fixture(scope="module")
def real_answers(real_heat: Cloud) -> dict[str, Answer]:
    return answers_of(real_heat)


def comparable(body: Any) -> Any:
    """The body with sorted outputs and resources, which have no order in Heat, and without random names.

    Also without a cluster's reason for failing, which depends on the driver, and the start of a circular dependency.
    """
    if isinstance(body, dict):
        unordered = (("outputs", "output_key"), ("resources", "resource_name"), ("template_functions", "functions"))
        for name, key in unordered:
            if isinstance(body.get(name), list):
                body = {**body, name: sorted(body[name], key=itemgetter(key))}
        return {name: comparable(item) for name, item in body.items()}
    if isinstance(body, list):
        return [comparable(item) for item in body]
    if not isinstance(body, str):
        return body
    return re.sub(r"-[a-z0-9]{12}$", "-<drawn>", re.sub(DRAWN, r"\1…", body))


@pytest.mark.parametrize("name", NAMES)
def test_both_say_the_same(practice_answers: dict[str, Answer], real_answers: dict[str, Answer], name: str) -> None:
    hold_to_the_list(name, DIFFERENCES, practice_answers[name], real_answers[name], comparable)


def test_known_differences_are_of_questions_that_are_asked() -> None:
    hold_to_questions(DIFFERENCES, NAMES)
