"""Clusters of the Cluster API driver look different from outside than those of the Heat driver."""

from __future__ import annotations

import re

from tests.contract.clouds import Site
from tests.contract.conftest import Magnum

CAPI = "kubernetes-v1.34.4-capi"


def test_there_is_no_stack_and_no_way_in_but_the_api(site: Site, magnum: Magnum) -> None:
    cluster = magnum.settled(magnum.create(cluster_template_id=CAPI, node_count=1))
    assert cluster["status"] == "CREATE_COMPLETE"
    assert re.fullmatch("kube-[a-z0-9]{5}", cluster["cluster_id"])
    heat = site.client(site.heat)
    assert heat.get(f"/stacks/{cluster['cluster_id']}").status_code == 404
    assert heat.get("/stacks?show_nested=true").json()["stacks"] == []
    groups = magnum.client.get(f"/clusters/{cluster['uuid']}/nodegroups").json()["nodegroups"]
    assert [group["stack_id"] for group in groups] == [None, None]
    # One floating IP, and it leads to the load balancer.
    (floating,) = site.client("/network/v2.0").get("/floatingips").json()["floatingips"]
    address = floating["floating_ip_address"]
    assert cluster["api_address"] == f"https://{address}:6443"
    spec = site.ground.clusters[cluster["uuid"]]
    assert site.ground.balanced[address][0].members == ((spec.masters[0].address, 6443),)
    assert address in spec.api_addresses
    assert spec.cluster_api
    assert {machine.public_keys for machine in site.ground.machines.values()} == {()}
    assert {machine.login for machine in site.ground.machines.values()} == {"ubuntu"}
    template = magnum.client.get(f"/clustertemplates/{CAPI}").json()
    assert template["driver"] == "k8s_cluster_api_ubuntu"


def test_labels_stay_and_bounds_hold(magnum: Magnum) -> None:
    uuid = magnum.create(cluster_template_id=CAPI, node_count=1)
    magnum.settled(uuid)
    patch = [{"op": "replace", "path": "/labels", "value": "{'a': 'b'}"}]
    assert magnum.client.patch(f"/clusters/{uuid}", json=patch).status_code == 400
    bounds = [{"op": "replace", "path": "/max_node_count", "value": 2}]
    magnum.client.patch(f"/clusters/{uuid}/nodegroups/default-worker", json=bounds).raise_for_status()
    answer = magnum.client.post(f"/clusters/{uuid}/actions/resize", json={"node_count": 3})
    assert answer.status_code == 400
    assert magnum.resize(uuid, node_count=2)["status"] == "UPDATE_COMPLETE"


def test_an_upgrade_takes_every_node_group(site: Site, magnum: Magnum) -> None:
    uuid = magnum.create(cluster_template_id="kubernetes-v1.14.3-capi", node_count=1, labels={"mine": "1"})
    magnum.settled(uuid)
    magnum.client.post(f"/clusters/{uuid}/nodegroups", json={"name": "gpu", "node_count": 1}).raise_for_status()
    magnum.settled(uuid)
    site.ground.upgraded.clear()
    body = {"cluster_template": "kubernetes-v1.15.7-capi"}
    assert magnum.client.post(f"/clusters/{uuid}/actions/upgrade", json=body).status_code == 202
    cluster = magnum.settled(uuid)
    assert (cluster["status"], cluster["coe_version"]) == ("UPDATE_COMPLETE", "v1.15.7")
    assert cluster["labels"] == {"kube_tag": "v1.15.7", "mine": "1"}
    assert len(site.ground.upgraded) == 3


def test_a_credential_is_rotated_at_once(site: Site, magnum: Magnum) -> None:
    uuid = magnum.create(cluster_template_id=CAPI, node_count=1)
    path = f"/credentials/{uuid}"
    assert "CREATE_IN_PROGRESS" in magnum.client.patch(path).json()["errors"][0]["detail"]
    magnum.settled(uuid)
    before = magnum_credential(site, uuid)
    assert magnum.client.patch(path, headers={"OpenStack-API-Version": "container-infra 1.11"}).status_code == 406
    answer = magnum.client.patch(path)
    assert (answer.status_code, answer.json()) == (202, {"uuid": uuid})
    after = magnum_credential(site, uuid)
    assert after != before
    assert after in site.ground.clusters[uuid].cloud_config
    assert magnum.show(uuid)["status"] == "UPDATE_COMPLETE"


def magnum_credential(site: Site, uuid: str) -> str:
    """The ID of the cluster's only application credential, as its owner sees it in Keystone."""
    identity = site.client("/identity/v3")
    user = identity.get("/auth/tokens", headers={"X-Subject-Token": identity.headers["X-Auth-Token"]}).json()["token"]
    listed = identity.get(f"/users/{user['user']['id']}/application_credentials").json()["application_credentials"]
    (own,) = [each["id"] for each in listed if each["name"].startswith(f"magnum-{uuid}")]
    return own


def test_a_driver_of_heat_rotates_no_credential(magnum: Magnum) -> None:
    uuid = magnum.create(node_count=0)
    magnum.settled(uuid)
    answer = magnum.client.patch(f"/credentials/{uuid}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"] == "Credential rotation is not supported by driver."


def test_the_image_chooses_the_driver(magnum: Magnum) -> None:
    body = {"name": "mine", "coe": "kubernetes", "external_network_id": "public"}
    for image, driver in (
        ("ubuntu-2204-kube-v1.34.4", "k8s_cluster_api_ubuntu"),
        ("fedora-coreos-38", "k8s_fedora_coreos_v1"),
    ):
        made = magnum.client.post("/clustertemplates", json={**body, "image_id": image}).json()
        assert made["driver"] == driver
        magnum.client.delete(f"/clustertemplates/{made['uuid']}").raise_for_status()
