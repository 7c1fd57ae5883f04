"""`doctor` on clusters that the APIs show as failed, and `down` that lists what is left. Fake machines, real APIs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clouds import Site
from tests.contract.conftest import Program
from tests.waiting import until

CAPI = "kubernetes-v1.34.4-capi"
HUB = """\
name: mine
cluster: {template: kubernetes-v1.34.4, workers: 1}
hub: {chart: embedded, open_to_anyone: true}
"""


def examined(program: Program, *words: str) -> dict[str, Any]:
    """What `doctor` says as data; the authorities of these clusters, which are made for a day, are always about to expire."""
    return json.loads(program.zerojhub("doctor", *words, "-o", "json", code=3).stdout)


def findings(diagnosis: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for each in diagnosis["findings"] if each["kind"] == kind]


def test_a_complete_cluster_has_nothing_but_authorities_that_expire(program, magnum):
    uuid = magnum.create("mine", node_count=1)
    magnum.settled(uuid)
    diagnosis = examined(program, "mine")
    assert diagnosis["looked_at"] == f"cluster mine ({uuid})"
    assert {each["kind"] for each in diagnosis["findings"]} == {"certificate"}
    assert {each["name"] for each in diagnosis["findings"]} == {
        f"mine: CA {kind}" for kind in ("kubernetes", "etcd", "front-proxy")
    }
    assert findings(diagnosis, "certificate")[0]["do"] == f"zerojhub cluster rotate-ca {uuid}"
    assert examined(program, uuid)["findings"] == diagnosis["findings"]


def test_what_a_cluster_that_cannot_be_reached_keeps_from_being_looked_at_is_named_with_one_reason(program, magnum):
    magnum.settled(magnum.create("mine", node_count=1))
    shown = program.zerojhub("doctor", "mine", code=3).stdout.splitlines()
    [line] = [each for each in shown if each.startswith("could not check")]
    assert "nodes" in line
    assert "volumes of dead servers" in line
    assert "no private key on this machine matches" in line


def test_a_cluster_that_failed_on_either_road(program, magnum):
    for template in ("kubernetes-v1.34.4", CAPI):
        fields = {"cluster_template_id": template, "labels": {"practice_fail": "kube_minions"}, "node_count": 1}
        uuid = magnum.create("mine", **fields)
        assert magnum.settled(uuid)["status"] == "CREATE_FAILED"
        diagnosis = examined(program, "mine")
        [cluster] = findings(diagnosis, "cluster")
        assert (cluster["name"], cluster["id"]) == ("mine", uuid)
        assert "No valid host was found" in cluster["problem"]
        assert cluster["why"].startswith("no compute host has room for the flavor")
        assert f"zerojhub cluster delete {uuid}" in cluster["do"]
        [server] = findings(diagnosis, "server")
        assert "No valid host was found" in server["problem"]
        magnum.delete(uuid)


def test_servers_volumes_and_load_balancers(site, program, magnum):
    cluster = magnum.settled(magnum.create("mine", node_count=1))
    compute, volumes = site.client("/compute/v2.1"), site.client("/volume/v3/x")
    worker = next(each for each in site.store.servers.values() if each["name"].endswith("node-0"))
    compute.post(f"/servers/{worker['id']}/action", json={"os-stop": None}).raise_for_status()
    until(lambda: compute.get(f"/servers/{worker['id']}").json()["server"]["status"] == "SHUTOFF")
    tag = {"cinder.csi.openstack.org/cluster": cluster["uuid"]}
    made = volumes.post("/volumes", json={"volume": {"size": 1, "name": "pvc-1", "metadata": tag}}).json()["volume"]
    before = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    site.store.volumes[made["id"]] |= {"status": "reserved", "updated_at": before}
    (private,) = site.store.networks.named("private")
    octavia = site.client("/load-balancer/v2.0/lbaas")
    wanted = {"name": f"kube_service_{cluster['uuid']}_class_proxy-public", "vip_subnet_id": private["subnets"][0]}
    balancer = octavia.post("/loadbalancers", json={"loadbalancer": wanted}).json()["loadbalancer"]
    site.store.loadbalancers[balancer["id"]]["provisioning_status"] = "ERROR"
    try:
        diagnosis = examined(program, "mine")
    finally:
        site.store.loadbalancers[balancer["id"]]["provisioning_status"] = "ACTIVE"
        octavia.delete(f"/loadbalancers/{balancer['id']}").raise_for_status()
        site.store.volumes[made["id"]]["status"] = "available"
        volumes.delete(f"/volumes/{made['id']}").raise_for_status()
    [server] = findings(diagnosis, "server")
    assert (server["name"], server["do"]) == (worker["name"], f"openstack server start {worker['id']}")
    [volume] = findings(diagnosis, "volume")
    assert (volume["name"], volume["id"], volume["fix"]) == ("pvc-1", made["id"], None)
    assert volume["problem"].startswith("it is reserved for")
    [found] = findings(diagnosis, "load balancer")
    assert found["id"] == balancer["id"]
    assert f"openstack loadbalancer delete --cascade {balancer['id']}" in found["do"]


def test_two_external_networks_of_the_same_name(site, program, magnum):
    magnum.settled(magnum.create("mine", node_count=0))
    (public,) = site.store.networks.named("public")
    other = site.store.networks.add({**public, "id": "b" * 8 + public["id"][8:], "subnets": []})
    try:
        diagnosis = examined(program, "mine")
    finally:
        del site.store.networks[other["id"]]
    [template] = findings(diagnosis, "template")
    assert template["problem"] == "2 external networks are named 'public'"
    assert other["id"] in template["do"]


@pytest.fixture
def expiring(site: Site, tmp_path: Path) -> Iterator[Path]:
    """A clouds.yaml with an application credential that expires soon."""
    user = site.token().json()["token"]["user"]["id"]
    keystone = site.client(f"/identity/v3/users/{user}/application_credentials")
    soon = (datetime.now(UTC) + timedelta(days=3, hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    body = {"application_credential": {"name": "laptop", "expires_at": soon}}
    made = keystone.post("", json=body).raise_for_status().json()["application_credential"]
    path = tmp_path / "expiring.yaml"
    path.write_text(
        "clouds:\n  practice:\n    region_name: practice\n    auth_type: v3applicationcredential\n    auth:\n"
        f"      auth_url: {site.at('/identity/v3')}\n      application_credential_id: {made['id']}\n"
        f"      application_credential_secret: {made['secret']}\n"
    )
    yield path
    keystone.delete(f"/{made['id']}").raise_for_status()


def test_an_application_credential_that_is_restricted_and_expires(program, expiring, monkeypatch):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(expiring))
    (program.folder / "hub.yaml").write_text(HUB)
    diagnosis = examined(program)
    assert diagnosis["looked_at"] == "deployment mine, which has no cluster yet"
    problems = {each["problem"] for each in findings(diagnosis, "application credential")}
    assert problems == {"it expires in 3 days", "it is restricted"}


def test_a_project_in_which_a_cluster_can_be_created_has_nothing_wrong(program):
    (program.folder / "hub.yaml").write_text(HUB)
    shown = program.zerojhub("doctor")
    assert shown.stdout == "deployment mine, which has no cluster yet: nothing wrong\n"


def test_without_a_file_and_a_name_there_is_nothing_to_look_at(program):
    assert (
        "hub.yaml: no such file (name a deployment file with -f, or a cluster"
        in program.zerojhub("doctor", code=2).stderr
    )
    assert "no cluster named 'nine'" in program.zerojhub("doctor", "nine", code=2).stderr


def test_down_lists_what_is_left_of_its_cluster_and_nothing_else(site, program, magnum):
    (program.folder / "hub.yaml").write_text(HUB)
    for stage in ("keypair", "cluster"):
        program.zerojhub("up", "--only", stage)
    (cluster,) = magnum.client.get("/clusters").json()["clusters"]
    network = site.client("/network/v2.0")

    def group(name: str, owner: str) -> str:
        text = f"Security Group for mine/proxy-public Service LoadBalancer in cluster {owner}"
        body = {"security_group": {"name": name, "description": text}}
        return network.post("/security-groups", json=body).raise_for_status().json()["security_group"]["id"]

    own, another = group("lb-sg-1", cluster["uuid"]), group("lb-sg-2", "another")
    try:
        (left,) = program.json("down", "--yes")["left"]
    finally:
        for each in (own, another):
            network.delete(f"/security-groups/{each}").raise_for_status()
    command = f"openstack security group delete {own}"
    assert left == {"kind": "security group", "name": "lb-sg-1", "id": own, "command": command}
