"""The clouds to test: the practice cloud's APIs on fake machines that boot instantly, and real services."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from tests.command import Ended, run
from tests.contract.clouds import PASSWORD, Cloud, Site, clouds_yaml, served, until
from tests.contract.ground import InstantGround
from tests.contract.real.cloud import Real, real_cloud
from tests.contract.real.orchestration import real_orchestration
from zerojhub.practice import build, profile
from zerojhub.practice.cloud.app import build_app
from zerojhub.practice.cloud.settings import Settings
from zerojhub.practice.cloud.snapshot import Snapshot
from zerojhub.practice.objectstore import ObjectStore

RESTIC = build.cache() / "programs" / "restic"


@contextlib.contextmanager
def practice(
    folder: Path,
    manners: str | Path = profile.DEFAULT,
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    kept: Snapshot | None = None,
) -> Iterator[Site]:
    """The practice cloud's APIs, with a profile's behaviour, and with what is put `around` them; as it was if it was `kept`."""
    ground = InstantGround(pause=0.1)
    if kept:
        ground.resume(kept.ground)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("zerojhub.practice.cloud.conductor.HEALTH_PERIOD", 0.2)
        settings = Settings(PASSWORD, folder / "audit.jsonl", profile=profile.load(manners))
        app = build_app(ground, settings, kept.store if kept else None)
        with served(around(app)) as url:
            ground.url = url
            clouds = clouds_yaml(folder, f"{url}/identity")
            yield Site({"": url}, clouds, app.state.store, ground, folder / "audit.jsonl", app.state.faults)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with practice(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The practice cloud's APIs with an object store."""
    folder = tmp_path_factory.mktemp("site")
    with practice(folder) as site:
        site.ground.swift = ObjectStore(folder / "object-store", build.built().swift)
        yield site


@pytest.fixture(scope="module")
def access_key(object_store: Site) -> dict[str, str]:
    """An EC2 credential of the user."""
    token = object_store.token().json()["token"]
    client = object_store.client(f"/identity/v3/users/{token['user']['id']}")
    made = client.post("/credentials/OS-EC2", json={"tenant_id": token["project"]["id"]})
    assert made.status_code == 201
    return made.json()["credential"]


@pytest.fixture(scope="package")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """A real Keystone and a real Magnum, started once and stopped before the tests that need the whole machine."""
    with real_cloud(tmp_path_factory.mktemp("real")) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def real_heat(real: Real) -> Iterator[Cloud]:
    """The real cloud with a real Heat."""
    with real_orchestration(real) as cloud:
        yield cloud


@pytest.fixture(scope="module", params=["practice", pytest.param("real", marks=pytest.mark.agreement)])
def either(request: pytest.FixtureRequest) -> Cloud:
    """Each cloud in turn: whatever is true of the practice cloud must be true of a real one."""
    return request.getfixturevalue({"practice": "site", "real": "real"}[request.param])


@dataclass
class Program:
    """Runs zerojhub in this process, with the cloud as its own and `folder` as the working directory."""

    folder: Path

    def zerojhub(self, *words: str | Path, code: int = 0) -> Ended:
        with contextlib.chdir(self.folder):
            return run(*map(str, words), code=code)

    def json(self, *words: str | Path) -> Any:
        return json.loads(self.zerojhub(*words, "-o", "json").stdout)


@contextlib.contextmanager
def program_in(folder: Path, site: Site) -> Iterator[Program]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(site.clouds))
        monkeypatch.setenv("OS_CLOUD", "practice")
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        yield Program(folder)


@pytest.fixture
def program(site: Site, tmp_path: Path) -> Iterator[Program]:
    with program_in(tmp_path, site) as program:
        yield program


@pytest.fixture
def key(site: Site) -> Iterator[str]:
    """The name of an existing keypair."""
    compute = site.client("/compute/v2.1")
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDy0PUwIrTeKyXH4wWYoc1IiJ/bFVqFTTwGfD0cGGZVq me@here"
    compute.post("/os-keypairs", json={"keypair": {"name": "mykey", "public_key": public}}).raise_for_status()
    yield "mykey"
    compute.delete("/os-keypairs/mykey").raise_for_status()


class Magnum:
    """Creates clusters and waits for them."""

    def __init__(self, site: Site):
        self.site = site
        self.client = site.client("/container-infra/v1", **{"OpenStack-API-Version": "container-infra latest"})

    def create(self, name: str = "hub", **fields: object) -> str:
        body = {"name": name, "cluster_template_id": "kubernetes-v1.34.4", "node_count": 2, "keypair": "mykey"}
        answer = self.client.post("/clusters", json={**body, "merge_labels": True, **fields})
        assert answer.status_code == 202, answer.text
        return answer.json()["uuid"]

    def show(self, uuid: str) -> dict:
        return self.client.get(f"/clusters/{uuid}").json()

    def settled(self, uuid: str) -> dict:
        until(lambda: "PROGRESS" not in self.show(uuid)["status"])
        return self.show(uuid)

    def resize(self, uuid: str, **body: object) -> dict:
        answer = self.client.post(f"/clusters/{uuid}/actions/resize", json=body)
        assert answer.status_code == 202, answer.text
        return self.settled(uuid)

    def delete(self, uuid: str) -> None:
        assert self.client.delete(f"/clusters/{uuid}").status_code == 204
        until(lambda: self.client.get(f"/clusters/{uuid}").status_code == 404)


@pytest.fixture
def magnum(site: Site, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Magnum]:
    """Magnum's API. Afterwards its clusters are deleted, and no trace of them may remain."""
    cloud = site.store
    monkeypatch.setattr(site.ground, "pause", 0.1)
    tables = {name: table for name, table in vars(cloud).items() if isinstance(table, dict) and name != "tokens"}
    before = {name: set(table) for name, table in tables.items()}
    magnum = Magnum(site)
    yield magnum
    for cluster in magnum.client.get("/clusters").json()["clusters"]:
        magnum.delete(cluster["uuid"])
    assert {name: set(table) for name, table in tables.items()} == before
    assert not site.ground.machines
    assert not site.ground.clusters
    assert not site.ground.routes
    assert not site.ground.balanced
