"""Magnum's API answers as a real Magnum did: `magnum.json` is one session with one, request by request.

What differs from place to place (ids, times, addresses) is masked in both; every other value must be the same.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Site, until

SESSION = json.loads((Path(__file__).parent / "magnum.json").read_text())
STEPS = {step["name"]: step for step in SESSION["steps"] if "name" in step}
MASKS = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>"),
    (r"^[0-9a-f]{32}$", "<id>"),
    (r"^\d{4}-\d\d-\d\dT[\d:]+\+00:00$", "<time>"),
    (r"(?s)^-----BEGIN.*", "<pem>"),
)
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
# Which step's answer tells the id that later requests name.
LEARN = {
    "template_create": ("template", lambda body: body["uuid"]),
    "template_create_second": ("second", lambda body: body["uuid"]),
    "cluster_create": ("cluster", lambda body: body["uuid"]),
    "cluster_create_that_fails": ("failer", lambda body: body["uuid"]),
    "nodegroup_list": ("masters", lambda body: body["nodegroups"][0]["uuid"]),
}


def filled(value: Any, known: dict[str, str]) -> Any:
    text = json.dumps(value)
    for name, ident in known.items():
        text = text.replace("{" + name + "}", ident)
    return json.loads(text)


def masked(value: Any, base: str, known: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: masked(item, base, known) for name, item in value.items()}
    if isinstance(value, list):
        return [masked(item, base, known) for item in value]
    if not isinstance(value, str):
        return value
    value = value.replace(base, "<magnum>")
    for name, ident in known.items():
        value = value.replace(ident, "{" + name + "}")
    for pattern, mask in MASKS:
        value = re.sub(pattern, mask, value)
    return value


def without(body: Any, free: set[str]) -> Any:
    """The body with the names of what is free, but not its values."""
    if isinstance(body, dict):
        return {name: "…" if name in free else without(item, free) for name, item in body.items()}
    return [without(item, free) for item in body] if isinstance(body, list) else body


@pytest.fixture(scope="module")
def answers(site: Site) -> dict[str, dict]:
    """The whole session, replayed: each step's status, headers and body."""
    base, known, results = f"{site.url}/container-infra", {}, {}
    client = site.client("/container-infra/v1")
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDy0PUwIrTeKyXH4wWYoc1IiJ/bFVqFTTwGfD0cGGZVq"
    site.client("/compute/v2.1").post("/os-keypairs", json={"keypair": {"name": "mykey", "public_key": public}})

    def settled(name: str, how: str) -> bool:
        answer = client.get(f"/clusters/{known[name]}")
        return answer.status_code == 404 if how == "gone" else "PROGRESS" not in answer.json()["status"]

    for step in SESSION["steps"]:
        # Nothing moves on between two waits: the session's answers must not depend on how fast this machine is.
        site.ground.held = set() if "wait" in step else {"boot", "halt"}
        if wait := step.get("wait"):
            until(lambda wait=wait: settled(*wait))
            continue
        method, path, version = filled(step["ask"], known)
        send = step.get("send")
        if isinstance(send, dict) and "as" in send:
            send = {name: value for name, value in SESSION[send["as"]].items() if name not in send.get("without", ())}
            send |= step["send"].get("with", {})
        headers = {"OpenStack-API-Version": f"container-infra {version}"}
        if step["name"] == "unauthorized":
            headers["X-Auth-Token"] = "none"
        answer = client.request(method, path, json=filled(send, known), headers=headers)
        body = answer.json() if answer.content else ""
        if step["name"] in LEARN:
            name, find = LEARN[step["name"]]
            known[name] = find(body)
        if isinstance(body, dict) and "clustertemplates" in body:
            body["clustertemplates"] = [item for item in body["clustertemplates"] if not item["public"]]
        headers = {name: masked(value, base, known) for name, value in answer.headers.items()}
        body = masked(body, base, known)
        results[step["name"]] = {"status": answer.status_code, "headers": headers, "body": body}
    return results


@pytest.mark.parametrize("name", STEPS)
def test_magnum_answers_as_recorded(answers: dict[str, dict], name: str) -> None:
    step, answer = STEPS[name], answers[name]
    assert answer["status"] == step["status"], answer["body"]
    if step["speaks"]:
        service = "container-infrastructure-management"
        assert answer["headers"]["openstack-api-version"] == f"{service} {step['speaks']}"
        assert answer["headers"]["openstack-api-minimum-version"] == f"{service} 1.1"
        assert answer["headers"]["openstack-api-maximum-version"] == f"{service} 1.14"
    else:
        assert "openstack-api-version" not in answer["headers"]
    assert answer["headers"].get("location") == step.get("location")
    body = answer["body"]
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
