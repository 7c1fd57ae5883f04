"""Autoscaling on both roads: a pending pod adds a machine and runs on it; an unneeded machine is removed."""

from __future__ import annotations

import datetime
import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from tests.conftest import ROOT, Shell
from tests.waiting import until
from zerojhub.kube import client
from zerojhub.kube.client import Kube
from zerojhub.kube.kinds import DAEMON_SET, DEPLOYMENT, NODE, POD

KUBERNETES = "v1.34.4"
FILE = """\
name: {name}
cloud: practice
cluster: {{template: kubernetes-{version}, workers: 1}}
autoscale: {{min: 1, max: 2}}
hub: {{chart: embedded, values: {root}/config/practice-values.yaml}}
"""
MISMATCH = "machine ID differs from the server's UUID (zerojhub node fix-machine-id)"
QUICKLY = ("--unneeded-time", "5s", "--delay-after-add", "5s", "--delay-after-failure", "5s")


class Scaled:
    """A cluster created with limits, and pods that need more than it has."""

    def __init__(self, cloud: Shell, name: str, template: str, *stages: str):
        self.cloud, self.name, self.file = cloud, name, cloud.folder / f"{name}.yaml"
        self.file.write_text(FILE.format(name=name, version=template, root=ROOT))
        for stage in stages:
            cloud.zerojhub("up", "-f", self.file, "--only", stage, "-q")
        path = cloud.folder / f"{name}.kubeconfig"
        cloud.zerojhub("cluster", "kubeconfig", name, "--to", path)
        self._config = path.read_bytes()

    def kube(self, work: Callable[[Kube], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            kube = client.connect(self._config)
            try:
                return await work(kube)
            finally:
                await kube.close()

        return anyio.run(run)

    def do(self, *words: str, code: int = 0) -> Any:
        """Run `zerojhub GROUP VERB CLUSTER …`, and return its output or its error."""
        group, verb, *more = words
        if code:
            return self.cloud.zerojhub(group, verb, self.name, *more, code=code).stderr
        return self.cloud.json(group, verb, self.name, *more)

    def run_pods(self, count: int) -> None:
        """Create `count` pods, each too large to share a node with another."""
        nodes = self.kube(lambda kube: kube.list(NODE))
        request = f"{int(float(nodes[0]['status']['allocatable']['cpu']) * 600)}m"
        container = {
            "name": "crowd",
            "image": "registry.k8s.io/pause:3.10",
            "resources": {"requests": {"cpu": request}},
        }
        labels = {"app": "crowd"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": count, "selector": {"matchLabels": labels}, "template": template}
        meta = {"name": "crowd", "namespace": "default"}
        manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
        self.kube(lambda kube: kube.apply(manifest))

    def running(self) -> list[dict]:
        pods = self.kube(lambda kube: kube.list(POD, "default", labels="app=crowd"))
        return [pod for pod in pods if pod["status"]["phase"] == "Running"]

    def why_waiting(self) -> str:
        """The pending pods in the output of status."""
        return "; ".join(row["why"] for row in self.do("autoscale", "status")["pending"])

    def workers(self) -> list[str]:
        rows = self.do("node", "list")
        return sorted(row["name"] for row in rows if row["role"] == "worker")

    def log(self) -> str:
        return self.cloud.zerojhub("autoscale", "logs", self.name, "--lines", "1000").stdout

    def magnum(self) -> dict:
        return json.loads(self.cloud.openstack("coe", "cluster", "show", self.name, "-f", "json"))


def waited(pod: dict) -> float:
    """Seconds from a pod's creation until it runs."""
    [container] = pod["status"]["containerStatuses"]
    made, ran = pod["metadata"]["creationTimestamp"], container["state"]["running"]["startedAt"]
    return (datetime.datetime.fromisoformat(ran) - datetime.datetime.fromisoformat(made)).total_seconds()


@pytest.fixture(scope="module")
def heat(cloud: Shell) -> Scaled:
    return Scaled(cloud, "ssh-road", KUBERNETES, "keypair", "floating-ip", "cluster", "access")


@pytest.fixture(scope="module")
def capi(cloud: Shell) -> Scaled:
    return Scaled(cloud, "api-road", f"{KUBERNETES}-capi", "cluster")


# -- Magnum's Heat driver: an autoscaler in the cluster -----------------------------------------------------------------


def test_the_bounds_of_the_file_are_labels_and_magnum_brings_its_autoscaler(heat: Scaled) -> None:
    status = heat.do("autoscale", "status")
    assert status["enabled"]
    assert status["image"] == "docker.io/openstackmagnum/cluster-autoscaler:v1.18.1"
    assert [(group["min"], group["max"]) for group in status["groups"]] == [(1, 2)]
    assert [node["problem"] for node in status["nodes"]] == [MISMATCH]  # a version that goes by it
    assert heat.magnum()["labels"]["auto_scaling_enabled"] == "true"
    plan = heat.cloud.json("plan", "-f", heat.file, code=3)
    assert next(stage["state"] for stage in plan["stages"] if stage["name"] == "autoscale") == "found"


def test_disabled_it_is_gone_and_what_waits_is_told_why(heat: Scaled) -> None:
    assert heat.do("autoscale", "disable", "--yes") == {"disabled": ["default-worker"]}
    left = heat.kube(lambda kube: kube.list(DEPLOYMENT, "kube-system", labels="app=cluster-autoscaler"))
    assert left == []
    heat.run_pods(2)
    until(lambda: "autoscaling is off (zerojhub autoscale enable)" in heat.why_waiting())
    assert "no autoscaler runs in this cluster" in heat.do("autoscale", "logs", code=1)
    plan = heat.cloud.json("plan", "-f", heat.file, code=3)
    assert next(stage["state"] for stage in plan["stages"] if stage["name"] == "autoscale") == "missing"


def test_a_pod_that_waits_gets_a_node(heat: Scaled) -> None:
    done = heat.do("autoscale", "enable", "--min", "1", "--max", "2", *QUICKLY)
    assert (done["nodegroup"], done["min"], done["max"]) == ("default-worker", 1, 2)
    status = heat.do("autoscale", "status")
    assert status["image"] == "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.5"
    assert status["times"] == {"unneeded_time": "5s", "delay_after_add": "5s", "delay_after_failure": "5s"}
    assert "substitute for cluster-autoscaler" in heat.log().splitlines()[0]
    until(lambda: len(heat.running()) == 2)
    assert len(heat.workers()) == 2
    assert heat.magnum()["node_count"] == 2
    assert "Increasing size by 1, 1->2" in heat.log()


def test_at_the_bound_no_more_come_and_the_pod_says_so(heat: Scaled) -> None:
    heat.run_pods(3)
    told = "default-worker has 2 of 2 nodes (zerojhub autoscale enable --max raises them)"
    until(lambda: told in heat.why_waiting())


def test_a_node_with_another_machine_id_cannot_be_removed(heat: Scaled) -> None:
    rows = heat.do("node", "list")
    servers = json.loads(heat.cloud.openstack("server", "list", "-f", "json"))
    assert {row["server"] for row in rows} == {server["ID"] for server in servers}
    assert not any(row["matches"] for row in rows)
    heat.run_pods(0)
    until(lambda: "1 nodes could not be resolved to stack indices" in heat.log())
    told = {node["name"]: node["problem"] for node in heat.do("autoscale", "status")["nodes"]}
    assert MISMATCH in told.values()
    assert len(heat.workers()) == 2


def test_a_protected_node_is_not_even_tried(heat: Scaled) -> None:
    for node in heat.workers():
        heat.do("autoscale", "protect", node)
    until(lambda: "not removed: scale down disabled by annotation" in heat.log())
    assert all(row["protected"] for row in heat.do("node", "list") if row["role"] == "worker")


def test_mended_and_unprotected_the_node_goes(heat: Scaled) -> None:
    mended = heat.do("node", "fix-machine-id", "--yes")
    assert [row["machine_id"] for row in mended] == [row["server"].replace("-", "") for row in mended]
    assert all(row["matches"] and row["ready"] for row in heat.do("node", "list"))
    assert heat.do("node", "fix-machine-id", "--yes") == []
    for node in heat.workers():
        heat.do("autoscale", "unprotect", node)
    until(lambda: len(heat.workers()) == 1)
    assert not any(node["problem"] for node in heat.do("autoscale", "status")["nodes"])
    until(lambda: heat.magnum()["status"] == "UPDATE_COMPLETE")
    assert heat.magnum()["node_count"] == 1
    assert len(json.loads(heat.cloud.openstack("server", "list", "-f", "json"))) == 2


def test_what_cannot_be_is_refused_before_anything_changes(heat: Scaled) -> None:
    assert "--max 1 is less than --min 2" in heat.do("autoscale", "enable", "--min", "2", "--max", "1", code=2)
    refused = heat.do("autoscale", "enable", "--min", "2", "--max", "3", code=2)
    assert "node group default-worker has 1 node, which is not between 2 and 3" in refused
    assert "zerojhub cluster resize ssh-road 2 --nodegroup default-worker" in refused
    soon = heat.do("autoscale", "enable", "--min", "1", "--max", "2", "--unneeded-time", "soon", code=2)
    assert "is not a duration such as 10m" in " ".join(soon.split())
    masters = heat.do("autoscale", "enable", "--min", "1", "--max", "2", "--nodegroup", "default-master", code=2)
    assert "default-master has the masters" in masters
    assert "no node named 'nobody'" in heat.do("autoscale", "protect", "nobody", code=2)
    assert "no node named nobody" in heat.do("node", "fix-machine-id", "nobody", "--yes", code=2)
    assert [(group["min"], group["max"]) for group in heat.do("autoscale", "status")["groups"]] == [(1, 2)]


def test_a_group_that_is_not_scaled_any_more_is_free_to_be_resized(heat: Scaled) -> None:
    bounds = {"min_node_count", "max_node_count"}
    before = heat.do("nodegroup", "show", "default-worker")
    assert {key: before[key] for key in bounds} == {"min_node_count": 1, "max_node_count": 2}
    assert "is not autoscaled" in heat.do("autoscale", "disable", "--nodegroup", "gpu", "--yes", code=2)
    heat.do("autoscale", "disable", "--nodegroup", "default-worker", "--yes")
    after = heat.do("nodegroup", "show", "default-worker")
    assert {key: after[key] for key in bounds} == {"min_node_count": 0, "max_node_count": None}


# -- Cluster API: an autoscaler outside the cluster, and the node group's bounds --------------------------------------


def test_one_outside_of_the_cluster_keeps_to_the_node_groups_bounds(capi: Scaled) -> None:
    status = capi.do("autoscale", "status")
    assert (status["enabled"], status["where"], status["image"]) == (True, "outside the cluster", None)
    assert [(group["min"], group["max"]) for group in status["groups"]] == [(1, 2)]
    capi.run_pods(3)
    until(lambda: len(capi.running()) == 2)
    assert max(map(waited, capi.running())) < 180
    until(lambda: "default-worker has 2 of 2 nodes" in capi.why_waiting())
    assert "only the cloud's operators can read its log" in capi.do("autoscale", "logs", code=2)
    refused = capi.do("autoscale", "enable", "--min", "1", "--max", "3", "--unneeded-time", "1m", code=2)
    assert "its operators choose the times" in refused


def test_bounds_that_the_file_raises_are_raised_by_up(capi: Scaled) -> None:
    capi.file.write_text(capi.file.read_text().replace("max: 2", "max: 3"))
    plan = {stage["name"]: stage for stage in capi.cloud.json("plan", "-f", capi.file, code=3)["stages"]}
    assert plan["autoscale"]["detail"] == "1 to 3 workers, but the bounds are 1 to 2"
    capi.cloud.zerojhub("up", "-f", capi.file, "--only", "autoscale", "-q")
    until(lambda: len(capi.running()) == 3)


def test_without_ssh_a_daemon_set_mends_machine_ids(capi: Scaled) -> None:
    name = capi.workers()[0]
    capi.kube(lambda kube: kube.apply(vandal(name)))
    broken = until(lambda: [row for row in capi.do("node", "list") if not row["matches"]])
    assert [row["name"] for row in broken] == [name]
    assert [row["name"] for row in capi.do("node", "fix-machine-id", "--keep", "--yes")] == [name]
    assert all(row["matches"] for row in capi.do("node", "list"))
    sets = capi.kube(lambda kube: kube.list(DAEMON_SET, "kube-system", labels="app=zerojhub-machine-id"))
    assert len(sets) == 1


def vandal(node: str) -> dict:
    """A pod that changes the node's machine ID."""
    command = "echo 0123456789abcdef0123456789abcdef >/etc/machine-id && systemctl restart kubelet"
    container = {
        "name": "vandal",
        "image": "busybox",
        "command": ["nsenter", "--target=1", "--mount", "--uts", "--ipc", "--net", "--pid", "sh", "-c", command],
        "securityContext": {"privileged": True},
    }
    spec = {"nodeName": node, "hostPID": True, "restartPolicy": "Never", "containers": [container]}
    meta = {"name": "vandal", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
