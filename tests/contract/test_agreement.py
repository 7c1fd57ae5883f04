"""The practice cloud responds like a real Keystone and Magnum, except for the known differences."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.contract.agreement import differences, hold_to_questions, hold_to_the_list
from tests.contract.clouds import Cloud, Site
from tests.contract.session import Answer, read, replay, without
from zerojhub.practice.recorder.asking import Question

QUESTIONS = read(Path(__file__).with_name("questions.yaml"))
NAMES = [
    step.name if isinstance(step, Question) else step["name"]
    for step in QUESTIONS["steps"]
    if isinstance(step, Question) or "name" in step
]
DIFFERENCES = differences("clusters and identity")
# What depends on the driver and on the machines of a cluster, or on what else a database has seen.
MACHINES = {
    "id",
    "driver",
    "cluster_id",
    "stack_id",
    "health_status",
    "health_status_reason",
    "coe_version",
    "container_version",
    "api_address",
    "node_addresses",
    "master_addresses",
    "updated_at",
    "host",
    "report_count",
}


@pytest.fixture(scope="module")
def practice_answers(site: Site) -> dict[str, Answer]:
    return replay(site, QUESTIONS)


@pytest.fixture(scope="module")
def real_answers(real: Cloud) -> dict[str, Answer]:
    return replay(real, QUESTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_both_say_the_same(practice_answers: dict[str, Answer], real_answers: dict[str, Answer], name: str) -> None:
    compared = partial(without, free=MACHINES)
    hold_to_the_list(name, DIFFERENCES, practice_answers[name], real_answers[name], compared)


def test_known_differences_are_of_questions_that_are_asked() -> None:
    assert DIFFERENCES
    hold_to_questions(DIFFERENCES, NAMES)
