"""User errors: one clear line, exit code 2, and nothing created."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import Shell, shell_in
from tests.contract.clouds import Site
from zerojhub.yamlfile import read_yaml

BASE = {"name": "wrong", "cloud": "practice", "cluster": "{template: kubernetes-v1.34.4, workers: 1}"}
SAFE = "hub: {config: {JupyterHub: {authenticator_class: dummy}, DummyAuthenticator: {password: secret}}}\n"


def hub_yaml(folder: Path, values: str = SAFE, **sections: str) -> Path:
    path = folder / "hub.yaml"
    (folder / "values.yaml").write_text(values)
    sections = BASE | {"hub": "{chart: embedded, values: values.yaml}"} | sections
    path.write_text("".join(f"{key}: {value}\n" for key, value in sections.items()))
    return path


class Person(Shell):
    """The program, with the APIs as its cloud."""

    log: Path

    def audit(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def cloud(site: Site, tmp_path: Path) -> Person:
    given = {"OS_CLIENT_CONFIG_FILE": str(site.clouds), "OS_CLOUD": "practice"}
    person = Person(tmp_path, shell_in(tmp_path).environment | given)
    person.log = site.audit
    return person


def refused(cloud: Person, path: Path, *said: str) -> str:
    """Check that `up` exits with code 2 and this error, and has created nothing."""
    before = len(cloud.audit())
    error = cloud.zerojhub("up", "-f", path, code=2).stderr
    for words in said:
        assert words in error
    assert cloud.writes(before) == []
    return error


def test_no_file(cloud, tmp_path):
    refused(cloud, tmp_path / "none.yaml", "none.yaml: no such file")


def test_no_such_cloud(cloud, tmp_path):
    refused(cloud, hub_yaml(tmp_path, cloud="practise"), "no cloud named 'practise' in clouds.yaml", "practice")


def test_no_such_template(cloud, tmp_path):
    path = hub_yaml(tmp_path, cluster="{template: kubernetes-v1.34.5}")
    refused(cloud, path, "no cluster template named 'kubernetes-v1.34.5'", "did you mean 'kubernetes-v1.34.4'?")


def test_no_such_keypair(cloud, tmp_path):
    path = hub_yaml(tmp_path, cluster="{template: kubernetes-v1.34.4, keypair: mykey}")
    refused(cloud, path, "no keypair named 'mykey'")


def test_no_such_image_flavor_and_network_are_told_at_once(cloud, tmp_path):
    template = "{image: fedora-coreos-99, flavor: m1.smal, external_network: publik}"
    path = hub_yaml(tmp_path, cluster=f"{{template: {template}, workers: 1}}")
    error = refused(
        cloud,
        path,
        "no image named 'fedora-coreos-99' (did you mean 'fedora-coreos-38'?)",
        "no flavor named 'm1.smal' (did you mean 'm1.small'?)",
        "no external network named 'publik' (did you mean 'public'?)",
    )
    assert len([line for line in error.splitlines() if line.startswith("error: ")]) == 3


def test_a_private_key_that_does_not_fit_the_keypair(cloud, tmp_path):
    cloud.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "one")
    cloud.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other")
    cloud.openstack("keypair", "create", "--public-key", str(tmp_path / "one.pub"), "one")
    try:
        path = hub_yaml(
            tmp_path,
            cluster="{template: kubernetes-v1.34.4, keypair: one}",
            access=f"{{private_key: {tmp_path / 'other'}}}",
        )
        refused(cloud, path, "does not match keypair 'one'")
    finally:
        cloud.openstack("keypair", "delete", "one")


def test_two_templates_of_the_name(cloud, tmp_path):
    made = ["coe", "cluster", "template", "create", "twice", "--coe", "kubernetes", "--image", "fedora-coreos-38"]
    for _ in range(2):
        cloud.openstack(*made, "--external-network", "public", "--flavor", "m1.small")
    rows = json.loads(cloud.openstack("coe", "cluster", "template", "list", "-f", "json"))
    uuids = [row["uuid"] for row in rows if row["name"] == "twice"]
    try:
        path = hub_yaml(tmp_path, cluster="{template: twice}")
        refused(cloud, path, "2 cluster templates are named 'twice'", *uuids)
    finally:
        for uuid in uuids:
            cloud.openstack("coe", "cluster", "template", "delete", uuid)


def test_values_that_the_schema_refuses(cloud, tmp_path):
    path = hub_yaml(tmp_path, values=SAFE + "singleuser:\n  memory: {limt: 1G}\n")
    refused(cloud, path, "values.yaml:3", "limt", "limit")


def test_values_of_a_wrong_type(cloud, tmp_path):
    path = hub_yaml(tmp_path, values=SAFE + "cull:\n  every: [often]\n")
    refused(cloud, path, "values.yaml:3", "cull.every")


def test_a_chart_that_needs_a_newer_kubernetes(cloud, tmp_path):
    cluster = (
        "{template: {image: fedora-coreos-38, external_network: public, flavor: m1.small, labels: {kube_tag: v1.19.1}}}"
    )
    refused(cloud, hub_yaml(tmp_path, cluster=cluster), "needs Kubernetes 1.23", "v1.19.1")


@pytest.mark.parametrize("values", ["hub: {}\n", "hub: {config: {JupyterHub: {authenticator_class: dummy}}}\n"])
def test_a_hub_that_lets_anyone_in(cloud, tmp_path, values):
    refused(cloud, hub_yaml(tmp_path, values=values), "open_to_anyone: true")


def test_more_than_the_quota(cloud, tmp_path):
    path = hub_yaml(tmp_path, cluster="{template: kubernetes-v1.34.4, workers: 500}")
    refused(cloud, path, "quota:", "instances needed")


def clouds_yaml(cloud, tmp_path: Path, old: str, new: str) -> None:
    """The practice cloud's clouds.yaml with one change."""
    text = Path(cloud.environment["OS_CLIENT_CONFIG_FILE"]).read_text()
    assert old in text
    (tmp_path / "clouds.yaml").write_text(text.replace(old, new))


def test_a_wrong_password(cloud, tmp_path, monkeypatch):
    auth = read_yaml(Path(cloud.environment["OS_CLIENT_CONFIG_FILE"]))["clouds"]["practice"]["auth"]
    clouds_yaml(cloud, tmp_path, auth["password"], "wrong")
    monkeypatch.setitem(cloud.environment, "OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    done = cloud.zerojhub("up", "-f", hub_yaml(tmp_path), code=2)
    assert "Keystone refused the credentials of cloud practice" in done.stderr
    assert "req-" in done.stderr


def test_an_unreachable_keystone(cloud, tmp_path, monkeypatch):
    auth = read_yaml(Path(cloud.environment["OS_CLIENT_CONFIG_FILE"]))["clouds"]["practice"]["auth"]
    clouds_yaml(cloud, tmp_path, f":{urlsplit(auth['auth_url']).port}", ":9")
    monkeypatch.setitem(cloud.environment, "OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    done = cloud.zerojhub("up", "-f", hub_yaml(tmp_path), code=2)
    assert "Keystone of cloud practice does not respond" in done.stderr
    assert ":9" in done.stderr
