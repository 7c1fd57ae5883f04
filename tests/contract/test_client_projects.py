"""`openstack` commands for a project's other resources: volumes, images, credentials, keypairs, quotas."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx
import openstack
import pytest

from tests.contract.clouds import Site


def test_the_client_takes_a_volume_and_its_snapshot_through_their_life(site: Site) -> None:
    volume, snapshot = site.asked(
        "volume create --size 2 --description old --property a=b --property c=d data",
        "volume snapshot create --volume data --property of=data then",
    )
    assert (volume["bootable"], snapshot["volume_id"], snapshot["size"]) == (False, volume["id"], 2)
    assert not site.openstack(
        "volume set --size 3 --name disk --description new --bootable --read-only data",
        "volume unset --property a disk",
        "volume snapshot set --name before --property by=me then",
        "volume snapshot unset --property of before",
    ).strip()
    disk, before, restored, summary, limits = site.asked(
        "volume show disk",
        "volume snapshot show before",
        "volume create --snapshot before restored",
        "volume summary",
        "limits show --absolute",
    )
    assert (disk["size"], disk["description"], disk["bootable"]) == (3, "new", True)
    assert disk["properties"] == {"c": "d", "readonly": "True"}
    assert (before["status"], before["properties"]) == ("available", {"by": "me"})
    assert (restored["size"], restored["snapshot_id"]) == (2, snapshot["id"])
    assert (summary["Total Count"], summary["Total Size"]) == (2, 5)
    used = {item["Name"]: item["Value"] for item in limits}
    assert (used["total_snapshots_used"], used["total_gigabytes_used"]) == (1, 7)
    refused = site.refused(
        "volume create --size 5 --image fedora-coreos-38 boot",
        "volume create --size 2000 huge",
        "volume delete disk",
        "volume backup create disk",
        "volume qos list",
    )
    for words in (
        "Volume size 5GB cannot be smaller than the image minDisk size 10GB.",
        "Requested 2000G, quota is 1000G and 7G has been consumed.",
        "must not be migrating, attached, belong to a group, have snapshots",
        "Service cinder-backup could not be found.",
        "Policy doesn't allow volume_extension:qos_specs_manage:get_all to be performed.",
    ):
        assert words in refused
    assert not site.openstack("volume snapshot delete before", "volume delete disk restored").strip()
    assert (site.store.volumes, site.store.snapshots, site.ground.volumes) == ({}, {}, {})


def test_the_client_lists_what_cinder_has_none_of(site: Site) -> None:
    kinds = ("backup", "transfer request", "message", "group", "group type", "group snapshot", "attachment")
    assert site.asked(*(f"volume {kind} list" for kind in kinds)) == [[]] * len(kinds)


def test_the_client_takes_an_image_through_its_life(site: Site, tmp_path: Path) -> None:
    blob = tmp_path / "disk.img"
    blob.write_bytes(os.urandom(5000))
    image = site.asked(
        f"image create --file {blob} --disk-format raw --property os_distro=ubuntu --property a=b --tag mine disk"
    )[0]
    assert (image["status"], image["size"], image["tags"]) == ("active", 5000, ["mine"])
    assert not site.openstack(
        "image set --name other --min-disk 5 --property a=c --tag two --protected disk",
        "image unset --property os_distro --tag mine other",
    ).strip()
    shown = site.asked("image show other")[0]
    assert (shown["min_disk"], shown["tags"], shown["protected"]) == (5, ["two"], True)
    assert (shown["properties"]["a"], "os_distro" in shown["properties"]) == ("c", False)
    refused = site.refused("image delete other", "image set --public other", "image set --name mine fedora-coreos-38")
    for words in (
        f"Image {image['id']} is protected and cannot be deleted.",
        "You are not authorized to complete publicize_image action.",
        "You are not authorized to complete modify_image action.",
    ):
        assert words in refused
    site.openstack("image set --unprotected --hidden other")
    usual, hidden = site.asked("image list", "image list --hidden")
    assert [item["Name"] for item in hidden] == ["other"]
    assert "other" not in {item["Name"] for item in usual}
    assert not site.openstack("image delete other").strip()
    assert image["id"] not in site.store.images


def test_the_client_makes_credentials_that_are_good_for_what_they_say(site: Site) -> None:
    made, shown = site.asked(
        "application credential create --role member --expiration 2100-01-01T00:00:00 --secret sesame robot",
        "application credential show robot",
    )
    assert (made["Secret"], made["Unrestricted"]) == ("sesame", False)
    assert [role["name"] for role in shown["Roles"]] == ["member"]
    assert shown["Expires At"].startswith("2100-01-01")
    secret = {"id": made["ID"], "secret": "sesame"}
    identity = {"methods": ["application_credential"], "application_credential": secret}
    token = site.token(identity=identity, scope=None)
    assert [role["name"] for role in token.json()["token"]["roles"]] == ["member"]
    refused = site.refused(
        "application credential create robot",
        "application credential create --role nobody another",
        "application credential create --expiration 2000-01-01T00:00:00 late",
    )
    for words in ("Duplicate entry found with name robot", "nobody", "must not be before now"):
        assert words in refused
    assert not site.openstack("application credential delete robot").strip()
    assert site.token(identity=identity, scope=None).status_code == 404


def test_the_client_makes_credentials_with_access_rules(site: Site, tmp_path: Path) -> None:
    rules = [
        {"service": "compute", "path": "/v2.1/servers/**", "method": "GET"},
        {"service": "network", "path": "/v2.0/{kind}", "method": "GET"},
    ]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(rules))
    made, listed = site.asked(
        f"application credential create --secret sesame --access-rules {file} reader", "access rule list"
    )
    assert [{name.lower(): item[name] for name in ("Service", "Path", "Method")} for item in listed] == rules
    secret = {"id": made["ID"], "secret": "sesame"}
    login = site.token(identity={"methods": ["application_credential"], "application_credential": secret}, scope=None)
    given = login.json()["token"]["application_credential"]["access_rules"]
    assert [rule["id"] for rule in given] == [item["ID"] for item in listed]
    token = {"X-Auth-Token": login.headers["X-Subject-Token"]}
    answers = {
        (method, path): httpx.request(method, site.at(path), headers=token, timeout=60).status_code
        for method, path in (
            ("GET", "/compute/v2.1/servers/detail"),
            ("GET", "/compute/v2.1/servers"),
            ("DELETE", "/compute/v2.1/servers/none"),
            ("GET", "/network/v2.0/networks"),
            ("GET", "/network/v2.0/networks/none"),
            ("GET", "/image/v2/images"),
        )
    }
    assert list(answers.values()) == [200, 401, 401, 200, 401, 401]
    # The same rule is there once, however many have it; and for as long as one has it.
    again, refused = (
        f"application credential create --access-rules {file} again",
        f"access rule delete {given[0]['id']}",
    )
    site.openstack(again)
    assert "May not delete access rule in use" in site.refused(refused, "application credential delete reader again")
    shown, left = site.asked(f"access rule show {given[0]['id']}", "access rule list")
    assert (shown["Path"], len(left)) == ("/v2.1/servers/**", 2)
    assert not site.openstack(*(f"access rule delete {rule['id']}" for rule in given)).strip()
    assert site.store.access_rules == {}


def test_the_client_makes_keypairs(site: Site, tmp_path: Path) -> None:
    public, private = tmp_path / "key.pub", tmp_path / "private"
    public.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDy0PUwIrTeKyXH4wWYoc1IiJ/bFVqFTTwGfD0cGGZVq me@here\n")
    brought, made, shown, listed = site.asked(
        f"keypair create --public-key {public} brought",
        f"keypair create --private-key {private} made",
        "keypair show made",
        "keypair list",
    )
    assert brought["fingerprint"] == "ed:95:3e:0a:7d:63:80:df:b0:6b:ca:d0:22:b1:d9:50"
    assert private.read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert shown["fingerprint"] == made["fingerprint"]
    assert {item["Name"] for item in listed} == {"brought", "made"}
    assert site.openstack("keypair show --public-key brought").strip() == public.read_text().strip()
    assert "Key pair 'made' already exists." in site.refused("keypair create made")
    assert not site.openstack("keypair delete brought made").strip()
    assert "Keypair made not found" in site.refused("keypair delete made")


def test_the_client_shows_and_sets_quotas(site: Site) -> None:
    before, default = site.asked("quota show", "quota show --default")
    assert before == default
    assert not site.openstack("quota set --cores 30 --volumes 7 --networks 9").strip()
    limits = {item["Resource"]: item["Limit"] for item in site.asked("quota show")[0]}
    assert (limits["cores"], limits["volumes"], limits["networks"]) == (30, 7, 9)
    # Other projects are the administrator's.
    assert "identity:list_projects" in site.refused("quota list --compute")


@pytest.mark.filterwarnings("ignore")
def test_the_sdk_cleans_a_project_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(site.clouds))
    site.openstack(
        "network create lan",
        "subnet create --network lan --subnet-range 192.168.3.0/24 lan",
        "router create lan",
        "router add subnet lan lan",
        "server create --image fedora-coreos-38 --flavor m1.small --network lan --wait alone",
        "volume create --size 1 data",
        "volume snapshot create --volume data then",
        "floating ip create public",
        "security group create web",
        "loadbalancer create --name web --vip-subnet-id lan --wait",
    )
    cloud, ground = site.store, site.ground
    with openstack.connect("practice") as connection:
        connection.project_cleanup(dry_run=True, wait_timeout=30)
        assert (len(cloud.servers), len(cloud.volumes), len(cloud.loadbalancers)) == (1, 1, 1)
        connection.project_cleanup(dry_run=False, wait_timeout=30)
    kept = {"networks": ["public"], "security_groups": ["default"], "routers": [], "floatingips": [], "servers": []}
    kept |= {"volumes": [], "snapshots": [], "loadbalancers": []}
    left = {name: [item.get("name") for item in getattr(cloud, name).values()] for name in kept}
    assert left == kept
    assert (ground.machines, ground.volumes, ground.balanced) == ({}, {}, {})
