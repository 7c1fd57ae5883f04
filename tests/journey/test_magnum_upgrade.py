"""A hub with two active users during a Kubernetes upgrade. Needs the two versions of `practice build --all`."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Shell
from tests.journey.test_magnum import School, refused
from zerojhub.cluster.upgrade import number


@pytest.fixture(scope="module")
def versions(cloud: Shell) -> list[str]:
    """The Kubernetes versions that the practice cloud has templates for, oldest first."""
    found = [row["labels"]["kube_tag"] for row in cloud.json("template", "list") if row["public"]]
    assert len(set(found)) > 1, "zerojhub practice build --all builds a second Kubernetes"
    return sorted(set(found), key=number)


@pytest.fixture(scope="module")
def school(cloud: Shell, versions: list[str], tmp_path_factory: pytest.TempPathFactory):
    school = School(cloud, tmp_path_factory.mktemp("school"), "upgraded", versions[0])
    for user in ("ada", "bob"):
        school.run(user, f"open('mine.txt', 'w').write('kept by {user}')")
    yield school
    cloud.zerojhub("down", "-f", school.file, "--delete-data", "--yes")


def test_steps_that_kubernetes_does_not_allow(cloud, school, versions):
    major, minor, patch = number(versions[0])
    upgrade = ["cluster", "upgrade", school.name, "--kube-tag"]
    refused(cloud, *upgrade, versions[0], said=f"already has Kubernetes {versions[0]}")
    refused(cloud, *upgrade, f"v{major}.{minor}.{patch - 1}", said="is older")
    refused(cloud, *upgrade, f"v{major}.{minor + 2}.0", said="minor versions cannot be skipped")
    refused(cloud, *upgrade, "newest", said="is not a Kubernetes version")
    refused(cloud, "cluster", "upgrade", school.name, said="neither --kube-tag nor")


def test_a_hub_of_a_chart_that_is_too_old(cloud, school, versions):
    label = f"sudo kubectl label configmap hub -n {school.name} --overwrite chart="
    now = school.ssh(f"sudo kubectl get configmap hub -n {school.name} -o jsonpath={{.metadata.labels.chart}}").strip()
    school.ssh(f"{label}jupyterhub-2.0.0")
    try:
        words = ["cluster", "upgrade", school.name, "--kube-tag", versions[-1]]
        refused(cloud, *words, said=f"jupyterhub-2.0.0 in namespace {school.name} does not support Kubernetes")
    finally:
        school.ssh(f"{label}{now}")


def test_upgrade_with_users_at_work(cloud, school, versions):
    wanted = versions[-1]
    cloud.zerojhub("nodegroup", "create", school.name, "gpu", "--nodes", "1")
    done = cloud.json("cluster", "upgrade", school.name, "--kube-tag", wanted, "--yes")
    nodes = {node["name"]: node["kubelet"] for node in done["nodes"] if "-gpu-" not in node["name"]}
    assert set(nodes.values()) == {wanted}
    assert (len(nodes), len(done["nodes"]), done["behind"]) == (3, 4, ["gpu"])
    print(f"the hub was unavailable for {done['silent']} s")
    assert done["silent"] < 300
    seen = json.loads(school.ssh("sudo kubectl get nodes -o json -l magnum.openstack.org/nodegroup!=gpu"))["items"]
    assert {node["status"]["nodeInfo"]["kubeletVersion"] for node in seen} == {wanted}
    assert all("unschedulable" not in node["spec"] for node in seen)
    template = school.cluster()["cluster_template_id"]
    shown = json.loads(cloud.openstack("coe", "cluster", "template", "show", template, "-f", "json"))
    assert shown["labels"]["kube_tag"] == wanted
    for user in ("ada", "bob"):
        assert school.run(user, "print(open('mine.txt').read())") == f"kept by {user}"
    refused(cloud, "cluster", "upgrade", school.name, "--kube-tag", wanted, said="already")


def test_a_node_group_follows_its_cluster(cloud, school, versions):
    upgrade = ("cluster", "upgrade", school.name, "--nodegroup", "gpu")
    refused(cloud, *upgrade, "--kube-tag", versions[0], said="can only be upgraded to the version of its cluster")
    done = cloud.json(*upgrade, "--yes")
    assert ({node["kubelet"] for node in done["nodes"]}, done["behind"]) == ({versions[-1]}, [])
    refused(cloud, *upgrade, said=f"node group gpu already has Kubernetes {versions[-1]}")
    cloud.zerojhub("nodegroup", "delete", school.name, "gpu", "--yes")
