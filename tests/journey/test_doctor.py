"""A hub that is well, nodes with marks of their own, and what is broken on purpose: the doctor names it, and repairs what it says.
Each test continues where the one before ended."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from tests.conftest import PROGRAM, Shell
from tests.journey.test_names import VALUES
from tests.waiting import until

FILE = """
name: keep
cloud: practice
cluster: {template: kubernetes-v1.34.4, workers: 2}
hub: {chart: embedded, values: values.yaml}
"""
MARKER = "zerojhub-node-marks"
STALE = """
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: stale}
spec: {attacher: cinder.csi.openstack.org, nodeName: gone, source: {persistentVolumeName: gone}}
"""


@pytest.fixture(scope="module")
def hub(cloud: Shell) -> str:
    """The hub's URL."""
    (cloud.folder / "values.yaml").write_text(VALUES)
    (cloud.folder / "hub.yaml").write_text(FILE)
    url: str = cloud.json("up")["url"]
    return url


def kubectl(cloud: Shell, *words: str, **more: Any) -> str:
    done = cloud.run(PROGRAM, "cluster", "ssh", "keep", "-q", "--", "sudo", "kubectl", *words, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def nodes(cloud: Shell) -> dict[str, dict[str, Any]]:
    return {
        each["metadata"]["name"]: each for each in json.loads(kubectl(cloud, "get", "nodes", "-o", "json"))["items"]
    }


def marked(cloud: Shell) -> set[str]:
    """The nodes with the label and the taint of the group gpu."""
    return {
        name
        for name, node in nodes(cloud).items()
        if node["metadata"]["labels"].get("gpu") == "a100"
        and "nvidia.com/gpu" in [taint["key"] for taint in node["spec"].get("taints", [])]
    }


def findings(cloud: Shell, *words: str, code: int = 3) -> dict[str, dict[str, Any]]:
    """What the doctor finds, by its kind and name. It could look at everything."""
    diagnosis = cloud.json("doctor", *words, code=code)
    assert diagnosis["unchecked"] == []
    return {f"{each['kind']} {each['name']}": each for each in diagnosis["findings"]}


def well(cloud: Shell) -> bool:
    return cloud.zerojhub("doctor", code=None).returncode == 0


def run_it(cloud: Shell, command: str, *more: str) -> None:
    """Run a command that the doctor has printed."""
    program, *words = shlex.split(command)
    if program == "zerojhub":
        cloud.zerojhub(*words, *more)
    elif program == "kubectl":
        kubectl(cloud, *words)
    else:
        assert program == "openstack"
        cloud.openstack(*words)


def test_nothing_is_wrong_with_a_hub_that_is_well(cloud, hub):
    before = len(cloud.audit())
    assert findings(cloud, code=0) == {}
    assert "nothing wrong" in cloud.zerojhub("doctor").stdout
    assert findings(cloud, "keep", code=0) == {}
    assert cloud.writes(before) == []


@pytest.fixture(scope="module")
def group(cloud: Shell, hub: str) -> str:
    """The node of a group with a label and a taint, which this Magnum leaves to others."""
    marks = ("--node-labels", "gpu=a100", "--node-taints", "nvidia.com/gpu:NoSchedule")
    cloud.zerojhub("nodegroup", "create", "keep", "gpu", "--nodes", "1", *marks)
    [node] = marked(cloud)
    assert "gpu" in nodes(cloud)[node]["metadata"]["labels"]["magnum.openstack.org/nodegroup"]
    return node


def test_a_node_that_joins_later_gets_the_marks_of_its_group(cloud, group):
    cloud.zerojhub("cluster", "resize", "keep", "2", "--nodegroup", "gpu")
    until(lambda: len(marked(cloud)) == 2)
    log = kubectl(cloud, "-n", "kube-system", "logs", f"deploy/{MARKER}")
    assert f"node {(marked(cloud) - {group}).pop()}: " in log
    assert findings(cloud, code=0) == {}


def test_the_doctor_names_whatever_is_broken_and_changes_nothing(cloud, group):
    kubectl(cloud, "cordon", group)
    kubectl(cloud, "apply", "-f", "-", input=STALE)
    kubectl(cloud, "-n", "kube-system", "set", "image", f"deploy/{MARKER}", "marker=docker.io/library/nosuch:1")
    until(lambda: any(name.startswith(f"pod kube-system/{MARKER}") for name in findings(cloud)))
    before = len(cloud.audit())
    found = findings(cloud)
    assert found[f"node {group}"]["problem"] == "it is cordoned"
    assert (
        found["volumeattachment stale"]["fix"] == "delete VolumeAttachment stale to node gone, which no longer exists"
    )
    [name] = [name for name in found if name.startswith(f"pod kube-system/{MARKER}")]
    assert "cannot pull image docker.io/library/nosuch:1" in found[name]["problem"]
    assert len(found) <= 4, found  # the program's Deployment may be among them
    assert cloud.writes(before) == []


def test_fix_repairs_what_it_says_and_nothing_else(cloud, group):
    asked = cloud.zerojhub("doctor", "--fix", code=2).stderr
    assert "would delete VolumeAttachment stale" in asked
    diagnosis = cloud.json("doctor", "--fix", "--yes", code=3)
    assert diagnosis["fixed"] == ["delete VolumeAttachment stale to node gone, which no longer exists"]
    assert diagnosis["not_fixed"] == []
    left = {f"{each['kind']} {each['name']}" for each in diagnosis["findings"]}
    assert f"node {group}" in left
    assert "volumeattachment stale" not in left
    assert "stale" not in kubectl(cloud, "get", "volumeattachment", "-o", "name")


def test_the_commands_that_it_prints_repair_the_rest(cloud, group):
    found = findings(cloud)
    run_it(cloud, found[f"node {group}"]["do"].partition(": ")[2])
    cloud.zerojhub("nodegroup", "update", "keep", "gpu", "--node-labels", "gpu=a100,rack=3")
    assert nodes(cloud)[group]["metadata"]["labels"]["rack"] == "3"
    until(lambda: well(cloud))


def test_a_group_that_goes_takes_its_marks_along(cloud, group):
    cloud.zerojhub("nodegroup", "delete", "keep", "gpu", "--yes")
    assert MARKER not in kubectl(cloud, "-n", "kube-system", "get", "deploy,sa", "-o", "name")
    assert findings(cloud, code=0) == {}
    cloud.zerojhub("down", "--yes", "--delete-data")
