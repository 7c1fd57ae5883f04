"""Template and cluster commands: their error messages, and their results as the `openstack` client shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Shell, shell_in
from tests.contract.clouds import Site

OPTIONS = """\
image: fedora-coreos-38
external_network: public
flavor: m1.small
master_flavor: m1.medium
network_driver: calico
dns_nameserver: 9.9.9.9
docker_volume_size: 10
labels: {kube_tag: v1.34.4, container_infra_prefix: registry.example.org/}
"""
MINIMAL = ("--image", "fedora-coreos-38", "--external-network", "public")


@pytest.fixture
def shell(site: Site, tmp_path: Path) -> Shell:
    """The program, with the APIs as its cloud."""
    shell = shell_in(tmp_path)
    shell.environment |= {"OS_CLIENT_CONFIG_FILE": str(site.clouds), "OS_CLOUD": "practice"}
    (tmp_path / "template.yaml").write_text(OPTIONS)
    return shell


@pytest.fixture
def made(shell: Shell) -> Iterator[dict]:
    """Create a template with options from a file and one from the command line."""
    made = shell.json("template", "create", "mine", "--from", "template.yaml", "--docker-volume-size", "20")
    yield made
    shell.zerojhub("template", "delete", made["uuid"], "--yes")
    assert "mine" not in [row["name"] for row in shell.json("template", "list")]


def refused(site: Site, shell: Shell, *words: str, said: str, code: int = 2) -> None:
    """Check that the command fails with this message, and creates no template or cluster."""
    before = set(site.store.templates), set(site.store.clusters)
    error = shell.zerojhub(*words, code=code).stderr
    assert said in error
    assert (set(site.store.templates), set(site.store.clusters)) == before


def test_options_of_a_file_and_of_the_command_line(site, shell, made):
    shown = json.loads(shell.openstack("coe", "cluster", "template", "show", made["uuid"], "-f", "json"))
    wanted = {
        "name": "mine",
        "image_id": "fedora-coreos-38",
        "master_flavor_id": "m1.medium",
        "network_driver": "calico",
        "dns_nameserver": "9.9.9.9",
        "docker_volume_size": 20,
        "volume_driver": "cinder",
    }
    assert {key: shown[key] for key in wanted} == wanted
    assert shown["labels"] == {"kube_tag": "v1.34.4", "container_infra_prefix": "registry.example.org/"}
    assert shell.json("template", "show", "mine")["uuid"] == made["uuid"]


def test_names_and_duplicates(site, shell, made):
    create = ["template", "create", "mine", *MINIMAL]
    refused(site, shell, *create, said="cluster template 'mine' already exists")
    second = shell.json(*create, "--duplicate")
    refused(site, shell, "template", "show", "mine", said=second["uuid"])
    refused(site, shell, "template", "delete", "mine", "--yes", said="2 cluster templates are named 'mine'")
    shell.zerojhub("template", "delete", second["uuid"], "--yes")
    refused(site, shell, "template", "show", "mien", said="did you mean 'mine'?")
    refused(site, shell, "template", "delete", "mine", said="confirm with --yes")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--image", "fedora-coreos-39"], "no image named 'fedora-coreos-39' (did you mean 'fedora-coreos-38'?)"),
        (["--flavor", "m1.smal"], "no flavor named 'm1.smal' (did you mean 'm1.small'?)"),
        (["--master-flavor", "m9"], "no flavor named 'm9'"),
        (["--keypair", "yourkey"], "no keypair named 'yourkey'"),
        (["--external-network", "private"], "no external network named 'private'"),
        (["--fixed-network", "privat"], "no network named 'privat' (did you mean 'private'?)"),
        (["--fixed-subnet", "none"], "no subnet named 'none'"),
        (["--network-driver", "docker"], "network driver 'docker' does not work with kubernetes"),
        (["--docker-storage-driver", "devicemapper"], "devicemapper needs a docker volume"),
        (
            ["--docker-storage-driver", "devicemapper", "--docker-volume-size", "2"],
            "needs a docker volume of 3 GB or more, not 2",
        ),
        (["--labels", "kube_tag"], "--labels: 'kube_tag' is not KEY=VALUE"),
        (["--coe", "nomad"], "coe: must be 'kubernetes', 'swarm', 'swarm-mode' or 'mesos', not 'nomad'"),
    ],
)
def test_what_would_fail_later_is_refused_now(site, shell, words, said):
    refused(site, shell, "template", "create", "bad", *MINIMAL, *words, said=said)


def test_several_mistakes_are_told_at_once(site, shell):
    (shell.folder / "bad.yaml").write_text("imag: fedora-coreos-38\nexternal_network: public\n")
    refused(site, shell, "template", "create", "bad", "--from", "bad.yaml", said="bad.yaml:1: unknown key 'imag'")
    error = shell.zerojhub("template", "create", "bad", *MINIMAL, "--flavor", "a", "--keypair", "b", code=2).stderr
    assert len([line for line in error.splitlines() if line.startswith("error: ")]) == 2


@pytest.mark.parametrize("engine", ["swarm", "swarm-mode", "mesos"])
def test_other_engines_are_refused_in_magnums_own_words(site, shell, engine):
    words = ["template", "create", "other", *MINIMAL, "--coe", engine, "--network-driver"]
    refused(site, shell, *words, "calico", said=f"network driver 'calico' does not work with {engine}")
    refused(site, shell, *words, "docker", said=f"Value: '{engine}'. Value should be one of: kubernetes", code=1)


def test_no_hub_on_another_engine(site, shell):
    (shell.folder / "hub.yaml").write_text(
        "name: other\ncluster: {template: {coe: swarm, image: fedora-atomic-29, external_network: public}}\n"
        "hub: {chart: embedded, open_to_anyone: true}\n"
    )
    refused(site, shell, "up", said="makes swarm clusters; a hub needs Kubernetes")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "neither the cluster nor its template names a keypair"),
        (["--keypair", "yourkey"], "no keypair named 'yourkey'"),
        (["--keypair", "mykey", "--flavor", "m1.smal"], "did you mean 'm1.small'?"),
        (["--keypair", "mykey", "--masters", "3"], "3 masters need a template with master_lb_enabled"),
        (["--keypair", "mykey", "--workers", "500"], "instances needed"),
    ],
)
def test_clusters_that_would_fail_are_refused(site, shell, key, words, said):
    create = ["cluster", "create", "bad", "--template", "kubernetes-v1.34.4"]
    refused(site, shell, *create, *words, said=said)


def test_a_clusters_life(site, shell, magnum):
    create = ["cluster", "create", "mine", "--template", "kubernetes-v1.34.4", "--keypair", "mykey"]
    made = shell.json(*create, "--workers", "2", "--labels", "extra=1")
    assert made["status"] == "CREATE_COMPLETE"
    shown = json.loads(shell.openstack("coe", "cluster", "show", "mine", "-f", "json"))
    assert (shown["uuid"], shown["node_count"]) == (made["uuid"], 2)
    assert shown["labels"] == {"kube_tag": "v1.34.4", "extra": "1"}
    refused(site, shell, *create, said="cluster 'mine' already exists")
    refused(
        site, shell, *create[:2], "123", *create[3:], said="'123' is not a name for a cluster (a letter, followed by"
    )
    template = shell.json("template", "show", "kubernetes-v1.34.4")["name"]
    refused(site, shell, "template", "delete", template, "--yes", said=f"template {template} is used by mine")
    shell.zerojhub("cluster", "delete", "mine", "--yes")
    assert magnum.client.get("/clusters").json()["clusters"] == []


def test_a_new_ca_is_asked_about_and_made_or_refused_in_magnums_own_words(site, shell, magnum):
    uuid = magnum.create("mine")
    magnum.settled(uuid)
    refused(
        site, shell, "cluster", "rotate-ca", "mine", said="Existing kubeconfigs will stop working. (confirm with --yes)"
    )
    before = magnum.client.get(f"/certificates/{uuid}").json()["pem"]
    shell.zerojhub("cluster", "rotate-ca", "mine", "--yes")
    assert magnum.client.get(f"/certificates/{uuid}").json()["pem"] != before
    assert magnum.show(uuid)["status"] == "UPDATE_COMPLETE"
    magnum.settled(magnum.create("other", cluster_template_id="kubernetes-v1.34.4-capi"))
    said = "'rotate_ca_certificate' is not supported by this driver."
    refused(site, shell, "cluster", "rotate-ca", "other", "--yes", said=said, code=1)


def test_a_failed_cluster_says_which_server_and_why(site, shell, magnum):
    create = ["cluster", "create", "mine", "--template", "kubernetes-v1.34.4", "--keypair", "mykey"]
    error = shell.zerojhub(*create, "--labels", "practice_fail=kube_minions", code=1).stderr
    assert "CREATE_FAILED" in error
    assert "No valid host was found" in error
    assert shell.json("cluster", "show", "mine")["status"] == "CREATE_FAILED"


def test_after_a_change_that_failed_a_resize_leads_to_an_upgrade(site, shell, magnum):
    uuid = magnum.create(node_count=1)
    magnum.settled(uuid)
    cores, site.store.quotas["compute"]["cores"] = site.store.quotas["compute"]["cores"], 3
    assert magnum.resize(uuid, node_count=2)["status"] == "UPDATE_FAILED"
    site.store.quotas["compute"]["cores"] = cores
    refused(
        *(site, shell, "cluster", "upgrade", "hub", "--kube-tag", "v1.35.0"),
        said="have Magnum retry first: zerojhub cluster resize hub 2",
        code=1,
    )
    shell.zerojhub("cluster", "resize", "hub", "2")
    assert magnum.show(uuid)["status"] == "UPDATE_COMPLETE"


def test_a_failed_cluster_without_a_stack_says_as_much(site, shell, magnum):
    create = ["cluster", "create", "mine", "--template", "kubernetes-v1.34.4-capi", "--labels"]
    error = shell.zerojhub(*create, "practice_fail=kube_minions", code=1).stderr
    assert re.search(r"CREATE_FAILED: .* failed: server kube-\w{5}-node-0: No valid host was found", error)
    assert "; not usable: it has no API yet" in error
    assert "No valid host was found" in shell.json("cluster", "show", "mine")["failure"]


def test_ports_that_a_deleted_cluster_leaves_go(site, shell, magnum):
    cluster = magnum.settled(magnum.create("mine", cluster_template_id="kubernetes-v1.34.4-capi", node_count=0))
    (private,) = site.store.networks.named("private")
    network = site.client("/network/v2.0")
    for name in (f"{cluster['cluster_id']}-left", "kube-other-left"):
        network.post("/ports", json={"port": {"network_id": private["id"], "name": name}}).raise_for_status()
    shell.zerojhub("cluster", "delete", "mine", "--yes")
    left = {port["name"]: ident for ident, port in site.store.ports.items() if port["name"].endswith("-left")}
    assert list(left) == ["kube-other-left"]
    network.delete(f"/ports/{left['kube-other-left']}").raise_for_status()


def test_nothing_is_asked_of_a_cluster_that_is_changing(site, shell, magnum):
    uuid = magnum.create("busy")
    magnum.settled(uuid)
    site.ground.held.add("boot")
    try:
        assert magnum.client.post(f"/clusters/{uuid}/actions/resize", json={"node_count": 3}).status_code == 202
        for words in (["cluster", "resize", "busy", "1"], ["nodegroup", "create", "busy", "more"]):
            refused(site, shell, *words, said="cluster busy is UPDATE_IN_PROGRESS", code=1)
    finally:
        site.ground.held.clear()
    magnum.settled(uuid)


def test_servers_of_a_cluster_without_a_stack(site, shell, key, magnum):
    create = ["cluster", "create", "mine", "--template", "kubernetes-v1.34.4-capi", "--keypair", "mykey"]
    made = shell.json(*create, "--workers", "2")
    shown = shell.json("cluster", "show", "mine")
    addresses = {*made["node_addresses"], *made["master_addresses"]}
    assert {server["addresses"].split(", ")[0] for server in shown["servers"]} == addresses
