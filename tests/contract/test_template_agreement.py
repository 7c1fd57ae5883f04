"""Functions and conditions in templates mean to the practice cloud's Heat what they mean to a real one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clouds import Cloud, Site, until
from zerojhub.yamlfile import read_yaml

QUESTIONS: dict[str, Any] = read_yaml(Path(__file__).with_name("template_questions.yaml"))
VERSIONS = (
    *("2013-05-23", "2014-10-16", "2015-04-30", "2015-10-15", "2016-04-08", "2016-10-14", "2017-02-24", "2017-09-01"),
    *("2018-08-31", "2021-04-16"),
)
CONDITIONS_SINCE, LATER_SINCE, USUAL, NEWEST = "2016-10-14", "2017-09-01", "2018-08-31", "2021-04-16"
SET = re.compile(r"\{'.*'\}")
"""As Python prints a set: in no order."""


class Heat:
    def __init__(self, cloud: Cloud):
        self.client = cloud.client(Accept="application/json")
        project = self.client.get(cloud.at("/identity/v3/auth/projects")).json()["projects"][0]["id"]
        self.stacks = cloud.at(f"/orchestration/v1/{project}/stacks")

    def answer(self, template: dict[str, Any], name: str) -> Any:
        """The outputs of a stack, with their errors, or why it is refused."""
        made = self.client.post(self.stacks, json={"stack_name": name, "template": template})
        if made.is_error:
            return made.status_code, made.json()["error"]["type"], made.json()["error"]["message"]
        stack = f"{self.stacks}/{name}/{made.json()['stack']['id']}"

        def is_idle() -> bool:
            status: str = self.client.get(f"{stack}?resolve_outputs=False").json()["stack"]["stack_status"]
            return not status.endswith("PROGRESS")

        until(is_idle, 60, pause=0.1)
        outputs = self.client.get(stack).json()["stack"]["outputs"]
        self.client.delete(stack).raise_for_status()
        return {
            output["output_key"]: (output["output_value"], SET.sub("{…}", output.get("output_error") or ""))
            for output in outputs
        }


def template(version: str, outputs: dict[str, Any]) -> dict[str, Any]:
    conditions = dict(QUESTIONS["conditions"])
    for name in QUESTIONS["later"] if version < LATER_SINCE else ():
        del conditions[name]
    sections = {"parameters": QUESTIONS["parameters"], "outputs": outputs}
    return {"heat_template_version": version, **sections} | (
        {"conditions": conditions} if version >= CONDITIONS_SINCE else {}
    )


def values_of(cloud: Cloud) -> dict[str, Any]:
    """The outputs by template version."""
    heat, found = Heat(cloud), {}
    for version in VERSIONS:
        values = QUESTIONS["values"] | (QUESTIONS["nullable"] if version >= NEWEST else {})
        outputs = {name: {"value": value} for name, value in values.items()}
        found[version] = heat.answer(template(version, outputs), f"values-{version}")
    return found


def refusals_of(cloud: Cloud) -> dict[str, Any]:
    heat, found = Heat(cloud), {}
    for index, (name, case) in enumerate(QUESTIONS["refused"].items()):
        version = case.get("version", USUAL)
        outputs = {"a": {"value": case["value"]}} if "value" in case else case.get("outputs", {})
        if "output" in case:
            outputs = {"a": {"value": "x", "condition": case["output"]}}
        body = template(version, outputs)
        body |= {section: case[section] for section in ("conditions", "parameters") if section in case}
        found[name] = heat.answer(body, f"refused-{index}")
    return found


@pytest.fixture(scope="module")
def practice_values(site: Site) -> dict[str, Any]:
    return values_of(site)


@pytest.fixture(scope="module")
def real_values(real_heat: Cloud) -> dict[str, Any]:
    return values_of(real_heat)


@pytest.fixture(scope="module")
def practice_refusals(site: Site) -> dict[str, Any]:
    return refusals_of(site)


@pytest.fixture(scope="module")
def real_refusals(real_heat: Cloud) -> dict[str, Any]:
    return refusals_of(real_heat)


@pytest.mark.parametrize("version", VERSIONS)
def test_functions_return_the_same(practice_values: dict[str, Any], real_values: dict[str, Any], version: str) -> None:
    assert len(real_values[version]) >= len(QUESTIONS["values"])
    assert practice_values[version] == real_values[version]


@pytest.mark.parametrize("name", QUESTIONS["refused"])
def test_the_same_is_refused(practice_refusals: dict[str, Any], real_refusals: dict[str, Any], name: str) -> None:
    assert practice_refusals[name] == real_refusals[name]
