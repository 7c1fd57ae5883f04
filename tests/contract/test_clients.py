"""The `openstack` client and the SDK work as on a real cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest

from tests.contract.clouds import Site, until


@pytest.fixture(scope="module")
def hub(site: Site) -> Iterator[str]:
    """The UUID of a cluster with two workers."""
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDy0PUwIrTeKyXH4wWYoc1IiJ/bFVqFTTwGfD0cGGZVq"
    client = site.client()
    client.post("/compute/v2.1/os-keypairs", json={"keypair": {"name": "mykey", "public_key": public}})
    body = {"name": "hub", "cluster_template_id": "kubernetes-v1.34.4", "node_count": 2, "keypair": "mykey"}
    uuid = client.post("/container-infra/v1/clusters", json=body).json()["uuid"]
    until(lambda: site.store.clusters[uuid]["status"] == "CREATE_COMPLETE")
    yield uuid
    client.delete(f"/container-infra/v1/clusters/{uuid}")
    until(lambda: uuid not in site.store.clusters)


def test_the_client_lists_what_a_new_project_and_a_cluster_have(site: Site, hub: str) -> None:
    stack = site.store.stacks[site.store.clusters[hub]["cluster_id"]]["stack_name"]
    token, templates, clusters, groups, servers, images, flavors = site.asked(
        "token issue",
        "coe cluster template list",
        "coe cluster list",
        "coe nodegroup list hub",
        "server list",
        "image list",
        "flavor list",
    )
    assert len(token["id"]) > 100
    assert [item["name"] for item in templates] == [
        f"kubernetes-{version}{road}" for version in site.ground.versions for road in ("", "-capi")
    ]
    assert [(item["name"], item["status"], item["node_count"]) for item in clusters] == [("hub", "CREATE_COMPLETE", 2)]
    assert [item["name"] for item in groups] == ["default-master", "default-worker"]
    assert {item["Name"] for item in servers} == {f"{stack}-master-0", f"{stack}-node-0", f"{stack}-node-1"}
    assert {(item["Status"], item["Image"]) for item in servers} == {("ACTIVE", "fedora-coreos-38")}
    ubuntus = [f"ubuntu-2204-kube-{version}" for version in site.ground.versions]
    assert [item["Name"] for item in images] == ["fedora-atomic-29", "fedora-coreos-38", *ubuntus]
    assert [(item["Name"], item["RAM"], item["VCPUs"]) for item in flavors] == [
        ("m1.small", 2048, 1),
        ("m1.medium", 4096, 2),
        ("m1.large", 8192, 4),
    ]


def test_the_client_lists_networks_volumes_stacks_and_quotas(site: Site, hub: str) -> None:
    networks, subnets, routers, ports, groups, addresses, volumes, balancers, stacks = site.asked(
        "network list",
        "subnet list",
        "router list",
        "port list",
        "security group list",
        "floating ip list",
        "volume list",
        "loadbalancer list",
        "stack list",
    )
    assert {item["Name"] for item in networks} == {"public", "private", "hub"}
    assert {item["Name"] for item in subnets} == {"private-subnet", "hub"}
    assert {item["Name"] for item in routers} == {"router", "hub"}
    assert len([item for item in ports if item["Name"].endswith("-port")]) == 3
    assert {item["Name"].rpartition("-secgroup_")[2][:11] for item in groups} == {
        "default",
        "kube_master",
        "kube_minion",
    }
    assert (addresses, volumes, balancers) == ([], [], [])
    assert [item["Stack Status"] for item in stacks] == ["CREATE_COMPLETE"]
    name = stacks[0]["Stack Name"]
    quota, limits, resources, events = site.asked(
        "quota show",
        "limits show --absolute",
        f"stack resource list --nested-depth 3 {name}",
        f"stack event list {name}",
    )
    assert {item["Resource"]: item["Limit"] for item in quota}.items() >= {"cores": 20, "floating_ips": 50}.items()
    assert {item["Name"]: item["Value"] for item in limits}["instances_used"] == 3
    kinds = [item["resource_type"] for item in resources]
    assert kinds.count("OS::Nova::Server") == 3
    assert {item["resource_status"] for item in resources} == {"CREATE_COMPLETE"}
    assert events[-1]["resource_status"] == "CREATE_COMPLETE"


def test_the_client_shows_one_of_each(site: Site, hub: str) -> None:
    server = next(iter(site.store.clusters[hub]["nodegroups"][0]["servers"]))
    template, cluster, shown, image, flavor, network, keypair = site.asked(
        "coe cluster template show kubernetes-v1.34.4",
        "coe cluster show hub",
        f"server show {server}",
        "image show fedora-coreos-38",
        "flavor show m1.large",
        "network show public",
        "keypair show mykey",
    )
    assert template["labels"] == {"kube_tag": "v1.34.4"}
    assert (cluster["uuid"], cluster["health_status"]) == (hub, "HEALTHY")
    assert shown["addresses"] == {"hub": [site.ground.machines[server].address]}
    assert image["properties"]["os_distro"] == "fedora-coreos"
    assert flavor["disk"] == 80
    assert network["router:external"] is True
    assert keypair["type"] == "ssh"
    assert f"root@{site.ground.machines[server].name}" in site.openstack(f"console log show {server}")
    assert "BEGIN CERTIFICATE" in site.openstack("coe ca show hub")


def test_the_client_makes_and_deletes(site: Site, hub: str, tmp_path: Path) -> None:
    key = tmp_path / "key.pub"
    key.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDy0PUwIrTeKyXH4wWYoc1IiJ/bFVqFTTwGfD0cGGZVq me@here\n")
    floating, keypair, volume, credential, template = site.asked(
        "floating ip create public --description test --tag zerojhub",
        f"keypair create --public-key {key} other",
        "volume create --size 2 data",
        "application credential create --unrestricted robot",
        "coe cluster template create mine --coe kubernetes --image fedora-coreos-38 --external-network public"
        " --master-flavor m1.medium --flavor m1.small --labels kube_tag=v1.34.4 --floating-ip-disabled",
    )
    assert (floating["status"], floating["description"]) == ("DOWN", "test")
    assert keypair["name"] == "other"
    assert (volume["size"], volume["type"]) == (2, "standard")
    assert len(credential["Secret"]) > 60
    assert template["floating_ip_enabled"] is False
    assert site.ground.volumes == {volume["id"]: 2}
    said = site.openstack(
        f"floating ip delete {floating['floating_ip_address']}",
        "keypair delete other",
        "volume delete data",
        "application credential delete robot",
        "coe cluster template delete mine",
    )
    assert said.strip() == "Request to delete cluster template mine has been accepted."
    cloud = site.store
    assert (cloud.floatingips, cloud.volumes, cloud.application_credentials, site.ground.volumes) == ({}, {}, {}, {})
    assert list(cloud.keypairs) == ["mykey"]
    assert cloud.templates.named("mine") == []


def test_the_client_makes_changes_and_ends_a_server_and_what_it_needs(site: Site, hub: str) -> None:
    network, subnet, router, group, rule, port = site.asked(
        "network create --description mine own",
        f"subnet create --network own --subnet-range {site.ground.network} --dns-nameserver 9.9.9.9 own-subnet",
        "router create own-router",
        "security group create web",
        "security group rule create --protocol tcp --dst-port 80:81 web",
        "port create --network own --security-group web own-port",
    )
    assert (network["description"], subnet["dns_nameservers"], router["status"]) == ("mine", ["9.9.9.9"], "ACTIVE")
    assert (rule["port_range_min"], rule["port_range_max"]) == (80, 81)
    assert port["security_group_ids"] == [group["id"]]
    said = site.openstack(
        "router set --external-gateway public own-router",
        "router add subnet own-router own-subnet",
        "network set --name renamed own",
        "subnet set --dns-nameserver 8.8.8.8 own-subnet",
        "security group set --description pages web",
        "server create --image fedora-coreos-38 --flavor m1.small --key-name mykey --port own-port --wait alone",
        "server set --property role=test --name single alone",
        "server add security group single default",
        "server remove security group single web",
        "volume create --size 1 disk",
        "volume set --name data disk",
        "server add volume single data",
    )
    assert "Error" not in said
    server, volume, changed = site.asked("server show single", "volume show data", "network show renamed")
    assert (server["status"], server["properties"], server["key_name"]) == ("ACTIVE", {"role": "test"}, "mykey")
    assert [group["name"] for group in server["security_groups"]] == ["default"]
    assert (volume["status"], volume["attachments"][0]["server_id"]) == ("in-use", server["id"])
    assert changed["subnets"] == [subnet["id"]]
    assert site.ground.machines[server["id"]].name == "alone"
    assert site.ground.disks == {(server["id"], "/dev/vdb"): volume["id"]}
    assert volume["attachments"][0]["device"] == "/dev/vdb"
    site.openstack(
        "server remove volume single data",
        "server delete --wait single",
        "port delete own-port",
        "volume delete data",
        "router remove subnet own-router own-subnet",
        "router delete own-router",
        "subnet delete own-subnet",
        "network delete renamed",
        "security group delete web",
    )
    assert server["id"] not in site.ground.machines
    assert site.ground.disks == {}
    assert (site.store.volumes, site.store.networks.named("renamed"), site.store.routers.named("own-router")) == (
        {},
        [],
        [],
    )


def test_the_client_takes_a_cluster_through_its_life(site: Site, hub: str) -> None:
    made = site.openstack(
        "coe cluster create second --cluster-template kubernetes-v1.34.4 --keypair mykey --node-count 1 --timeout 30"
    )
    uuid = made.strip().removeprefix("Request to create cluster ").removesuffix(" accepted")
    until(lambda: site.store.clusters[uuid]["status"] == "CREATE_COMPLETE")
    assert "has been accepted" in site.openstack("coe cluster resize second 2")
    until(lambda: site.store.clusters[uuid]["status"] == "UPDATE_COMPLETE")
    assert len(site.ground.nodes[uuid]) == 3
    assert "has been accepted" in site.openstack("coe cluster delete second")
    until(lambda: uuid not in site.store.clusters)


@pytest.mark.filterwarnings("ignore")
def test_the_sdk_lists_everything(site: Site, hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(site.clouds))
    with openstack.connect("practice") as cloud:
        assert len(cloud.list_servers()) == 3
        assert [flavor.name for flavor in cloud.compute.flavors()] == ["m1.small", "m1.medium", "m1.large"]
        assert list(cloud.network.ips()) == []
        assert [item.name for item in cloud.container_infrastructure_management.clusters()] == ["hub"]
        assert list(cloud.load_balancer.load_balancers()) == []
        assert list(cloud.block_storage.volumes()) == []
        assert [stack.status for stack in cloud.orchestration.stacks()] == ["CREATE_COMPLETE"]
        assert {"fedora-coreos-38", "fedora-atomic-29"} < {image.name for image in cloud.image.images()}
        assert cloud.compute.find_server("no such server") is None
        with pytest.raises(openstack.exceptions.NotFoundException):
            cloud.network.get_network("00000000-0000-4000-8000-000000000000")
