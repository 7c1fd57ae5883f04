"""A floating IP for a cluster's master: given, kept, taken away; and who says that it is missing. Fake machines, real APIs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Shell, shell_in
from tests.contract.clouds import Site
from tests.contract.conftest import Magnum

KEYPAIR = "mine"


@pytest.fixture
def shell(site: Site, tmp_path: Path) -> Iterator[Shell]:
    """The program with the APIs as its cloud, and a keypair whose private key is in ~/.ssh."""
    shell = shell_in(tmp_path)
    shell.environment |= {"OS_CLIENT_CONFIG_FILE": str(site.clouds), "OS_CLOUD": "practice", "HOME": str(tmp_path)}
    (tmp_path / ".ssh").mkdir()
    shell.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / ".ssh" / "mine.pem")
    body = {"keypair": {"name": KEYPAIR, "public_key": (tmp_path / ".ssh" / "mine.pem.pub").read_text()}}
    compute = site.client("/compute/v2.1")
    compute.post("/os-keypairs", json=body).raise_for_status()
    yield shell
    compute.delete(f"/os-keypairs/{KEYPAIR}").raise_for_status()


def made(magnum: Magnum, **fields: object) -> dict:
    return magnum.settled(magnum.create("mine", **{"keypair": KEYPAIR, "node_count": 0, **fields}))


def floating_ips(shell: Shell) -> list[dict]:
    """As the ordinary client lists them."""
    return json.loads(shell.openstack("floating", "ip", "list", "--long", "-f", "json"))


def allocate(site: Site) -> str:
    """A floating IP that a person has allocated; its address."""
    (public,) = site.store.networks.named("public")
    body = {"floatingip": {"floating_network_id": public["id"], "description": "for the web site"}}
    answer = site.client("/network/v2.0").post("/floatingips", json=body).raise_for_status()
    return answer.json()["floatingip"]["floating_ip_address"]


def discard(site: Site, address: str) -> None:
    """Release it; it must still be there, with its own description and unattached."""
    (there,) = [each for each in site.store.floatingips.values() if each["floating_ip_address"] == address]
    assert (there["description"], there["port_id"]) == ("for the web site", None)
    site.client("/network/v2.0").delete(f"/floatingips/{there['id']}").raise_for_status()


def test_a_master_is_exposed_once_and_hidden_again(site, shell, magnum):
    cluster = made(magnum)
    shown = shell.json("cluster", "expose", "mine")
    (listed,) = floating_ips(shell)
    assert shown["floating_ip_address"] == listed["Floating IP Address"]
    assert shown["fixed_ip_address"] == listed["Fixed IP Address"] == cluster["master_addresses"][0]
    assert (shown["id"], shown["port_id"]) == (listed["ID"], listed["Port"])
    before = len(site.audit.read_text().splitlines())
    assert shell.json("cluster", "expose", cluster["uuid"]) == shown
    assert shell.json("cluster", "expose", "mine", "--floating-ip", shown["floating_ip_address"]) == shown
    since = [json.loads(line) for line in site.audit.read_text().splitlines()[before:]]
    calls = [
        call for call in since if "/network/" in call["path"] and "/subnetpools" not in call["path"]
    ]  # but the lock
    assert {call["method"] for call in calls} == {"GET"}
    error = shell.zerojhub("cluster", "unexpose", "mine", code=2).stderr
    assert f"Release floating IP {shown['floating_ip_address']} of cluster mine? (confirm with --yes)" in error
    assert shell.json("cluster", "unexpose", "mine", "--yes") == shown
    assert floating_ips(shell) == []
    assert "mine: has no floating IP" in shell.zerojhub("cluster", "unexpose", "mine").stdout


@pytest.mark.parametrize("by", ["floating_ip_address", "id"])
def test_a_floating_ip_of_ones_own_is_only_detached(site, shell, magnum, by):
    made(magnum)
    address = allocate(site)
    (record,) = site.store.floatingips.values()
    shown = shell.json("cluster", "expose", "mine", "--floating-ip", record[by])
    assert shown["floating_ip_address"] == address
    assert site.store.floatingips[record["id"]]["port_id"] == shown["port_id"]
    error = shell.zerojhub("cluster", "expose", "mine", "--floating-ip", "192.0.2.9", code=2).stderr
    assert "the project has no floating IP 192.0.2.9" in error
    error = shell.zerojhub("cluster", "unexpose", "mine", code=2).stderr
    assert f"Detach floating IP {address}" in error
    shell.zerojhub("cluster", "unexpose", "mine", "--yes")
    discard(site, address)


@pytest.mark.parametrize("wait", [[], ["--no-wait"]])
def test_a_deleted_cluster_gives_back_what_was_allocated_for_it(site, shell, magnum, wait):
    made(magnum)
    shell.zerojhub("cluster", "expose", "mine")
    shell.zerojhub("cluster", "delete", "mine", "--yes", *wait)
    assert floating_ips(shell) == []


def test_a_deleted_cluster_leaves_a_floating_ip_of_ones_own(site, shell, magnum):
    made(magnum)
    address = allocate(site)
    shell.zerojhub("cluster", "expose", "mine", "--floating-ip", address)
    shell.zerojhub("cluster", "delete", "mine", "--yes")
    discard(site, address)


def test_a_floating_ip_that_is_in_use_or_another_projects_is_refused_in_one_line(site, shell, magnum):
    made(magnum)
    magnum.settled(magnum.create("other", keypair=KEYPAIR, node_count=0))
    theirs = shell.json("cluster", "expose", "other")["floating_ip_address"]
    foreign = allocate(site)
    (record,) = [each for each in site.store.floatingips.values() if each["floating_ip_address"] == foreign]
    ours, record["project_id"] = record["project_id"], "f" * 32
    for address, said in ((theirs, f"floating IP {theirs} is in use by"), (foreign, "the project has no floating IP")):
        error = shell.zerojhub("cluster", "expose", "mine", "--floating-ip", address, code=2).stderr
        assert said in error
        assert len(error.splitlines()) <= 2  # the failed step, and why
    record["project_id"] = ours
    error = shell.zerojhub("cluster", "expose", "other", "--floating-ip", foreign, code=2).stderr
    assert f"has floating IP {theirs} already (zerojhub cluster unexpose other)" in error
    discard(site, foreign)
    shell.zerojhub("cluster", "unexpose", "other", "--yes")


def test_what_an_interrupted_run_allocated_is_used(site, shell, magnum):
    cluster = made(magnum)
    address = allocate(site)
    (record,) = site.store.floatingips.values()
    record["description"] = f"zerojhub cluster {cluster['uuid']}"
    assert shell.json("cluster", "expose", "mine")["floating_ip_address"] == address
    shell.zerojhub("cluster", "unexpose", "mine", "--yes")
    assert floating_ips(shell) == []


def test_what_cannot_be_attached_is_not_kept(site, shell, magnum):
    """The master's network has no router to the external network."""
    made(magnum)
    gateways = {ident: router["external_gateway_info"] for ident, router in site.store.routers.items()}
    for router in site.store.routers.values():
        router["external_gateway_info"] = None
    error = shell.zerojhub("cluster", "expose", "mine", code=1).stderr
    assert "is not reachable from subnet" in error
    assert floating_ips(shell) == []
    for ident, gateway in gateways.items():
        site.store.routers[ident]["external_gateway_info"] = gateway
    shell.zerojhub("cluster", "expose", "mine")
    shell.zerojhub("cluster", "unexpose", "mine", "--yes")


def test_the_first_of_three_masters_behind_a_load_balancer_is_exposed(site, shell, magnum):
    cluster = made(magnum, master_count=3, master_lb_enabled=True)
    shown = shell.json("cluster", "expose", "mine")
    (first,) = [server for server in site.store.servers.values() if server["name"].endswith("-master-0")]
    assert shown["fixed_ip_address"] in cluster["master_addresses"]
    assert site.store.ports[shown["port_id"]]["device_id"] == first["id"]
    shell.zerojhub("cluster", "unexpose", "mine", "--yes")


def test_a_floating_ip_that_magnum_assigned_stays(site, shell, magnum):
    cluster = made(magnum, floating_ip_enabled=True)
    shown = shell.json("cluster", "expose", "mine")
    assert [shown["floating_ip_address"]] == cluster["master_addresses"]
    error = shell.zerojhub("cluster", "unexpose", "mine", "--yes", code=2).stderr
    assert f"Magnum assigned {shown['floating_ip_address']} together with cluster mine" in error


def test_a_cluster_that_is_reached_by_its_api_needs_none(site, shell, magnum):
    made(magnum, cluster_template_id="kubernetes-v1.34.4-capi")
    before = set(site.store.floatingips)
    assert "mine: not needed" in shell.zerojhub("cluster", "expose", "mine").stdout
    for command in ("expose", "unexpose"):
        assert shell.json("cluster", command, "mine")["needed"] is False
    assert set(site.store.floatingips) == before


def test_a_cluster_is_exposed_when_it_is_created(site, shell, magnum):
    create = ["cluster", "create", "mine", "--template", "kubernetes-v1.34.4", "--keypair", KEYPAIR, "--expose"]
    error = shell.zerojhub(*create, "--no-wait", code=2).stderr
    assert "zerojhub cluster expose mine" in error
    quota, site.store.quotas["network"]["floatingip"] = site.store.quotas["network"]["floatingip"], 0
    error = shell.zerojhub(*create, code=2).stderr
    assert "quota: 1 floating IP needed, 0 of 0 free" in error
    assert site.store.clusters == {}
    site.store.quotas["network"]["floatingip"] = quota
    created = shell.json(*create)
    (listed,) = floating_ips(shell)
    assert created["floating_ip_address"] == listed["Floating IP Address"]
    assert created["status"] == "CREATE_COMPLETE"
    shell.zerojhub("cluster", "delete", "mine", "--yes")


@pytest.mark.parametrize(
    "words",
    [
        ["cluster", "ssh", "mine"],
        ["cluster", "credentials", "mine"],
        ["cluster", "resize", "mine", "0"],
        ["job", "list", "--cluster", "mine"],
        ["job", "run", "--cluster", "mine", "pi", "--image", "perl"],
        ["cron", "list", "--cluster", "mine"],
        ["node", "list", "mine"],
        ["autoscale", "status", "mine"],
        ["autoscale", "enable", "mine", "--min", "1", "--max", "2"],
    ],
    ids=" ".join,
)
def test_a_command_that_cannot_reach_the_master_names_the_one_that_helps(site, shell, magnum, words):
    made(magnum, node_count=1)
    error = shell.zerojhub(*words, "--cloud", "practice", code=1).stderr
    line = "floating-ip: the master needs an address that is reachable from here"
    assert f"{line} (zerojhub cluster expose mine --cloud practice)" in error


def test_a_cluster_that_is_not_complete_says_so(site, shell, magnum):
    site.hold()
    try:
        magnum.create("mine", keypair=KEYPAIR, node_count=0)
        error = shell.zerojhub("cluster", "expose", "mine", code=1).stderr
        assert "cluster mine is CREATE_IN_PROGRESS" in error
    finally:
        site.let_go()
    magnum.settled(shell.json("cluster", "list")[0]["uuid"])
