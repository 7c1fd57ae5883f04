"""Resizing clusters, adding node groups, losing machines, deleting clusters."""

from __future__ import annotations

import pytest

from tests.contract.clouds import Site, until
from tests.contract.conftest import Magnum


def test_workers_come_and_the_newest_go(site: Site, magnum: Magnum) -> None:
    uuid = magnum.create(node_count=1)
    magnum.settled(uuid)
    cluster = magnum.resize(uuid, node_count=3)
    assert (cluster["status"], cluster["node_count"], len(cluster["node_addresses"])) == ("UPDATE_COMPLETE", 3, 3)
    names = sorted(name.rpartition("-node-")[2] for name in site.ground.nodes[uuid] if "node" in name)
    assert names == ["0", "1", "2"]
    cluster = magnum.resize(uuid, node_count=1)
    assert [name.rpartition("-node-")[2] for name in site.ground.nodes[uuid] if "node" in name] == ["0"]
    assert len(site.ground.machines) == 2
    assert magnum.resize(uuid, node_count=0)["node_addresses"] == []


def test_the_machines_that_are_named_go_first(site: Site, magnum: Magnum) -> None:
    uuid = magnum.create(node_count=2)
    magnum.settled(uuid)
    nodes = {name.rpartition("-node-")[2]: ident for name, ident in site.ground.nodes[uuid].items() if "-node-" in name}
    cluster = magnum.resize(uuid, node_count=1, nodes_to_remove=[nodes["0"]])
    assert cluster["status"] == "UPDATE_COMPLETE"
    assert nodes["0"] not in site.ground.machines
    assert nodes["1"] in site.ground.machines
    magnum.resize(uuid, node_count=2)
    assert sorted(name.rpartition("-node-")[2] for name in site.ground.nodes[uuid] if "-node-" in name) == ["1", "2"]


def test_a_resize_while_creating_is_taken_and_dropped(site: Site, magnum: Magnum) -> None:
    site.ground.held = {"boot"}
    uuid = magnum.create(node_count=1)
    assert magnum.client.post(f"/clusters/{uuid}/actions/resize", json={"node_count": 2}).status_code == 202
    site.ground.held = set()
    assert magnum.settled(uuid)["node_count"] == 1


def test_a_failed_worker_is_replaced_by_the_next_resize(site: Site, magnum: Magnum) -> None:
    uuid = magnum.create(node_count=1)
    magnum.settled(uuid)
    cores = site.store.quotas["compute"]["cores"]
    site.store.quotas["compute"]["cores"] = 3
    cluster = magnum.resize(uuid, node_count=2)
    site.store.quotas["compute"]["cores"] = cores
    assert (cluster["status"], cluster["status_reason"]) == ("UPDATE_FAILED", "default-worker failed")
    assert "Quota exceeded for cores: Requested 1, but already used 3 of 3 cores (HTTP 403)" in str(cluster["faults"])
    assert magnum.resize(uuid, node_count=2)["status"] == "UPDATE_COMPLETE"
    assert len(site.ground.machines) == 3


def test_a_node_group_comes_has_bounds_and_goes(site: Site, magnum: Magnum) -> None:
    uuid = magnum.create(node_count=1)
    magnum.settled(uuid)
    groups = f"/clusters/{uuid}/nodegroups"
    body = {"name": "gpu", "flavor_id": "m1.large", "node_count": 1, "max_node_count": 2, "role": "gpu"}
    assert magnum.client.post(groups, json=body).status_code == 202
    assert magnum.settled(uuid)["node_count"] == 2
    shown = magnum.client.get(f"{groups}/gpu").json()
    assert (shown["status"], len(shown["node_addresses"])) == ("CREATE_COMPLETE", 1)
    assert magnum.client.post(groups, json=body).status_code == 409
    answer = magnum.client.post(f"/clusters/{uuid}/actions/resize", json={"node_count": 3, "nodegroup": "gpu"})
    detail = "Resizing gpu outside the allowed range: min_node_count = 0, max_node_count = 2"
    assert answer.json()["errors"][0]["detail"] == detail
    assert magnum.resize(uuid, node_count=2, nodegroup="gpu")["node_count"] == 3
    assert magnum.client.delete(f"{groups}/gpu").status_code == 204
    assert magnum.settled(uuid)["node_count"] == 1
    assert [group["name"] for group in magnum.client.get(groups).json()["nodegroups"]] == [
        "default-master",
        "default-worker",
    ]
    assert len(site.ground.machines) == 2


def test_deleting_a_cluster_that_is_still_being_made_leaves_nothing(
    site: Site, magnum: Magnum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.ground, "held", {"boot"})
    uuid = magnum.create()
    until(lambda: site.store.servers)
    magnum.delete(uuid)
    assert not site.store.servers


def test_what_kubernetes_made_goes_with_the_cluster_and_what_people_made_does_not(site: Site, magnum: Magnum) -> None:
    uuid = magnum.create(node_count=1)
    cluster = magnum.settled(uuid)
    network, balancing = site.client("/network/v2.0"), site.client("/load-balancer/v2.0/lbaas")
    subnet = network.get("/subnets?name=hub").json()["subnets"][0]["id"]
    public = network.get("/networks?router:external=true").json()["networks"][0]["id"]
    description = f"Kubernetes external service default/proxy from cluster {uuid}"
    wanted = {"name": "kube_service_x", "description": description, "vip_subnet_id": subnet}
    kept = []
    for described in (f"Floating IP for {description}", "kept by somebody"):
        made = balancing.post("/loadbalancers", json={"loadbalancer": wanted}).json()["loadbalancer"]
        lead = {"floating_network_id": public, "port_id": made["vip_port_id"], "description": described}
        kept.append(network.post("/floatingips", json={"floatingip": lead}).json()["floatingip"]["id"])
    master = network.get(f"/ports?fixed_ips=ip_address={cluster['master_addresses'][0]}").json()["ports"][0]["id"]
    own = {"floating_network_id": public, "port_id": master, "description": "mine"}
    mine = network.post("/floatingips", json={"floatingip": own}).json()["floatingip"]
    magnum.delete(uuid)
    assert balancing.get("/loadbalancers").json()["loadbalancers"] == []
    left = network.get("/floatingips").json()["floatingips"]
    assert {each["id"]: (each["port_id"], each["status"]) for each in left} == {
        kept[1]: (None, "DOWN"),
        mine["id"]: (None, "DOWN"),
    }
    for each in left:
        network.delete(f"/floatingips/{each['id']}").raise_for_status()


def test_a_load_balancer_of_someone_else_keeps_the_network_and_the_deletion_says_so(site: Site, magnum: Magnum) -> None:
    uuid = magnum.create(node_count=0)
    magnum.settled(uuid)
    balancing = site.client("/load-balancer/v2.0/lbaas")
    subnet = site.store.subnets.named("hub")[0]["id"]
    made = balancing.post("/loadbalancers", json={"loadbalancer": {"name": "x", "vip_subnet_id": subnet}}).json()
    magnum.client.delete(f"/clusters/{uuid}")
    cluster = magnum.settled(uuid)
    assert cluster["status"] == "DELETE_FAILED"
    assert "One or more ports have an IP allocation from this subnet." in cluster["faults"]["default-master"]
    balancing.delete(f"/loadbalancers/{made['loadbalancer']['id']}").raise_for_status()


def test_a_dead_machine_makes_the_cluster_unhealthy(
    site: Site, magnum: Magnum, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = magnum.create(node_count=1)
    magnum.settled(uuid)
    worker = next(name for name in site.ground.nodes[uuid] if "-node-" in name)
    machine = site.ground.machines.pop(site.ground.nodes[uuid][worker])
    until(lambda: magnum.show(uuid)["health_status"] == "UNHEALTHY")
    assert magnum.show(uuid)["health_status_reason"][f"{worker}.Ready"] == "False"
    site.ground.machines[machine.id] = machine
