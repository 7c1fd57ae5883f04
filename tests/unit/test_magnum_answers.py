"""What a real Magnum answered, recorded, is what the types of Magnum's answers say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zerojhub.answers import Unexpected, checked
from zerojhub.openstack.magnum import Cluster, ClusterTemplate, NodeGroup

RECORDED = (Path(__file__).parent.parent / "contract" / "magnum.json").read_text()
SESSION = json.loads(RECORDED.replace('"<time>"', '"2026-11-24T13:42:34+00:00"'))
ANSWERS = {step["name"]: step["answer"] for step in SESSION["steps"] if "answer" in step}
TYPES = {
    "cluster_list": dict[str, list[Cluster]],
    "cluster_show_just_created": Cluster,
    "cluster_show_creating": Cluster,
    "cluster_show_complete": Cluster,
    "cluster_show_deleting": Cluster,
    "cluster_show_failed": Cluster,
    "template_create": ClusterTemplate,
    "template_list": dict[str, list[ClusterTemplate]],
    "nodegroup_list": dict[str, list[NodeGroup]],
    "nodegroup_show": NodeGroup,
}


@pytest.mark.parametrize("name", TYPES)
def test_a_recorded_answer_is_of_its_type(name: str) -> None:
    assert checked(ANSWERS[name], TYPES[name]) is ANSWERS[name]


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("uuid", None, "uuid: input should be a valid string, not null"),
        ("node_count", "1", "node_count: input should be a valid integer, not text"),
        ("node_count", True, "node_count: input should be a valid integer, not a boolean"),
        ("labels", {"a": 1}, "labels.a: input should be a valid string, not a number"),
        ("node_addresses", [None], "node_addresses.0: input should be a valid string, not null"),
        ("status_reason", 7, "status_reason: input should be a valid string, not a number"),
    ],
)
def test_what_is_not_of_the_type_is_found(key: str, value: object, found: str) -> None:
    with pytest.raises(Unexpected) as unexpected:
        checked(ANSWERS["cluster_show_complete"] | {key: value}, Cluster)
    assert str(unexpected.value) == found


@pytest.mark.parametrize(("key", "required"), [("uuid", True), ("labels", True), ("status_reason", False)])
def test_what_is_missing_is_found(key: str, required: bool) -> None:
    answer = {name: value for name, value in ANSWERS["cluster_show_complete"].items() if name != key}
    if required:
        with pytest.raises(Unexpected, match=f"^no {key} in it$"):
            checked(answer, Cluster)
    else:
        checked(answer, Cluster)
