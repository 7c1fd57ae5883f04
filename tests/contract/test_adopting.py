"""What `up` adopts: a local chart, the user's SSH key, and an existing cluster's keypair."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, Shell, shell_in
from tests.contract.clouds import Site

HUB = """\
name: mine
cloud: practice
cluster: {template: kubernetes-v1.34.4}
hub: {open_to_anyone: true}
"""


@pytest.fixture
def shell(site: Site, tmp_path: Path) -> Shell:
    """The program in an empty folder, with the deployment file in another one and the APIs as its cloud."""
    shell = shell_in(tmp_path / "here")
    shell.folder.mkdir()
    shell.environment |= {"OS_CLIENT_CONFIG_FILE": str(site.clouds), "HOME": str(tmp_path)}
    (tmp_path / "hub.yaml").write_text(HUB)
    return shell


def stages(shell: Shell, *words: str) -> dict[str, dict]:
    plan = shell.json("plan", "-f", "../hub.yaml", *words, code=3)
    return {stage["name"]: stage for stage in plan["stages"]}


def test_a_chart_on_the_command_line_is_where_the_person_is(shell):
    shutil.copytree(ROOT / "charts" / "jupyterhub", shell.folder / "chart")
    up = ["up", "-f", "../hub.yaml", "--only", "values", "--chart"]
    shell.zerojhub(*up, "chart")
    shutil.move(shell.folder / "chart", shell.folder.parent / "elsewhere")
    assert "chart" in shell.zerojhub(*up, "chart", code=2).stderr
    shell.zerojhub(*up, "elsewhere")  # beside the deployment file, as a chart in the file is


def test_a_key_of_ones_own_becomes_the_keypair(site, shell):
    shell.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key")
    with (shell.folder.parent / "hub.yaml").open("a") as file:
        file.write("access: {private_key: here/key}\n")
    shell.zerojhub("up", "-f", "../hub.yaml", "--only", "keypair")
    made = site.store.keypairs["zerojhub-mine"]
    assert made["public_key"].split()[1] == (shell.folder / "key.pub").read_text().split()[1]
    shell.zerojhub("down", "-f", "../hub.yaml", "--yes")
    assert "zerojhub-mine" not in site.store.keypairs
    assert (shell.folder / "key").exists()
    (shell.folder / "key").unlink()
    error = shell.zerojhub("plan", "-f", "../hub.yaml", code=2).stderr
    assert "no private key at" in error
    assert "access.private_key" in error


def test_a_cluster_that_is_there_keeps_its_keypair(site, shell, magnum):
    """`up` creates no other keypair, which could not log in. Without the private key only the API road works."""
    magnum.settled(magnum.create("mine"))
    error = shell.zerojhub("plan", "-f", "../hub.yaml", code=2).stderr
    assert "no private key on this machine matches keypair 'mykey'" in error
    with (shell.folder.parent / "hub.yaml").open("a") as file:
        file.write("access: {road: api}\n")
    assert stages(shell)["keypair"]["detail"].startswith("mykey")
    assert list(site.store.keypairs) == ["mykey"]
