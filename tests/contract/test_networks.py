"""Floating IPs and load balancers route where they should, and volumes exist: records and ground agree."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.contract.clouds import Site
from zerojhub.practice.ground import Listener

LBAAS = "/load-balancer/v2.0/lbaas"


@pytest.fixture
def network(site: Site) -> httpx.Client:
    return site.client("/network/v2.0")


@pytest.fixture
def balancing(site: Site) -> httpx.Client:
    return site.client(LBAAS)


@pytest.fixture
def public(site: Site) -> str:
    return site.store.networks.named("public")[0]["id"]


@pytest.fixture
def port(site: Site, network: httpx.Client) -> Iterator[dict]:
    private = site.store.networks.named("private")[0]["id"]
    made = network.post("/ports", json={"port": {"network_id": private, "name": "mine"}}).json()["port"]
    yield made
    network.delete(f"/ports/{made['id']}").raise_for_status()


def floating(network: httpx.Client, public: str, **fields: object) -> dict:
    body = {"floatingip": {"floating_network_id": public, **fields}}
    answer = network.post("/floatingips", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["floatingip"]


def test_a_floating_ip_follows_its_port_and_comes_back(
    site: Site, network: httpx.Client, public: str, port: dict
) -> None:
    made = floating(network, public, description="of a hub", tags=["zerojhub"])
    address, fixed = made["floating_ip_address"], port["fixed_ips"][0]["ip_address"]
    assert (made["status"], made["port_id"], made["tags"]) == ("DOWN", None, ["zerojhub"])
    assert site.ground.routes == {}
    led = network.put(f"/floatingips/{made['id']}", json={"floatingip": {"port_id": port["id"]}}).json()["floatingip"]
    assert (led["status"], led["fixed_ip_address"]) == ("ACTIVE", fixed)
    assert site.ground.routes == {address: fixed}
    network.put(f"/floatingips/{made['id']}", json={"floatingip": {"port_id": None}}).raise_for_status()
    assert site.ground.routes == {}
    assert network.delete(f"/floatingips/{made['id']}").status_code == 204
    assert floating(network, public)["floating_ip_address"] == address, "a freed address is given again"
    for left in network.get("/floatingips").json()["floatingips"]:
        network.delete(f"/floatingips/{left['id']}").raise_for_status()


def test_a_port_that_goes_lets_its_floating_ip_go(site: Site, network: httpx.Client, public: str) -> None:
    private = site.store.networks.named("private")[0]["id"]
    port = network.post("/ports", json={"port": {"network_id": private}}).json()["port"]
    made = floating(network, public, port_id=port["id"])
    assert made["floating_ip_address"] in site.ground.routes
    network.delete(f"/ports/{port['id']}").raise_for_status()
    assert network.get(f"/floatingips/{made['id']}").json()["floatingip"]["status"] == "DOWN"
    assert site.ground.routes == {}
    network.delete(f"/floatingips/{made['id']}").raise_for_status()


def test_a_second_floating_ip_for_a_port_is_refused(network: httpx.Client, public: str, port: dict) -> None:
    first = floating(network, public, port_id=port["id"])
    answer = network.post("/floatingips", json={"floatingip": {"floating_network_id": public, "port_id": port["id"]}})
    assert answer.status_code == 409
    assert answer.json()["NeutronError"]["type"] == "FloatingIPPortAlreadyAssociated"
    assert [item["id"] for item in network.get("/floatingips").json()["floatingips"]] == [first["id"]]
    network.delete(f"/floatingips/{first['id']}").raise_for_status()


def test_floating_ips_come_from_external_networks_within_the_quota(
    site: Site, network: httpx.Client, public: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = site.store.networks.named("private")[0]["id"]
    answer = network.post("/floatingips", json={"floatingip": {"floating_network_id": private}})
    assert answer.status_code == 400
    assert "is not a valid external network" in answer.json()["NeutronError"]["message"]
    monkeypatch.setitem(site.store.quotas["network"], "floatingip", 0)
    answer = network.post("/floatingips", json={"floatingip": {"floating_network_id": public}})
    assert answer.status_code == 409
    assert answer.json()["NeutronError"] == {
        "type": "OverQuota",
        "message": "Quota exceeded for resources: ['floatingip'].",
        "detail": "",
    }


def test_ports_are_found_by_address_and_tags_by_name(network: httpx.Client, public: str, port: dict) -> None:
    address = port["fixed_ips"][0]["ip_address"]
    found = network.get("/ports", params={"fixed_ips": f"ip_address={address}"}).json()["ports"]
    assert [item["id"] for item in found] == [port["id"]]
    made = floating(network, public)
    assert network.put(f"/floatingips/{made['id']}/tags/zerojhub").status_code == 201
    floating(network, public)
    tagged = network.get("/floatingips", params={"tags": "zerojhub"}).json()["floatingips"]
    assert [item["id"] for item in tagged] == [made["id"]]
    for left in network.get("/floatingips").json()["floatingips"]:
        network.delete(f"/floatingips/{left['id']}").raise_for_status()


def test_quota_details_count_what_is_there(site: Site, network: httpx.Client, port: dict) -> None:
    project = port["project_id"]
    details = network.get(f"/quotas/{project}/details.json").json()["quota"]
    assert details["port"] == {"limit": 500, "used": 2, "reserved": 0}
    assert details["router"]["used"] == 1


def test_a_router_leads_outside_when_told_to(site: Site, network: httpx.Client, public: str) -> None:
    made = network.post("/routers", json={"router": {"name": "r"}}).json()["router"]
    assert made["external_gateway_info"] is None
    path, gateway = f"/routers/{made['id']}", {"external_gateway_info": {"network_id": public}}
    led = network.put(path, json={"router": gateway}).json()["router"]
    assert led["external_gateway_info"]["network_id"] == public
    assert led["external_gateway_info"]["external_fixed_ips"][0]["ip_address"].startswith("127.221.0.")
    nowhere = network.put(path, json={"router": {"external_gateway_info": {}}}).json()["router"]
    assert nowhere["external_gateway_info"] is None
    subnet = site.store.subnets.named("private-subnet")[0]["id"]
    network.put(f"{path}/add_router_interface", json={"subnet_id": subnet}).raise_for_status()
    assert network.delete(path).status_code == 409, "it still has an interface"
    network.put(f"{path}/remove_router_interface", json={"subnet_id": subnet}).raise_for_status()
    assert network.delete(path).status_code == 204
    assert site.store.ports.where(device_id=made["id"]) == []


def load_balancer(balancing: httpx.Client, site: Site, **fields: object) -> dict:
    subnet = site.store.subnets.named("private-subnet")[0]["id"]
    answer = balancing.post("/loadbalancers", json={"loadbalancer": {"vip_subnet_id": subnet, **fields}})
    assert answer.status_code == 201, answer.text
    return answer.json()["loadbalancer"]


def test_a_load_balancer_made_in_one_request_balances_and_its_floating_ip_too(
    site: Site, balancing: httpx.Client, network: httpx.Client, public: str
) -> None:
    members = [{"address": "10.221.0.50", "protocol_port": 30080}, {"address": "10.221.0.51", "protocol_port": 30080}]
    pool = {"protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "members": members}
    listener = {"protocol": "TCP", "protocol_port": 80, "default_pool": pool}
    made = load_balancer(balancing, site, name="web", listeners=[listener])
    assert (made["provisioning_status"], made["operating_status"]) == ("ACTIVE", "ONLINE")
    traffic = (Listener(80, (("10.221.0.50", 30080), ("10.221.0.51", 30080))),)
    assert site.ground.balanced == {made["vip_address"]: traffic}
    lead = floating(network, public, port_id=made["vip_port_id"])
    assert site.ground.balanced == {made["vip_address"]: traffic, lead["floating_ip_address"]: traffic}
    assert site.ground.routes == {}
    pool_id = made["pools"][0]["id"]
    balancing.put(f"/pools/{pool_id}/members", json={"members": members[:1]}).raise_for_status()
    assert site.ground.balanced[lead["floating_ip_address"]] == (Listener(80, (("10.221.0.50", 30080),)),)
    assert balancing.delete(f"/loadbalancers/{made['id']}").status_code == 400, "it has children"
    assert balancing.delete(f"/loadbalancers/{made['id']}?cascade=true").status_code == 204
    assert site.ground.balanced == {}
    assert balancing.get("/pools").json()["pools"] == []
    assert network.get(f"/ports/{made['vip_port_id']}").status_code == 404
    network.delete(f"/floatingips/{lead['id']}").raise_for_status()


def test_a_load_balancer_made_in_steps_balances_from_the_first_member_on(site: Site, balancing: httpx.Client) -> None:
    made = load_balancer(balancing, site)
    listener = {"loadbalancer_id": made["id"], "protocol": "TCP", "protocol_port": 443}
    listener = balancing.post("/listeners", json={"listener": listener}).json()["listener"]
    pool = {"listener_id": listener["id"], "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}
    pool = balancing.post("/pools", json={"pool": pool}).json()["pool"]
    assert site.ground.balanced == {made["vip_address"]: (Listener(443, ()),)}
    member = {"address": "10.221.0.60", "protocol_port": 8443}
    member = balancing.post(f"/pools/{pool['id']}/members", json={"member": member}).json()["member"]
    assert site.ground.balanced == {made["vip_address"]: (Listener(443, (("10.221.0.60", 8443),)),)}
    monitor = {"pool_id": pool["id"], "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2}
    balancing.post("/healthmonitors", json={"healthmonitor": monitor}).raise_for_status()
    tree = balancing.get(f"/loadbalancers/{made['id']}/status").json()["statuses"]["loadbalancer"]
    assert tree["listeners"][0]["pools"][0]["members"][0]["id"] == member["id"]
    balancing.delete(f"/pools/{pool['id']}/members/{member['id']}").raise_for_status()
    balancing.delete(f"/listeners/{listener['id']}").raise_for_status()
    assert site.ground.balanced == {}
    balancing.delete(f"/loadbalancers/{made['id']}?cascade=true").raise_for_status()


def test_a_load_balancer_is_made_whole_or_not_at_all(
    site: Site, balancing: httpx.Client, network: httpx.Client
) -> None:
    """As openstack-cloud-controller-manager requests it: with monitors, and one port with two protocols."""
    project = site.store.projects.named("practice")[0]["id"]
    limits = site.store.quotas["load-balancer"]

    def listener(name: str, protocol: str = "TCP") -> dict:
        monitor = {"type": "TCP", "delay": 60, "timeout": 30, "max_retries": 3, "name": name}
        members = [{"address": "10.221.0.70", "protocol_port": 30090}]
        pool = {"name": name, "protocol": protocol, "lb_algorithm": "ROUND_ROBIN", "members": members}
        return {"protocol": protocol, "protocol_port": 90, "default_pool": pool | {"healthmonitor": monitor}}

    def ask(*listeners: dict) -> httpx.Response:
        subnet = site.store.subnets.named("private-subnet")[0]["id"]
        body = {"name": "whole", "vip_subnet_id": subnet, "listeners": list(listeners)}
        return balancing.post("/loadbalancers", json={"loadbalancer": body})

    before = site.store.usage("load-balancer", project), len(network.get("/ports").json()["ports"])
    refused = ask(listener("one"), listener("two", "HTTP"))
    assert refused.status_code == 409
    assert refused.json()["faultstring"].endswith("is already using protocol TCP and protocol_port 90")
    limits["health_monitor"], enough = before[0]["health_monitor"] + 1, limits["health_monitor"]
    refused = ask(listener("one"), listener("two", "UDP"))
    limits["health_monitor"] = enough
    assert (refused.status_code, refused.json()["faultstring"]) == (
        403,
        "Quota has been met for resources: Health Monitor",
    )
    assert (site.store.usage("load-balancer", project), len(network.get("/ports").json()["ports"])) == before

    made = ask(listener("one"), listener("two", "UDP")).json()["loadbalancer"]
    members = (("10.221.0.70", 30090),)
    assert site.ground.balanced[made["vip_address"]] == (Listener(90, members), Listener(90, members, "udp"))
    [pool] = balancing.get("/pools", params={"name": "one"}).json()["pools"]
    again = {"pool_id": pool["id"], "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2}
    refused = balancing.post("/healthmonitors", json={"healthmonitor": again})
    assert (refused.status_code, refused.json()["faultstring"]) == (409, "This pool already has a health monitor")
    balancing.delete(f"/loadbalancers/{made['id']}?cascade=true").raise_for_status()
    assert (site.store.usage("load-balancer", project), len(network.get("/ports").json()["ports"])) == before


def test_a_volume_is_there_before_it_is_available_and_gone_after(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    project = site.store.projects.named("practice")[0]["id"]
    client = site.client(f"/volume/v3/{project}")
    body = {"size": 3, "name": "pvc-1", "metadata": {"cinder.csi.openstack.org/cluster": "x"}}
    made = client.post("/volumes", json={"volume": body})
    assert made.status_code == 202
    volume = client.get(f"/volumes/{made.json()['volume']['id']}").json()["volume"]
    assert (volume["status"], volume["size"], volume["volume_type"]) == ("available", 3, "standard")
    assert volume["metadata"] == body["metadata"]
    assert site.ground.volumes == {volume["id"]: 3}
    attachment = {"volume_uuid": volume["id"], "instance_uuid": "11111111-2222-4333-8444-555555555555"}
    attachment = client.post("/attachments", json={"attachment": attachment}).json()["attachment"]
    assert client.delete(f"/volumes/{volume['id']}").status_code == 400, "it is in use"
    client.delete(f"/attachments/{attachment['id']}").raise_for_status()
    assert client.delete(f"/volumes/{volume['id']}").status_code == 202
    assert site.ground.volumes == {}
    monkeypatch.setitem(site.store.quotas["volume"], "gigabytes", 2)
    answer = client.post("/volumes", json={"volume": {"size": 3}})
    assert answer.status_code == 413
    assert "exceeds allowed gigabytes quota. Requested 3G, quota is 2G" in answer.json()["overLimit"]["message"]
