"""Reading nodes, and draining one."""

from __future__ import annotations

import anyio
import pytest

from tests.unit.kubernetes import Cluster
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import drain, nodes
from zerojhub.kube.client import KubeError

SERVER = "5d2c8e64-0b1a-4c3e-9f77-2a1b3c4d5e6f"
MACHINE_ID = SERVER.replace("-", "")


def node(name="w-0", labels=None, annotations=None, provider=f"openstack:///{SERVER}", ready="True", **info):
    return {
        "metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}},
        "spec": {"providerID": provider} if provider else {},
        "status": {
            "conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": ready}],
            "addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": "10.0.0.7"}],
            "nodeInfo": {"machineID": MACHINE_ID, "systemUUID": SERVER.upper(), **info},
        },
    }


@pytest.mark.parametrize("provider", [f"openstack:///{SERVER}", f"openstack://RegionOne/{SERVER}", None])
def test_the_server_of_a_node_with_a_region_or_before_it_has_a_provider_id(provider):
    assert nodes.server_id(node(provider=provider)) == SERVER


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False), ("Unknown", False)])
def test_a_node_is_ready_when_kubernetes_says_so_and_not_when_it_is_unknown(status, ready):
    assert nodes.is_ready(node(ready=status)) is ready


@pytest.mark.parametrize("label", ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"])
def test_a_master_has_the_label_of_new_or_old_versions_whatever_its_value(label):
    assert nodes.is_master(node(labels={label: ""}))
    assert not nodes.is_master(node(labels={"magnum.openstack.org/role": "worker"}))


def test_the_row_of_a_node():
    row = nodes.row(node(labels={"magnum.openstack.org/nodegroup": "gpu"}, annotations={nodes.PROTECTED: "true"}))
    assert row == nodes.NodeRow(
        "w-0", "worker", True, "gpu", "10.0.0.7", SERVER, MACHINE_ID, matches=True, protected=True
    )


def test_a_machine_id_fits_in_any_case_and_another_does_not():
    assert nodes.matches(node(machineID=MACHINE_ID.upper()))
    assert not nodes.matches(node(machineID="0" * 32))


def test_protecting_a_node_sets_the_autoscalers_annotation_and_unprotecting_removes_it():
    cluster = Cluster(Node=[node()])
    anyio.run(lambda: nodes.protect(cluster, "w-0", on=True))
    anyio.run(lambda: nodes.protect(cluster, "w-0", on=False))
    assert [each["metadata"]["annotations"] for each in cluster.applied] == [
        {"cluster-autoscaler.kubernetes.io/scale-down-disabled": "true"},
        {"cluster-autoscaler.kubernetes.io/scale-down-disabled": None},
    ]


def test_an_unknown_node_is_an_error_that_names_the_nodes_there_are():
    cluster = Cluster(Node=[node("w-0"), node("w-1")])
    assert anyio.run(nodes.find, cluster, "w-1")["metadata"]["name"] == "w-1"
    with pytest.raises(UserError, match=r"no node named 'w-2' \(nodes: w-0, w-1\)"):
        anyio.run(lambda: nodes.protect(cluster, "w-2", on=True))
    assert cluster.applied == []


def test_the_address_of_a_node_by_its_kind():
    assert nodes.address_of(node(), "Hostname") == "w-0"
    assert nodes.address_of(node(), "ExternalIP") is None


# -- draining -----------------------------------------------------------------------------------------------------------


def pod(name, phase="Running", owner="ReplicaSet", labels=None, **annotations):
    meta = {"name": name, "namespace": "hub", "labels": labels or {}, "annotations": annotations}
    return {
        "metadata": meta | {"ownerReferences": [{"kind": owner}]},
        "spec": {"nodeName": "w-0"},
        "status": {"phase": phase},
    }


def stays():
    return [
        pod("cni", owner="DaemonSet"),
        pod("etcd", owner="Node", **{"kubernetes.io/config.mirror": "x"}),
        pod("done", phase="Succeeded"),
        pod("failed", phase="Failed"),
    ]


def unschedulable(cluster):
    return [each["spec"].get("unschedulable", False) for each in cluster.cordons()]


@pytest.mark.usefixtures("short_pauses")
def test_draining_evicts_what_another_node_can_run_and_keeps_the_node_cordoned():
    said: list[str] = []
    cluster = Cluster(Pod=[*stays(), pod("hub"), pod("proxy")])
    anyio.run(drain.drain, cluster, "w-0", said.append)
    assert cluster.deleted == ["hub", "proxy"]
    assert unschedulable(cluster) == [True]
    assert said == ["node w-0: evicting 2 pods (hub …)"]


@pytest.mark.usefixtures("short_pauses")
def test_a_disruption_budget_is_waited_for_and_a_pod_that_is_gone_is_fine():
    cluster = Cluster(Pod=[pod("hub"), pod("gone")])
    cluster.refusals = {"hub": 429, "gone": 404}
    looks = []

    def later():
        looks.append(1)
        if len(looks) == 2:
            cluster.refusals.clear()

    cluster.before_list = later
    anyio.run(drain.drain, cluster, "w-0", lambda text: None)
    assert cluster.deleted == ["hub", "gone"]


def test_pods_that_do_not_leave_in_time_are_named_and_the_node_is_uncordoned(monkeypatch):
    monkeypatch.setattr(drain, "PATIENCE", 0)
    cluster = Cluster(Pod=[pod("hub")])
    cluster.refusals = {"hub": 429}
    with pytest.raises(ZeroJHubError, match="hub did not leave node w-0 within 0 s"):
        anyio.run(drain.drain, cluster, "w-0", lambda text: None)
    assert unschedulable(cluster) == [True, False]


def test_another_refusal_ends_the_draining_and_the_node_is_uncordoned():
    cluster = Cluster(Pod=[pod("hub")])
    cluster.refusals = {"hub": 403}
    with pytest.raises(KubeError, match="refused"):
        anyio.run(drain.drain, cluster, "w-0", lambda text: None)
    assert unschedulable(cluster) == [True, False]


def test_the_users_of_a_node_are_those_whose_servers_run_there():
    server = {"component": "singleuser-server"}
    users = [
        pod("jupyter-zoe", labels=server, **{"hub.jupyter.org/username": "zoe"}),
        pod("jupyter-ada", labels=server, **{"hub.jupyter.org/username": "ada"}),
        pod("jupyter-eve", labels=server, phase="Succeeded", **{"hub.jupyter.org/username": "eve"}),
        pod("hub", labels={"component": "hub"}),
    ]
    assert anyio.run(drain.users_on, Cluster(Pod=users), "w-0") == ["ada", "zoe"]
    assert anyio.run(drain.users_on, Cluster(Pod=users), "w-1") == []
