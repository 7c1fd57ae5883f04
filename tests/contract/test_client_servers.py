"""The `openstack server` commands work as on a real cloud."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from tests.contract.clouds import Site, until

UNSUPPORTED = "The requested functionality is not supported."


@pytest.fixture(scope="module")
def cloud(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The site, with its latest compute microversion."""
    clouds = tmp_path_factory.mktemp("recent") / "clouds.yaml"
    recent = "region_name: practice\n    compute_api_version: '2.96'"
    clouds.write_text(site.clouds.read_text().replace("region_name: practice", recent))
    return dataclasses.replace(site, clouds=clouds)


@pytest.fixture
def server(cloud: Site, key: str) -> Iterator[str]:
    """The UUID of a running server named `box`. Afterwards no trace of any server may remain."""
    compute, network = cloud.client("/compute/v2.1"), cloud.store.networks.named("private")[0]["id"]
    image, flavor = (
        cloud.store.images.named("fedora-coreos-38")[0]["id"],
        cloud.store.flavors.named("m1.small")[0]["id"],
    )
    body = {"name": "box", "imageRef": image, "flavorRef": flavor, "key_name": key, "networks": [{"uuid": network}]}
    uuid = compute.post("/servers", json={"server": body}).json()["server"]["id"]
    rests(cloud, uuid)
    yield uuid
    for ident in list(cloud.store.servers):
        compute.delete(f"/servers/{ident}").raise_for_status()
    assert cloud.ground.machines == {}
    assert cloud.store.ports.where(device_owner="compute:nova") == []


def rests(cloud: Site, uuid: str) -> None:
    until(lambda: cloud.store.servers[uuid]["task_state"] is None)


def states(shown: dict) -> tuple:
    return (
        shown["status"],
        shown["OS-EXT-STS:vm_state"],
        shown["OS-EXT-STS:task_state"],
        shown["OS-EXT-STS:power_state"],
    )


def test_a_server_is_stopped_started_and_rebooted(cloud: Site, server: str) -> None:
    refused = cloud.refused("server stop box", "server reboot box")
    rests(cloud, server)
    assert not cloud.ground.alive(server)
    stopped, listed = cloud.asked("server show box", "server list --status SHUTOFF")
    assert states(stopped) == ("SHUTOFF", "stopped", None, 4)
    assert [item["Name"] for item in listed] == ["box"]
    assert f"Cannot 'reboot' instance {server} while it is in " in refused

    said = cloud.openstack("server start box", "console log show box")
    assert "root@box" in said
    rests(cloud, server)
    assert cloud.ground.alive(server)
    assert cloud.openstack("server reboot --wait box", "server reboot --hard --wait box").count("Complete") == 2
    assert [what for what, which in cloud.ground.log if which == server] == ["stop", "start"] * 3
    events, shown = cloud.asked("server event list --long box", "server show box")
    assert states(shown) == ("ACTIVE", "active", None, 1)
    assert [event["Action"] for event in events] == ["reboot", "reboot", "start", "stop", "create"]
    event = cloud.asked(f"server event show box {events[2]['Request ID']}")[0]
    assert (event["action"], event["message"]) == ("start", None)
    assert [(each["event"], each["result"]) for each in event["events"]] == [("compute_start_instance", "Success")]


def test_a_server_at_a_task_says_so_and_takes_no_other(cloud: Site, server: str) -> None:
    cloud.ground.held.add("stop")
    try:
        refused = cloud.refused("server reboot box", "server stop box", "server resize --flavor m1.large box")
        shown = cloud.asked("server show box")[0]
    finally:
        cloud.ground.held.remove("stop")
    assert f"Cannot 'stop' instance {server} while it is in task_state rebooting" in refused
    assert f"Cannot 'resize' instance {server} while it is in task_state rebooting" in refused
    assert states(shown) == ("REBOOT", "active", "rebooting", 1)
    rests(cloud, server)


def test_a_machine_that_does_not_come_up_again_is_an_error_that_says_why(cloud: Site, server: str) -> None:
    cloud.openstack(
        "server create --image fedora-coreos-38 --flavor m1.small --network private --wait unstartable",
        "server reboot unstartable",
    )
    until(lambda: cloud.store.servers.named("unstartable")[0]["vm_state"] == "error")
    shown, events = cloud.asked("server show unstartable", "server event list --long unstartable")
    assert (shown["status"], shown["fault"]["message"]) == ("ERROR", "the machine did not answer")
    assert (events[0]["Action"], events[0]["Message"]) == ("reboot", "Error")


def test_a_server_is_resized_and_that_confirmed_or_taken_back(cloud: Site, server: str) -> None:
    refused = cloud.refused(
        "server resize --flavor m1.small box",
        "server resize --flavor m1.medium box",
        "server resize confirm box",
    )
    assert "When resizing, instances must change flavor!" in refused
    assert f"Cannot 'confirmResize' instance {server} while it is in vm_state active" in refused
    rests(cloud, server)
    shown = cloud.asked("server show box")[0]
    assert (states(shown), shown["flavor"]["name"]) == (("VERIFY_RESIZE", "resized", None, 1), "m1.medium")
    refused = cloud.refused("server resize --flavor m1.large box", "server resize revert box")
    assert f"Cannot 'resize' instance {server} while it is in vm_state resized" in refused
    rests(cloud, server)
    assert cloud.store.servers[server]["flavor"] == cloud.store.flavors.named("m1.small")[0]["id"]

    resize = {"resize": {"flavorRef": cloud.store.flavors.named("m1.medium")[0]["id"]}}
    assert cloud.client("/compute/v2.1").post(f"/servers/{server}/action", json=resize).status_code == 202
    rests(cloud, server)
    quota = cloud.store.quotas["compute"]
    quota["ram"], before = 8192, quota["ram"]
    try:
        refused = cloud.refused(
            "server resize confirm box",
            "server create --image fedora-coreos-38 --flavor m1.large --network private more",
        )
    finally:
        quota["ram"] = before
    assert refused.strip().endswith("Quota exceeded for ram: Requested 8192, but already used 4096 of 8192 ram")
    assert cloud.store.servers[server]["vm_state"] == "active"


def test_a_server_is_rebuilt_from_an_image(cloud: Site, server: str) -> None:
    rebuilt, shown = cloud.asked(
        "server rebuild --image ubuntu-2204-kube-v1.34.4 --property role=new box", "server show box"
    )
    assert (rebuilt["properties"], len(rebuilt["adminPass"]) > 8) == ({"role": "new"}, True)
    assert shown["image"].startswith("ubuntu-2204-kube-v1.34.4 ")
    rests(cloud, server)
    assert cloud.ground.machines[server].login == "ubuntu"
    assert cloud.ground.log[-1] == ("rebuild", server)


def test_a_server_is_renamed_and_written_on(cloud: Site, server: str) -> None:
    shown = cloud.asked(
        "server set --name renamed --property role=test --property stage=one --tag red --tag blue box"
        "\nserver set --description pages renamed"
        "\nserver unset --property stage --tag red renamed"
        "\nserver show renamed"
    )[0]
    assert (shown["id"], shown["properties"], shown["tags"]) == (server, {"role": "test"}, ["blue"])
    assert (shown["description"], shown["OS-EXT-SRV-ATTR:hostname"]) == ("pages", "box")
    assert cloud.ground.machines[server].name == "box"


def test_ports_networks_addresses_groups_and_volumes_come_and_go(cloud: Site, server: str) -> None:
    port, floating, volume, _ = cloud.asked(
        "port create --network private spare",
        "floating ip create public",
        "volume create --size 1 disk",
        "security group create web",
    )
    own, public = port["fixed_ips"][0]["ip_address"], floating["floating_ip_address"]
    refused = cloud.refused(
        "server add port box spare",
        "server add network box private",
        f"server add floating ip box {public}",
        "server add security group box web",
        "server add port box spare",
    )
    assert refused.strip().endswith("is still in use.")
    _, shown, attached = cloud.asked("server add volume box disk", "server show box", "server volume list box")
    assert len(shown["addresses"]["private"]) == 4
    assert set(shown["addresses"]["private"]) == {*cloud.ground.addresses[server], own, public}
    assert {group["name"] for group in shown["security_groups"]} == {"default", "web"}
    assert (attached[0]["Volume ID"], attached[0]["Device"]) == (volume["id"], "/dev/vdb")

    assert not cloud.openstack(
        "server volume set --delete-on-termination box disk",
        f"server remove floating ip box {public}",
        "server remove security group box web",
        "server remove port box spare",
        "server remove volume box disk",
        "server remove network box private",
        f"floating ip delete {public}",
        "volume delete disk",
        "security group delete web",
    ).strip()
    # Nova's own ports are gone; one that was there before stays, for another server.
    shown, spare, events = cloud.asked("server show box", "port show spare", "server event list box")
    assert (shown["addresses"], cloud.ground.addresses[server], spare["device_id"]) == ({}, set(), "")
    assert [event["Action"] for event in events] == [
        *["detach_interface"] * 2,
        "detach_volume",
        "detach_interface",
        "attach_volume",
        *["attach_interface"] * 2,
        "create",
    ]
    cloud.client("/network/v2.0").delete(f"/ports/{port['id']}").raise_for_status()


def test_a_locked_server_is_left_as_it_is(cloud: Site, server: str) -> None:
    tried = ("server stop", "server delete", "server resize --flavor m1.large", "server set --property a=b")
    refused = cloud.refused("server lock --reason upkeep box", *(f"{command} box" for command in tried))
    assert refused.count(f"Instance {server} is locked") == len(tried)
    shown = cloud.asked("server show box")[0]
    assert (shown["locked"], shown["locked_reason"]) == (True, "upkeep")
    events = cloud.asked(f"server unlock box\nserver delete --wait box\nserver event list {server}")[0]
    assert [event["Action"] for event in events] == ["delete", "unlock", "lock", "create"]
    assert server not in cloud.ground.machines


def test_a_server_is_copied_as_images(cloud: Site, server: str) -> None:
    *copied, listed = cloud.asked(
        "server image create --name copy box",
        *(f"server backup create --name {name} --type daily --rotate 2 box" for name in ("one", "two", "three")),
        "image list --shared",
    )
    assert [image["name"] for image in copied] == ["copy", "one", "two", "three"]
    assert {image["Name"] for image in listed} == {"copy", "two", "three"}
    for image in listed:
        cloud.client("/image/v2").delete(f"/images/{image['ID']}").raise_for_status()


def test_what_needs_a_hypervisor_or_an_administrator_is_refused(cloud: Site, server: str) -> None:
    commands = {
        **dict.fromkeys(("pause", "suspend", "shelve", "rescue", "dump create"), UNSUPPORTED),
        **{verb: "while it is in vm_state active" for verb in ("unpause", "resume", "unrescue", "restore")},
        "migrate": "Policy doesn't allow os_compute_api:os-migrate-server:migrate to be performed.",
        "evacuate": "Policy doesn't allow os_compute_api:os-evacuate to be performed.",
        "set --auto-approve --state error": "Policy doesn't allow os_compute_api:os-admin-actions:reset_state to be performed.",
        "set --password secret": "Unable to set password on instance",
    }
    refused = cloud.refused(*(f"server {command} box" for command in commands), "console url show box")
    said = {
        command: words
        for command, words in commands.items()
        if refused.count(words) != list(commands.values()).count(words)
    }
    assert not said, refused
    assert "Unavailable console type novnc." in refused
    assert cloud.store.servers[server]["vm_state"] == "active"


def test_a_cluster_notices_a_worker_that_is_off(cloud: Site, cluster: str) -> None:
    record, compute = cloud.store.clusters[cluster], cloud.client("/compute/v2.1")
    worker = record["nodegroups"][1]["servers"][0]
    assert compute.post(f"/servers/{worker}/action", json={"os-stop": None}).status_code == 202
    until(lambda: record["health_status"] == "UNHEALTHY")
    assert compute.post(f"/servers/{worker}/action", json={"os-start": None}).status_code == 202
    until(lambda: record["health_status"] == "HEALTHY")
    image = cloud.store.servers[worker]["image"]
    compute.post(f"/servers/{worker}/action", json={"rebuild": {"imageRef": image}}).raise_for_status()
    rests(cloud, worker)
    assert cloud.ground.machines[worker].nodegroup == "default-worker"


@pytest.fixture
def cluster(cloud: Site, key: str) -> Iterator[str]:
    """The UUID of a cluster with one worker."""
    client = cloud.client("/container-infra/v1")
    body = {"name": "hub", "cluster_template_id": "kubernetes-v1.34.4", "node_count": 1, "keypair": key}
    uuid = client.post("/clusters", json=body).json()["uuid"]
    until(lambda: cloud.store.clusters[uuid]["health_status"] == "HEALTHY")
    yield uuid
    client.delete(f"/clusters/{uuid}")
    until(lambda: uuid not in cloud.store.clusters)
