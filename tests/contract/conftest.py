"""The practice cloud's APIs, served on loopback over a ground whose machines are there at once."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from tests.contract.ground import InstantGround
from zerojhub.practice.apis import Settings, build
from zerojhub.practice.apis.cloud import Cloud

PASSWORD = "open sesame"
CLOUDS = """
clouds:
  practice:
    region_name: practice
    auth:
      auth_url: {url}/identity/v3
      username: practice
      password: {password}
      project_name: practice
      user_domain_name: Default
      project_domain_name: Default
"""


@dataclass
class Site:
    """The APIs as they run: where, with which records, and on which ground."""

    url: str
    cloud: Cloud
    ground: InstantGround
    audit: Path
    clouds: Path

    def token(self, **auth: object) -> httpx.Response:
        """Keystone's answer to a password, or to another `identity` and `scope`."""
        user = {"name": "practice", "password": PASSWORD, "domain": {"id": "default"}}
        default = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "practice", "domain": {"id": "default"}}},
        }
        return httpx.post(f"{self.url}/identity/v3/auth/tokens", json={"auth": {**default, **auth}}, timeout=10)

    def client(self, path: str = "", **headers: str) -> httpx.Client:
        """A client that has a token, for the API under the path."""
        headers["X-Auth-Token"] = self.token().headers["X-Subject-Token"]
        return httpx.Client(base_url=self.url + path, headers=headers, timeout=10)

    def openstack(self, *commands: str) -> str:
        """What the ordinary client prints for these commands, in one process: it takes three seconds to start."""
        done = subprocess.run(
            [Path(sys.executable).with_name("openstack")],
            input="\n".join(commands),
            env={"OS_CLIENT_CONFIG_FILE": str(self.clouds), "OS_CLOUD": "practice", "HOME": str(self.clouds.parent)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert not done.stderr, done.stderr
        return done.stdout


def until(true: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    ground = InstantGround(pause=0.1)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr("zerojhub.practice.apis.conductor.HEALTH_PERIOD", 0.2)
    app = build(ground, Settings(PASSWORD, folder / "audit.jsonl"))
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    (folder / "clouds.yaml").write_text(CLOUDS.format(url=url, password=PASSWORD))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    until(lambda: server.started)
    yield Site(url, app.state.cloud, ground, folder / "audit.jsonl", folder / "clouds.yaml")
    server.should_exit = True
    thread.join(10)
    monkeypatch.undo()


@pytest.fixture
def key(site: Site) -> Iterator[str]:
    """The name of a keypair that is there."""
    compute = site.client("/compute/v2.1")
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDy0PUwIrTeKyXH4wWYoc1IiJ/bFVqFTTwGfD0cGGZVq me@here"
    compute.post("/os-keypairs", json={"keypair": {"name": "mykey", "public_key": public}}).raise_for_status()
    yield "mykey"
    compute.delete("/os-keypairs/mykey").raise_for_status()


class Magnum:
    """Asks for clusters, and waits for them."""

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
    """Whatever a test leaves is deleted, and then nothing of any cluster may be left anywhere."""
    cloud = site.cloud
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
