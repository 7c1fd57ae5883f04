"""Users' files, accounts and logins outlive their cluster: `down` on one road, `up` on the other. Each test continues where
the one before ended."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest

from tests.conftest import GIVEN_CHARTS, Shell
from tests.waiting import until
from zerojhub.hub.client import HubClient
from zerojhub.hub.kernel import run_cell

PEOPLE = ["ada", "ada-b", "grace@example.org", "1st", "zoë.lovelace", *(f"user-{n}" for n in range(15))]
PEOPLE = PEOPLE[: int(os.environ.get("ZEROJHUB_TEST_PEOPLE", "5"))]
"""Names that KubeSpawner's versions write in different ways."""
FILE = """
name: keep
cloud: practice
cluster: {{template: {template}, workers: 1}}
hub: {{chart: {chart}, values: values.yaml}}
"""
ROADS = {"ssh": "kubernetes-v1.34.4", "api": "kubernetes-v1.34.4-capi"}
VALUES = """
hub:
  allowNamedServers: true
  config:
    JupyterHub: {authenticator_class: dummy}
    DummyAuthenticator: {password: practice}
    Authenticator: {allow_all: true, admin_users: [ada]}
singleuser:
  memory: {guarantee: 64M, limit: 1G}
  cpu: {guarantee: 0.01}
  storage: {capacity: 1Gi}
scheduling: {userScheduler: {enabled: false}}
prePuller: {hook: {enabled: false}, continuous: {enabled: false}}
"""
WRITE = """
import os, pathlib
home = pathlib.Path.home(); top = home / "work ünï 漢"; top.mkdir(exist_ok=True)
(top / "empty").touch()
(top / "notes.txt").write_text("of {user} in {server}\\n" * 1000)
os.path.exists(top / "linked") or os.link(top / "notes.txt", top / "linked")
os.path.lexists(top / "pointer") or os.symlink("notes.txt", top / "pointer")
with open(top / "sparse", "wb") as sparse:
    sparse.seek(50 << 20); sparse.write(b"end")
if "{user}" == "ada":
    with open(top / "big", "wb") as big:
        for n in range(200):
            big.write(os.urandom(1 << 20))
os.chmod(top / "notes.txt", 0o640); os.utime(top / "notes.txt", (1e9, 1e9)); os.sync()
"""
READ = """
import hashlib, os, pathlib
top = pathlib.Path.home() / "work ünï 漢"
if top.exists():
    for path in sorted(top.iterdir()):
        about = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(path.name, oct(about.st_mode), about.st_nlink, about.st_size, int(about.st_mtime), about.st_uid, digest)
    print("blocks", (top / "sparse").stat().st_blocks < 10000)
"""


class Hub:
    """The running hub as its users see it."""

    def __init__(self, cloud: Shell, url: str) -> None:
        self.url = url.rstrip("/")
        state = Path(cloud.environment["XDG_STATE_HOME"]) / "zerojhub" / "deployments" / "practice--keep"
        found = re.search(r"api_token: (\w+)", (state / "secrets.yaml").read_text())
        assert found
        self.token = found[1]

    def with_client(self, work: Callable[[HubClient], Awaitable[Any]], token: str | None = None, path: str = "") -> Any:
        async def start() -> Any:
            async with HubClient(self.url + path, token or self.token) as client:
                return await work(client)

        return anyio.run(start)

    def ask(self, method: str, path: str, *, token: str | None = None, body: Any = None, check: bool = True) -> Any:
        async def work(client: HubClient) -> Any:
            return await client.request(method, f"/hub/api{path}", body=body, timeout=60, check=check)

        return self.with_client(work, token)

    def run(self, user: str, server: str, code: str) -> str:
        """Start the user's server, run a cell in it and stop it."""
        own = f"/users/{quote(user)}/servers/{server}" if server else f"/users/{quote(user)}/server"
        self.ask("POST", own)
        there = until(lambda: self.ask("GET", f"/users/{quote(user)}").json()["servers"].get(server, {}).get("ready"))
        assert there
        token = self.ask("POST", f"/users/{quote(user)}/tokens", body={"expires_in": 600}).json()["token"]
        url = self.ask("GET", f"/users/{quote(user)}").json()["servers"][server]["url"].rstrip("/")
        printed = self.with_client(lambda client: run_cell(client, code), token, url)
        self.ask("DELETE", own, check=False)
        until(lambda: not self.ask("GET", f"/users/{quote(user)}").json()["servers"].get(server, {}).get("ready"))
        return str(printed)


def write(hub: Hub, people: Sequence[str], servers: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Create the users and write files on each of their servers: the files by server, and a token of ada's."""
    for user in people:
        hub.ask("POST", f"/users/{quote(user)}", check=False)  # an administrator is there already
    token = hub.ask("POST", "/users/ada/tokens", body={"note": "of mine"}).json()["token"]
    trees = {}
    for user, server in servers:
        hub.run(user, server, WRITE.replace("{user}", user).replace("{server}", server))
        trees[user, server] = hub.run(user, server, READ)
        assert "notes.txt" in trees[user, server]
    return {"trees": trees, "token": token}


def has_files(hub: Hub, made: dict[str, Any], servers: Sequence[tuple[str, str]]) -> None:
    """The users have the files that `write` made."""
    for user, server in servers:
        assert hub.run(user, server, READ) == made["trees"][user, server], user


def has_accounts(hub: Hub, made: dict[str, Any], people: Sequence[str]) -> None:
    """The hub knows these users and no others, ada is its administrator, and her token is valid."""
    assert hub.ask("GET", "/user", token=made["token"]).json()["name"] == "ada"
    users = {user["name"]: user["admin"] for user in hub.ask("GET", "/users").json()}
    assert users == {user: user == "ada" for user in people}


SERVERS = [*((user, "") for user in PEOPLE), ("ada", "lab")]


@pytest.fixture(scope="module", params=[tuple(GIVEN_CHARTS[:2])] if len(GIVEN_CHARTS) > 1 else [])
def charts(request) -> tuple[str, str]:
    """The charts before and after, of which the environment names archives; test_data_acceptance.py has our own."""
    return request.param


@pytest.fixture(scope="module")
def files(cloud: Shell, charts: tuple[str, str]) -> dict[str, str]:
    """The deployment on each road."""
    (cloud.folder / "values.yaml").write_text(VALUES)
    for (road, template), chart in zip(ROADS.items(), charts, strict=True):
        (cloud.folder / f"{road}.yaml").write_text(FILE.format(template=template, chart=chart))
    return {road: f"{road}.yaml" for road in ROADS}


@pytest.fixture(scope="module")
def written(cloud: Shell, files: dict[str, str]) -> dict[str, Any]:
    """What everybody has on the first cluster, before it is deleted: files by server, and a token of ada's."""
    hub = Hub(cloud, cloud.json("up", "-f", files["ssh"])["url"])
    return write(hub, PEOPLE, SERVERS)


@pytest.fixture(scope="module")
def kept(cloud: Shell, files: dict[str, str], written: dict[str, Any]) -> list[dict[str, Any]]:
    return cloud.json("down", "-f", files["ssh"], "--yes")["kept"]


def test_down_keeps_everybodys_volume_and_the_hubs(cloud, kept):
    assert sorted(volume["owner"] for volume in kept) == sorted([*PEOPLE, "ada (server lab)", "hub-db-dir"])
    assert cloud.json("cluster", "list") == []
    assert cloud.volumes() == ["available"] * len(kept)
    shown = json.loads(cloud.openstack("volume", "show", kept[0]["id"], "-f", "json"))["properties"]
    assert shown["janitor.capi.azimuth-cloud.com/keep"] == "true"


def test_a_plan_says_who_gets_what_back(cloud, files, kept):
    plan = {stage["name"]: stage["detail"] for stage in cloud.json("plan", "-f", files["api"], code=3)["stages"]}
    assert all(f"{volume['owner']} {volume['size_gb']} GB" in plan["kept"] for volume in kept)


@pytest.fixture(scope="module")
def hub(cloud: Shell, files: dict[str, str], kept: list[dict[str, Any]]) -> Hub:
    """The hub on the other road's cluster."""
    return Hub(cloud, cloud.json("up", "-f", files["api"])["url"])


def test_everybody_has_their_files_back(cloud, kept, written, hub):
    has_files(hub, written, SERVERS)
    assert sorted(volume["ID"] for volume in json.loads(cloud.openstack("volume", "list", "-f", "json"))) == sorted(
        volume["id"] for volume in kept
    )


def test_accounts_tokens_and_administrators_are_as_they_were(hub, written):
    has_accounts(hub, written, PEOPLE)


def test_up_again_writes_nothing(cloud, files, hub):
    until(lambda: sorted(cloud.volumes()) == [*["available"] * len(SERVERS), "in-use"])  # the hub's
    before = len(cloud.audit())
    assert cloud.json("up", "-f", files["api"])["ready"] is True
    assert cloud.writes(before) == []


def test_delete_data_lists_what_it_deletes(cloud, files, kept, hub):
    refused = cloud.zerojhub("down", "-f", files["api"], "--delete-data", code=2).stderr
    assert all(volume["id"] in refused for volume in kept)
    assert f"ALL USERS' DATA ({len(kept)} volumes, {len(kept)} GB)" in refused
    cloud.zerojhub("down", "-f", files["api"], "--yes", "--delete-data")
    assert cloud.volumes() == []
