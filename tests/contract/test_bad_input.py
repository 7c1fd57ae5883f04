"""User errors: one clear line, exit code 2, and nothing created."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import GIVEN_CHARTS, PROGRAM, Shell, shell_in
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


def refused(cloud: Person, path: Path, *said: str, command: str = "up") -> str:
    """Check that `up` exits with code 2 and this error, and has created nothing."""
    before = len(cloud.audit())
    error = cloud.zerojhub(command, "-f", path, code=2).stderr
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


@pytest.fixture
def own_chart(tmp_path) -> Path:
    """A chart of one's own, which wants a contact for certificates, as Zero to JupyterHub's does."""
    path = tmp_path / "chart" / "templates" / "certificate.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(
        "{{ if dig `https` `enabled` false .Values.proxy }}\n"
        "contact: {{ required `proxy.https.letsencrypt.contactEmail is a required field` (dig `contact` nil .Values.proxy) }}\n"
        "{{ end }}\n"
    )
    (tmp_path / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: own\nversion: 1.0.0\n")
    return tmp_path / "chart"


@pytest.mark.helm
@pytest.mark.parametrize("command", ["up", "plan"])
@pytest.mark.parametrize("chart", ["chart", *GIVEN_CHARTS])
def test_https_without_a_contact_fails_before_there_is_a_cluster(cloud, tmp_path, own_chart, chart, command):
    values = SAFE + "proxy:\n  https:\n    enabled: true\n    hosts: [h.example.org]\n"
    path = hub_yaml(tmp_path, values=values, hub=f"{{chart: {chart}, values: values.yaml}}")
    error = refused(cloud, path, "proxy.https.letsencrypt.contactEmail is a required field", command=command)
    assert f"{tmp_path}/values.yaml:3: chart " in error
    assert len(error.strip().splitlines()) == (2 if command == "up" else 1)


@pytest.mark.helm
def test_a_chart_that_cannot_be_rendered_in_advance_is_said(cloud, tmp_path, own_chart):
    """The wanted Helm is not on this machine, which cannot download it; what has been rendered before needs none."""
    hub = "{chart: chart, values: values.yaml}"
    cloud.environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HTTPS_PROXY": "http://127.0.0.1:9"}

    def detail(**sections: str) -> str:
        plan = cloud.json("plan", "-f", hub_yaml(tmp_path, **{"hub": hub} | sections), code=3)
        return next(stage["detail"] for stage in plan["stages"] if stage["name"] == "values")

    pinned = "{version: 3.16.4}"
    said = detail(helm=pinned)
    assert said.startswith(
        "chart own 1.0.0 with values.yaml; the chart was not rendered in advance: https://get.helm.sh/"
    )
    assert said.endswith("(install Helm on this machine, in PATH)")
    told = cloud.zerojhub("up", "-f", tmp_path / "hub.yaml", "--only", "values", "--quiet").stderr
    assert "warning: the chart was not rendered in advance: https://get.helm.sh/" in told
    assert detail() == "chart own 1.0.0 with values.yaml"
    assert detail(helm=pinned) == "chart own 1.0.0 with values.yaml"
    assert "not rendered" in detail(helm=pinned, values=SAFE + "cull: {every: 60}\n")


def test_oauth_that_lets_nobody_in(cloud, tmp_path):
    path = hub_yaml(tmp_path, values="hub:\n  config:\n    JupyterHub:\n      authenticator_class: github\n")
    error = refused(cloud, path, "nobody could log in: GitHubOAuthenticator")
    assert f"{tmp_path}/values.yaml:4: " in error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("proxy: {secretToken: {{ TOKEN }}}\n", "2: the placeholder {{ TOKEN }} has not been filled in"),
        ("debug: {enabled: \x1b}\n", "2: not valid YAML: contains the control character U+001B"),
        ("proxy: {service: NodePort}\n", '2: proxy.service: must be object, not "NodePort"'),
        ("jupyterhub: {hub: {}}\n", "2: these are the values of an umbrella chart"),
        ("---\nproxy: {}\n", "2: expected a single document, found 2 (merge the two)"),
        (
            "singleuser: {image: {tag: 170e405}}\n",
            '2: singleuser.image.tag: must be a string: put it in quotes, "170e405"',
        ),
        ("auth: {type: dummy}\nproxy:\n", "2: unknown key auth.type (since chart 0.11.0: hub.config"),
    ],
)
def test_values_that_do_not_mean_what_they_seem_to(cloud, tmp_path, text, words):
    refused(cloud, hub_yaml(tmp_path, values=SAFE + text), f"values.yaml:{words}")


def test_a_control_character_in_the_deployment_file(cloud, tmp_path):
    refused(
        cloud, hub_yaml(tmp_path, access="{user: \x1b}"), "hub.yaml:5: not valid YAML: contains the control character"
    )


def test_an_authenticator_that_probably_lets_nobody_in_is_a_warning(cloud, tmp_path):
    values = "hub: {config: {JupyterHub: {authenticator_class: native}, NativeAuthenticator: {open_signup: no}}}\n"
    done = cloud.zerojhub("up", "-f", hub_yaml(tmp_path, values=values), "--only", "template", "--quiet")
    assert done.stderr == ""
    done = cloud.zerojhub("up", "-f", tmp_path / "hub.yaml", "--only", "values", "--quiet")
    assert done.stderr.startswith("warning: nobody can log in with NativeAuthenticator unless ")


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


def test_an_unreachable_keystone_is_waited_for_until_ctrl_c(cloud, tmp_path, monkeypatch):
    auth = read_yaml(Path(cloud.environment["OS_CLIENT_CONFIG_FILE"]))["clouds"]["practice"]["auth"]
    clouds_yaml(cloud, tmp_path, f":{urlsplit(auth['auth_url']).port}", ":9")
    monkeypatch.setitem(cloud.environment, "OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    command = [str(PROGRAM), "up", "-f", str(hub_yaml(tmp_path))]
    with subprocess.Popen(command, env=cloud.environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert any("identity: connection refused, retrying in" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 130
