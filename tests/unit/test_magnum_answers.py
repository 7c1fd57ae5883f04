"""What a real Magnum answered, recorded, is what the types of Magnum's answers say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.typed import mismatches
from zerojhub.openstack.magnum import Cluster, ClusterTemplate, NodeGroup

SESSION = json.loads((Path(__file__).parent.parent / "contract" / "magnum.json").read_text())
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
    assert mismatches(ANSWERS[name], TYPES[name]) == []


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("uuid", None, ": None is not <class 'str'>"),
        ("node_count", "1", ": '1' is not <class 'int'>"),
        ("labels", {"a": 1}, ".a: 1 is not <class 'str'>"),
        ("node_addresses", [None], "[0]: None is not <class 'str'>"),
        ("status_reason", 7, ": 7 is not <class 'str'>"),
    ],
)
def test_what_is_not_of_the_type_is_found(key: str, value: object, found: str) -> None:
    answer = ANSWERS["cluster_show_complete"]
    assert mismatches(answer | {key: value}, Cluster) == [f"answer.{key}{found}"]


@pytest.mark.parametrize(("key", "required"), [("uuid", True), ("labels", True), ("status_reason", False)])
def test_what_is_missing_is_found(key: str, required: bool) -> None:
    answer = {name: value for name, value in ANSWERS["cluster_show_complete"].items() if name != key}
    assert mismatches(answer, Cluster) == ([f"answer has no {key}"] if required else [])
