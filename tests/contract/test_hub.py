"""The tests' fake hub answers as real JupyterHubs do, whose servers are the hub itself and which need no proxy."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from tests.contract.real import installation
from tests.unit.fakehub import FakeHub
from tests.waiting import until
from zerojhub.hub.client import HubClient, HubError
from zerojhub.hub.users import UserRow, Users
from zerojhub.hub.values import SCOPES

ADMIN, LIMITED = "a" * 32, "b" * 32
"""The tokens of a service that is an administrator, and of one that only has scopes."""
CONFIG = """
import json
import os

from jupyterhub.proxy import Proxy
from jupyterhub.spawner import Spawner

port = int(os.environ["HUB_PORT"])


class NoProxy(Proxy):
    should_start = False

    async def add_route(self, routespec, target, data):
        pass

    async def delete_route(self, routespec):
        pass

    async def get_all_routes(self):
        return {}

    async def check_routes(self, *arguments):
        pass


class Instant(Spawner):
    running = False

    async def start(self):
        self.running = True
        return f"http://127.0.0.1:{port}"

    async def stop(self, now=False):
        self.running = False

    async def poll(self):
        return None if self.running else 0


c.JupyterHub.hub_port = port
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.spawner_class = Instant
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.allow_named_servers = True
c.JupyterHub.services = [
    {"name": "admin", "api_token": "a" * 32, "admin": True},
    {"name": "limited", "api_token": "b" * 32},
]
c.JupyterHub.load_roles = [{"name": "limited", "scopes": json.loads(os.environ["HUB_SCOPES"]), "services": ["limited"]}]
"""


@contextmanager
def running(program: Path, folder: Path) -> Iterator[str]:
    """The URL of the JupyterHub of that Python, in the folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "jupyterhub_config.py").write_text(CONFIG)
    environment = os.environ | {"HUB_PORT": str(port), "HUB_SCOPES": json.dumps(SCOPES)}
    with (folder / "log").open("w") as log:
        command: list[str | Path] = [program, "-m", "jupyterhub", "-f", "jupyterhub_config.py"]
        hub = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
    url = f"http://127.0.0.1:{port}"

    def responds() -> bool:
        assert hub.poll() is None, (folder / "log").read_text()
        try:
            return httpx.get(f"{url}/hub/health").status_code == 200
        except httpx.ConnectError:
            return False

    try:
        until(responds)
        yield url
    finally:
        hub.terminate()
        hub.wait(20)


@pytest.fixture(scope="module")
def jupyterhub_5(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Path(sys.executable), tmp_path_factory.mktemp("hub")) as url:
        yield url


@pytest.fixture(scope="module")
def jupyterhub_6(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(installation.jupyterhub() / "bin" / "python", tmp_path_factory.mktemp("hub")) as url:
        assert httpx.get(f"{url}/hub/api/").json()["version"].startswith("6.")
        yield url


@pytest.fixture(params=["fake", "jupyterhub_5", "jupyterhub_6"])
def url(request, monkeypatch) -> str:
    """Each hub in turn; the fake one has a service that is no administrator if its token says so."""
    if request.param != "fake":
        return request.getfixturevalue(request.param)
    hub = FakeHub.install(monkeypatch)
    hub.admin_token = ADMIN
    return "http://hub"


def do(url: str, method: str, *words, token: str = ADMIN) -> list[tuple[str, str]]:
    async def run() -> list[UserRow]:
        async with HubClient(url, token) as client:
            rows: list[UserRow] = await getattr(await Users.of(client, lambda text: None), method)(*words)
            return rows

    return [(row.name, row.outcome) for row in anyio.run(run)]


def ask(url: str, method: str, *words, token: str = ADMIN):
    async def run():
        async with HubClient(url, token) as client:
            return await getattr(client, method)(*words)

    return anyio.run(run)


def test_users_are_added_once_in_lower_case(url):
    assert do(url, "add", ["Eve", "eve@x.edu"]) == [("eve", "added"), ("eve@x.edu", "added")]
    assert do(url, "add", ["EVE", "eve@x.edu"]) == [("eve", "already a user"), ("eve@x.edu", "already a user")]
    assert ask(url, "user", "eve@x.edu").name == "eve@x.edu"
    with pytest.raises(HubError, match="400: Invalid username: e/f"):
        ask(url, "add_user", "e/f")


def test_only_an_administrator_makes_administrators(url):
    do(url, "add", ["fay"])
    with pytest.raises(HubError, match="403: Only admins can grant admin permissions") as caught:
        ask(url, "set_admin", "fay", True, token=LIMITED)
    assert caught.value.status == 403
    assert do(url, "set_admin", ["fay"], True) == [("fay", "now an administrator")]
    assert ask(url, "user", "fay").admin is True
    assert do(url, "set_admin", ["fay"], False) == [("fay", "now a user")]


@pytest.mark.parametrize("token", [ADMIN, LIMITED])
def test_servers_start_and_stop(url, token):
    do(url, "add", ["gus", "hal"])
    assert do(url, "start", ["gus"], token=token) == [("gus", "started")]
    assert do(url, "start", ["gus"], token=token) == [("gus", "already running")]
    ask(url, "start_server", "gus", token=token)
    assert list(ask(url, "user", "gus").servers) == [""]
    assert do(url, "stop", ["gus", "hal"], token=token) == [("gus", "stopped"), ("hal", "not running")]
    assert ask(url, "user", "gus").servers == {}
    ask(url, "stop_server", "gus", token=token)


@pytest.mark.parametrize("token", [ADMIN, LIMITED])
def test_a_user_is_deleted_with_a_running_server(url, token):
    do(url, "add", ["ivy"])
    do(url, "start", ["ivy"])
    ask(url, "delete_user", "ivy", token=token)
    assert ask(url, "user", "ivy") is None
    ask(url, "delete_user", "ivy", token=token)
