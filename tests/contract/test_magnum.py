"""Magnum's API responds as a real Magnum did: `magnum.json` is a recorded session, request by request.

Variable values (IDs, times, addresses) are masked on both sides; everything else must be equal. The recording was made
by an admin, while a member runs this test, so requests for admins only are rejected here. The recorded driver accepted
an even number of masters, unlike any driver that builds clusters.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.clouds import Cloud
from tests.contract.session import Answer, read, replay, without

SESSION = read(Path(__file__).with_name("magnum.json"))
STEPS = {step["name"]: step for step in SESSION["steps"] if "name" in step}
# What depends on the driver, on the machines, or on how far the cluster is at the moment.
FREE = set(
    [
        "cluster_id",
        "stack_id",
        "driver",
        "host",
        "report_count",
        "id",
        "health_status",
        "health_status_reason",
        "coe_version",
        "container_version",
        "api_address",
        "node_addresses",
        "master_addresses",
        "faults",
        "status_reason",
        "updated_at",
    ]
)
# The recorded Magnum was asked before its conductor had begun to upgrade or to delete, and had not finished the last
# resize.
UPGRADED = {"cluster_template_id", "labels", "labels_overridden", "labels_skipped", "labels_added"}
FREE_HERE = {
    "cluster_show_deleting": {"status", "node_count"} | UPGRADED,
    "nodegroup_create": UPGRADED,
    "nodegroup_patch_default_max": {"status", "node_count"} | UPGRADED,
}


@pytest.fixture(scope="module")
def answers(either: Cloud) -> dict[str, Answer]:
    return replay(either, SESSION)


@pytest.mark.parametrize("name", STEPS)
def test_magnum_answers_as_recorded(answers: dict[str, Answer], name: str) -> None:
    step, answer = STEPS[name], answers[name]
    assert answer.status == step["status"], answer.body
    if step["speaks"]:
        service = "container-infrastructure-management"
        assert answer.headers["openstack-api-version"] == f"{service} {step['speaks']}"
        assert answer.headers["openstack-api-minimum-version"] == f"{service} 1.1"
        assert answer.headers["openstack-api-maximum-version"] == f"{service} 1.14"
    else:
        assert "openstack-api-version" not in answer.headers
    assert answer.headers.get("location") == step.get("location")
    body = answer.body
    if isinstance(body, dict) and "clustertemplates" in body:
        body = {"clustertemplates": [template for template in body["clustertemplates"] if not template["public"]]}
    if "refusal" in step:
        code, title, detail = step["refusal"]
        error = {
            "request_id": "",
            "code": code,
            "status": step["status"],
            "title": title,
            "detail": detail,
            "links": [],
        }
        assert body == {"errors": [error]}
        return
    expected = step["answer"]
    if isinstance(expected, dict):
        for kind in ("clusters", "clustertemplates", "nodegroups"):
            if isinstance(expected.get(kind), list):
                body = {**body, kind: body[kind][: len(expected[kind])]}
    free = FREE | FREE_HERE.get(name, set())
    assert without(body, free) == without(expected, free)
