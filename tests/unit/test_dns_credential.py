"""The application credential with which the hub creates the records of challenges: no more rights than that takes."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from tests.unit.fakecloud import Answer, FakeCloud, Request
from tests.unit.kubernetes import Cluster
from zerojhub.deployment import load
from zerojhub.hub.https import CREDENTIAL
from zerojhub.run import Run, Silent
from zerojhub.stage import Found, Missing, Teardown
from zerojhub.stages.access import Access
from zerojhub.stages.kept_certificate import KeptCertificate

PATH = "/identity/v3/users/u1/application_credentials"
NAME = "zerojhub-class-dns"
pytestmark = pytest.mark.usefixtures("short_pauses")


class Keystone:
    """A cloud with application credentials, and a Designate that knows access rules or refuses everybody who has any."""

    def __init__(self, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud, self.canned = cloud, cloud.handle
        self.credentials: dict[str, dict[str, Any]] = {}
        self.count, self.knows_rules = 0, True
        cloud.catalog |= {"dns": "/dns", "identity": "/identity"}
        cloud.answer("GET /dns/v2/zones", Answer(200, {"zones": [zone()], "links": {}}))
        monkeypatch.setattr(cloud, "handle", self.handle)

    def handle(self, request: Request) -> Answer:
        if request.path == "/identity/v3/auth/tokens" and request.body["auth"]["identity"]["methods"] != ["password"]:
            return self.log_in(request.body["auth"]["identity"]["application_credential"])
        if request.path.startswith(PATH):
            return self.manage(request)
        held = self.credentials.get(request.headers.get("x-auth-token", "").removeprefix("token of "))
        if request.path.startswith("/dns") and held and held.get("access_rules") and not self.knows_rules:
            return Answer(401, {"error": {"message": "The request you have made requires authentication."}})
        return self.canned(request)

    def log_in(self, given: dict[str, str]) -> Answer:
        held = self.credentials.get(given["id"])
        if held is None or held["secret"] != given["secret"]:
            return Answer(
                401, {"error": {"code": 401, "message": "The request you have made requires authentication."}}
            )
        password = {"auth": {"identity": {"password": {"user": {"password": "secret"}}}}}
        issued = self.canned(Request("POST", "/identity/v3/auth/tokens", {}, {}, password))
        return Answer(201, issued.body, {"X-Subject-Token": f"token of {given['id']}"})

    def manage(self, request: Request) -> Answer:
        match request.method:
            case "POST":
                self.count += 1
                ident, secret = f"c{self.count}", f"secret number {self.count}"
                made = {"id": ident, "expires_at": None, "secret": secret, **request.body["application_credential"]}
                self.credentials[ident] = made
                return Answer(201, {"application_credential": made})
            case "GET":
                shown = [{key: each[key] for key in ("id", "name", "expires_at")} for each in self.credentials.values()]
                return Answer(200, {"application_credentials": shown, "links": {"next": None}})
            case _:
                del self.credentials[request.path.rpartition("/")[2]]
                return Answer(204)


def zone() -> dict[str, Any]:
    return {"id": "z1", "name": "example.org.", "status": "ACTIVE"}


class Kube(Cluster):
    async def apply(self, manifest: dict[str, Any]) -> None:
        await super().apply(manifest)
        self.objects.setdefault(manifest["kind"], []).append(manifest)


@pytest.fixture
def keystone(fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Keystone:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Keystone(fake_cloud, monkeypatch)


def at_work(kube: Cluster, host: str = "hub.example.org", **https: str) -> Run:
    hub = {"host": host, "https": {"contact": "me@example.org", "challenge": "dns", **https}}
    document = {"name": "class", "cloud": "fake", "cluster": {"template": "t"}, "hub": hub}
    Path("hub.yaml").write_text(json.dumps(document))
    notes: list[str] = []
    run = Run(load(Path("hub.yaml")), Silent(notes.append))
    reach: Any = SimpleNamespace(kube=kube, notes=notes)
    run[Access] = reach
    return run


def up(run: Run) -> Any:
    async def work() -> Any:
        with run.step("kept-certificate"):
            state = await KeptCertificate().look(run)
            if not isinstance(state, Found):
                await KeptCertificate().do(run, state)
                run.forget_answers()
                state = await KeptCertificate().look(run)
        return state

    return anyio.run(work)


def held(kube: Cluster) -> dict[str, str]:
    (secret,) = [each for each in kube.objects["Secret"] if each["metadata"]["name"] == CREDENTIAL]
    return {key: b64decode(value).decode() for key, value in secret["data"].items()}


def test_a_credential_for_records_alone_is_created_once_and_deleted_by_down(keystone):
    kube = Kube()
    assert isinstance(up(at_work(kube)), Found)
    (made,) = keystone.credentials.values()
    assert (made["name"], made["description"], made["unrestricted"]) == (NAME, "zerojhub:class", False)
    assert {each["service"] for each in made["access_rules"]} == {"dns"}
    rules = {(each["method"], each["path"]) for each in made["access_rules"]}
    assert ("POST", "/v2/zones/*/recordsets") in rules
    assert ("POST", "/dns/v2/zones/*/recordsets") in rules, "Designate may be below another path"
    assert not {rule for rule in rules if rule[0] != "GET" and "recordsets" not in rule[1]}, "no zone can be changed"
    assert held(kube) == {"id": "c1", "secret": "secret number 1"}
    up(at_work(kube))
    assert list(keystone.credentials) == ["c1"]
    keystone.credentials["theirs"] = {"id": "theirs", "name": "else", "expires_at": None}
    run = at_work(kube)
    anyio.run(KeptCertificate().undo, run, Teardown())
    assert list(keystone.credentials) == ["theirs"]
    assert CREDENTIAL in kube.deleted


def test_a_cloud_whose_designate_knows_no_access_rules_gets_a_credential_without_and_says_so(keystone):
    keystone.knows_rules = False
    run = at_work(kube := Kube())
    up(run)
    (made,) = keystone.credentials.values()
    assert "access_rules" not in made
    assert held(kube)["id"] == made["id"] == "c2"
    reach: Any = run[Access]
    assert any("does not know access rules" in each for each in reach.notes)


def test_a_credential_that_keystone_no_longer_accepts_is_replaced(keystone):
    up(at_work(kube := Kube()))
    keystone.credentials.clear()
    state = anyio.run(KeptCertificate().look, at_work(kube))
    assert isinstance(state, Missing)
    kube.objects["Secret"] = []
    assert isinstance(up(at_work(kube)), Found)
    assert held(kube)["id"] == "c2"


def test_the_credential_of_a_file_is_used_as_it_is(keystone):
    keystone.credentials["mine"] = {"id": "mine", "name": "mine", "secret": "given", "expires_at": None}
    (file := Path("dns.env")).write_text(
        "OS_APPLICATION_CREDENTIAL_ID=mine\nOS_APPLICATION_CREDENTIAL_SECRET='given'\n"
    )
    file.chmod(0o600)
    run = at_work(kube := Kube(), credentials_file="dns.env")
    assert anyio.run(KeptCertificate().check, run) == []
    assert isinstance(up(run), Found)
    assert held(kube) == {"id": "mine", "secret": "given"}
    assert list(keystone.credentials) == ["mine"]


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("OS_APPLICATION_CREDENTIAL_ID=a\n", 0o600, "dns.env: lacks OS_APPLICATION_CREDENTIAL_SECRET"),
        ("OS_APPLICATION_CREDENTIAL_ID=a\n", 0o644, "dns.env: others may read it (chmod 600 dns.env)"),
        ("nothing\n", 0o600, "dns.env:1: is not of the form NAME=VALUE"),
        ("AWS_KEY=a\n", 0o600, "dns.env:1: AWS_KEY is no variable for an application credential (OS_…)"),
    ],
)
def test_a_file_without_a_credential_is_refused(keystone, text, mode, said):
    (file := Path("dns.env")).write_text(text)
    file.chmod(mode)
    (problem,) = anyio.run(KeptCertificate().check, at_work(Kube(), credentials_file="dns.env"))
    assert str(problem).endswith(said)


def test_a_login_that_may_not_create_credentials_is_known_in_advance(keystone):
    keystone.cloud.in_token = {"application_credential": {"id": "own", "name": "own", "restricted": True}}
    (problem,) = anyio.run(KeptCertificate().check, at_work(Kube()))
    assert str(problem).startswith(
        "hub.yaml:1: https.challenge: dns needs another application credential, and yours may"
    )


def test_a_name_without_a_zone_cannot_be_proven_by_a_record(keystone):
    (problem,) = anyio.run(KeptCertificate().check, at_work(Kube(), host="hub.else.org"))
    assert str(problem) == (
        "hub.yaml:1: https.challenge: dns needs a zone of this project for hub.else.org, and there is none "
        "(see: openstack zone list)"
    )
