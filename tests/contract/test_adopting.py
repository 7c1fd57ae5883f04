"""What `up` adopts: a local chart, the user's SSH key, and an existing cluster's keypair."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROGRAM, ROOT, Shell, shell_in
from tests.contract.clouds import Site

HUB = """\
name: mine
cloud: practice
cluster: {template: kubernetes-v1.34.4}
hub: {chart: embedded, open_to_anyone: true}
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
    plan = shell.json("plan", "-f", "../hub.yaml", *words, code=None)  # 1 if there is a cluster: it runs no Kubernetes
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


@pytest.fixture
def locked(site: Site, shell: Shell, magnum) -> Iterator[Path]:
    """The private key, which has a passphrase, of an existing cluster's keypair."""
    path = shell.folder / "mykey"
    shell.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", path)
    body = {"keypair": {"name": "locked", "public_key": path.with_name("mykey.pub").read_text()}}
    compute = site.client("/compute/v2.1")
    compute.post("/os-keypairs", json=body).raise_for_status()
    magnum.settled(magnum.create("mine", keypair="locked"))
    yield path
    compute.delete("/os-keypairs/locked").raise_for_status()


def at_terminal(shell: Shell, answer: str, *words: str | Path) -> tuple[int, str]:
    """The exit code of zerojhub at a terminal, and what it shows there. The answer is typed at the first question."""
    near, far = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, *words],
        cwd=shell.folder,
        env=shell.environment,
        stdin=far,
        stdout=far,
        stderr=far,
        start_new_session=True,
    ) as running:
        os.close(far)
        shown = b""
        try:
            while data := os.read(near, 1 << 16):
                shown += data
                if answer and b"Passphrase of " in shown:
                    os.write(near, f"{answer}\n".encode())
                    answer = ""
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(near)
    return running.returncode, shown.decode()


def test_a_passphrase_is_asked_for_at_the_terminal_and_never_shown(shell, locked):
    plan = ("plan", "-f", "../hub.yaml", "-i", locked)
    code, shown = at_terminal(shell, "open sesame", *plan)
    assert code == 3
    assert shown.count(f"Passphrase of {locked}: ") == 1
    assert re.search(r"keypair +found", shown)
    assert "open sesame" not in shown
    state = shell.folder / "state"
    assert b"open sesame" not in b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    told = shell.zerojhub(*plan, code=2).stderr.splitlines()
    assert [line for line in told if line.startswith("error: ")] == [
        f"error: {locked}: the private key has a passphrase "
        f"(no terminal to ask on; add the key to the SSH agent: ssh-add {locked})"
    ]
