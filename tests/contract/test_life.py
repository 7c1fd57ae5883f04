"""A cluster's life through zerojhub's commands, on the practice cloud and with a real Magnum."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Shell, shell_in
from tests.contract.clouds import Cloud
from tests.contract.session import PUBLIC_KEY, clear

OPTIONS = ("--image", "fedora-coreos-38", "--external-network", "public", "--flavor", "m1.small")


@pytest.fixture
def shell(either: Cloud, tmp_path: Path) -> Iterator[Shell]:
    """The program, with the cloud and a keypair in it."""
    keypair = {"name": "mykey", "public_key": PUBLIC_KEY}
    either.client("/compute/v2.1").post("/os-keypairs", json={"keypair": keypair}).raise_for_status()
    shell = shell_in(tmp_path)
    shell.environment |= {"OS_CLIENT_CONFIG_FILE": str(either.clouds), "OS_CLOUD": "practice"}
    yield shell
    clear(either)


def test_a_cluster_from_its_template_to_its_end(shell: Shell) -> None:
    template = shell.json("template", "create", "mine", *OPTIONS, "--master-flavor", "m1.medium")
    made = shell.json("cluster", "create", "hub", "--template", "mine", "--keypair", "mykey", "--workers", "1")
    assert (made["status"], made["node_count"]) == ("CREATE_COMPLETE", 1)
    assert made["cluster_template_id"] == template["uuid"]
    shell.zerojhub("cluster", "resize", "hub", "2")
    shell.zerojhub("nodegroup", "create", "hub", "big", "--nodes", "1", "--flavor", "m1.large", "--max", "3")
    shown = shell.json("cluster", "show", "hub")
    assert (shown["status"], shown["node_count"]) == ("UPDATE_COMPLETE", 3)
    groups = {group["name"]: group for group in shell.json("nodegroup", "list", "hub")}
    assert {name: group["node_count"] for name, group in groups.items()} == {
        "default-master": 1,
        "default-worker": 2,
        "big": 1,
    }
    assert (groups["big"]["flavor_id"], groups["big"]["max_node_count"]) == ("m1.large", 3)
    assert "is used by hub" in shell.zerojhub("template", "delete", "mine", "--yes", code=2).stderr
    shell.zerojhub("cluster", "delete", "hub", "--yes")
    assert shell.json("cluster", "list") == []
    shell.zerojhub("template", "delete", "mine", "--yes")
    assert "mine" not in [each["name"] for each in shell.json("template", "list")]


def test_a_cluster_that_fails_is_told(shell: Shell) -> None:
    create = ("cluster", "create", "hub", "--template", "kubernetes-v1.34.4", "--keypair", "mykey", "--workers", "1")
    error = shell.zerojhub(*create, "--labels", "practice_fail=kube_minions", code=1).stderr
    assert "cluster hub is CREATE_FAILED" in error
    assert shell.json("cluster", "show", "hub")["status"] == "CREATE_FAILED"
