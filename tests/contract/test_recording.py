"""`zerojhub practice record`: what it records, what it omits, and a practice cloud with the recorded profile."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Shell, shell_in
from tests.contract.clouds import PASSWORD, Site
from tests.contract.conftest import practice
from zerojhub.practice.cloud.nova.routes import flavors
from zerojhub.yamlfile import read_yaml

PERSON, PROJECT, DOMAIN = "jane.o'hara", "Ärzte & Söhne 7", "hospital-lan"
SEEDED = {
    "clusters": "payroll-cluster",
    "keypair": "janes-laptop",
    "label": "wall-street-42",
    "label's name": "cost_centre_7731",
    "template of one's own": "secret-recipe",
    "address": "203.0.113.77",
    "e-mail": "jane@hospital.example",
    "network": "radiology",
    "flavor of few": "gpu.radiology",
    "image of one's own": "janes-image",
    "a label's password": "hunter2hunter2",
}
# What a recording leaves out on purpose, and a practice cloud made of it has in another way: descriptions are a person's
# words, addresses are addresses. And what differs in clusters, which the second cloud has none of.
ONLY_RECORDED = {"dns_nameserver", "description"}


def shell_for(site: Site, folder: Path) -> Shell:
    shell = shell_in(folder)
    shell.environment |= {"OS_CLIENT_CONFIG_FILE": str(site.clouds), "OS_CLOUD": "practice"}
    return shell


def recorded(site: Site, folder: Path) -> tuple[Path, dict]:
    """The recorded file, and the program's output."""
    return folder / "mine.yaml", shell_for(site, folder).json("practice", "record", "--to", folder / "mine.yaml", "-q")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Path, dict]]:
    """A recording of an unused cloud."""
    folder = tmp_path_factory.mktemp("first")
    with practice(folder, "cluster-api") as site:
        yield site, *recorded(site, folder)


def test_a_cloud_made_of_a_recording_answers_alike(
    first: tuple[Site, Path, dict], tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, path, _ = first
    folder = tmp_path_factory.mktemp("second")
    with practice(folder, path) as site:
        again, _ = recorded(site, folder)
    one, other = (read_yaml(file) for file in (path, again))
    answers, others = one.pop("answers"), other.pop("answers")
    assert one == other
    assert len(answers) > 80
    assert answers.keys() == others.keys()
    different = [name for name in answers if comparable(answers[name]) != comparable(others[name])]
    assert different == []


def comparable(value):
    """The value without ONLY_RECORDED, and without the placeholders' numbers, which depend on the order."""
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items() if name not in ONLY_RECORDED}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return value.rpartition("-")[0] if isinstance(value, str) and value.startswith("<") else value


def test_it_asks_and_changes_nothing(first: tuple[Site, Path, dict]) -> None:
    site, path, told = first
    calls = [json.loads(line) for line in site.audit.read_text().splitlines()]
    writes = {(call["method"], call["path"]) for call in calls if call["method"] not in ("GET", "HEAD")}
    assert writes == {("POST", "/identity/v3/auth/tokens")}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert told["path"] == str(path)
    assert told["not_shown"] == ["cluster"]
    answers = read_yaml(path)["answers"]
    assert sum(told["answers"].values()) == len(answers)
    refusal = answers["a microversion too new"]
    assert (refusal["status"], refusal["headers"]["openstack-api-maximum-version"]) == (
        406,
        "container-infrastructure-management 1.14",
    )
    assert "minor version is not supported" in json.dumps(refusal["body"])


def seed(site: Site) -> list[str]:
    """Put unusual names and secrets wherever a user can, and return everything that must not be recorded."""
    records = site.store
    records.users.named("practice")[0]["name"] = PERSON
    records.projects.named("practice")[0] |= {"name": PROJECT, "description": SEEDED["e-mail"]}
    records.region = DOMAIN
    site.clouds.write_text(
        site.clouds.read_text()
        .replace("username: practice", f'username: "{PERSON}"')
        .replace("project_name: practice", f'project_name: "{PROJECT}"')
        .replace("region_name: practice", f"region_name: {DOMAIN}")
    )
    user = {"name": PERSON, "password": PASSWORD, "domain": {"id": "default"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    scope = {"project": {"name": PROJECT, "domain": {"id": "default"}}}
    login = site.token(identity=identity, scope=scope)
    client = httpx.Client(base_url=site.url, headers={"X-Auth-Token": login.headers["X-Subject-Token"]}, timeout=60)

    def post(path: str, **body: object) -> dict:
        answer = client.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    post("/compute/v2.1/os-keypairs", keypair={"name": SEEDED["keypair"]})
    network = post("/network/v2.0/networks", network={"name": SEEDED["network"], "description": SEEDED["e-mail"]})
    subnet = {"network_id": network["network"]["id"], "ip_version": 4, "cidr": "203.0.113.0/24"}
    post("/network/v2.0/subnets", subnet=subnet | {"dns_nameservers": [SEEDED["address"]], "name": SEEDED["network"]})
    own = {"name": SEEDED["template of one's own"], "coe": "kubernetes", "image_id": "ubuntu-2204-kube-v1.34.4"}
    labels = {SEEDED["label's name"]: SEEDED["label"], "grafana_admin_passwd": SEEDED["a label's password"]}
    made = post(
        "/container-infra/v1/clustertemplates", **own, labels=labels, http_proxy=f"http://{SEEDED['address']}:8"
    )
    cluster = {"name": SEEDED["clusters"], "cluster_template_id": made["uuid"], "keypair": SEEDED["keypair"]}
    uuid = post("/container-infra/v1/clusters", **cluster)["uuid"]
    next(iter(records.templates.values()))["labels"] |= {"grafana_admin_passwd": SEEDED["a label's password"]}
    records.flavors.add({"id": "9", "name": SEEDED["flavor of few"], "vcpus": 1, "ram": 1, "disk": 1})
    image = dict(next(iter(records.images.values())), id="x", name=SEEDED["image of one's own"], visibility="private")
    records.images.add(image)
    ids = [uuid, made["uuid"], login.json()["token"]["project"]["id"], login.json()["token"]["user"]["id"]]
    places = [site.url.removeprefix("http://"), "127.0.0.1", site.ground.gateway, "8.8.8.8"]
    return [PERSON, PROJECT, DOMAIN, PASSWORD, *SEEDED.values(), *ids, *places, *records.tokens, *records.stacks]


def test_nothing_of_a_person_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"os-flavor-access:is_public": False}
    render = flavors.render_flavor
    monkeypatch.setattr(
        flavors, "render_flavor", lambda call, each: render(call, each) | (few if each["id"] == "9" else {})
    )
    with practice(tmp_path) as site:
        secrets = seed(site)
        path, told = recorded(site, tmp_path)
        secrets += site.store.tokens
    text = path.read_text()
    assert [secret for secret in secrets if secret in text] == []
    assert told["not_shown"] == []
    found = read_yaml(path)
    # What it was recorded for is there, and one still sees what refers to what.
    assert {"kubernetes-{kubernetes}", "kubernetes-{kubernetes}-capi"} == {each["name"] for each in found["templates"]}
    cluster, listed = found["answers"]["a cluster"]["body"], found["answers"]["clusters there are"]["body"]["clusters"]
    assert cluster["uuid"] == listed[0]["uuid"]
    assert cluster["uuid"] in cluster["links"][0]["href"]
    assert cluster["keypair"].startswith("<text-")
    assert cluster["status"].startswith("CREATE_")
    with pytest.raises(AssertionError, match="the file exists and is not overwritten"):
        recorded(site, tmp_path)


def test_what_cannot_be_recorded_is_said_in_a_line(
    first: tuple[Site, Path, dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, _, _ = first
    shell = shell_for(site, tmp_path)
    error = shell.zerojhub("practice", "record", "--cloud", "nowhere", code=2).stderr
    assert "no cloud named 'nowhere' in clouds.yaml" in error
    services = site.store.profile.services
    monkeypatch.setattr(site.store.profile, "services", [each for each in services if each.type != "container-infra"])
    error = shell.zerojhub("practice", "record", code=2).stderr
    assert "cloud practice has no Magnum in its catalog (only clouds with Magnum can be recorded)" in error
    for user in site.store.users:
        monkeypatch.setitem(site.store.passwords, user, "another")
    error = shell.zerojhub("practice", "record", code=2).stderr
    assert "Keystone refused the credentials of cloud practice" in error
    assert list(tmp_path.glob("*.yaml")) == []
