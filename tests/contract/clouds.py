"""A cloud as the tests see it: APIs at DevStack's paths, a user with a project, and clusters."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from tests import forked
from tests.contract.ground import InstantGround
from zerojhub.practice.cloud.store import Store
from zerojhub.practice.faults import HUB, Faults
from zerojhub.practice.machines.front import Front, listen

PASSWORD = "open sesame"
CLOUDS = """
clouds:
  practice:
    region_name: practice
    auth:
      auth_url: {url}/v3
      username: practice
      password: {password}
      project_name: practice
      user_domain_name: Default
      project_domain_name: Default
"""


def values(text: str) -> list:
    """The JSON values that an interactive session of the client printed with `-f json`."""
    decoder = json.JSONDecoder()
    found: list[tuple[Any, int]] = []
    for start in (at for at, letter in enumerate(text) if letter in "[{" and text[at - 1 : at] in ("", "\n")):
        if found and start < found[-1][1]:
            continue
        value, end = decoder.raw_decode(text, start)
        found.append((value, end))
    return [value for value, _ in found]


@dataclass
class Cloud:
    """A cloud as its clients see it. Tests that run on every cloud use nothing else.

    `roots` maps the first part of a path to the URL that serves that API; "" is the default.
    """

    roots: dict[str, str]
    clouds: Path

    def at(self, path: str) -> str:
        """The URL of a path such as "/container-infra/v1/clusters"."""
        prefix = next((prefix for prefix in self.roots if prefix and path.startswith(prefix)), "")
        return self.roots[prefix] + path.removeprefix(prefix)

    def token(self, **auth: object) -> httpx.Response:
        """Keystone's response to a password login, or to another `identity` and `scope`; None omits one of them."""
        user = {"name": "practice", "password": PASSWORD, "domain": {"id": "default"}}
        default = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "practice", "domain": {"id": "default"}}},
        }
        given = {name: value for name, value in {**default, **auth}.items() if value is not None}
        return httpx.post(self.at("/identity/v3/auth/tokens"), json={"auth": given}, timeout=60, verify=False)

    @property
    def heat(self) -> str:
        """The path of the project in Heat."""
        return f"/orchestration/v1/{self.token().json()['token']['project']['id']}"

    def client(self, path: str = "", **headers: str) -> httpx.Client:
        """An authenticated client for the API under the path."""
        # Without `verify=False` httpx loads certificates, which takes longer than most tests' requests.
        headers["X-Auth-Token"] = self.token().headers["X-Subject-Token"]
        return httpx.Client(base_url=self.at(path), headers=headers, timeout=60, verify=False)

    def administrator(self, path: str = "") -> httpx.Client:
        """A client of the administrator for the API under the path."""
        user = {"name": "admin", "password": self.admin_password, "domain": {"id": "default"}}
        identity = {"methods": ["password"], "password": {"user": user}}
        token = self.token(identity=identity, scope={"project": {"name": "service", "domain": {"id": "default"}}})
        headers = {"X-Auth-Token": token.headers["X-Subject-Token"], "Accept": "application/json"}
        return httpx.Client(base_url=self.at(path), headers=headers, timeout=60, verify=False)

    @property
    def admin_password(self) -> str:
        raise NotImplementedError

    def openstack(self, *commands: str) -> str:
        """The output of these `openstack` commands, run in one process."""
        printed, refused = self._openstack(commands)
        assert not refused, refused
        return printed

    def asked(self, *commands: str) -> list:
        """The JSON output of each command."""
        given = values(self.openstack(*(f"{command} -f json" for command in commands)))
        assert len(given) == len(commands)
        return given

    def refused(self, *commands: str) -> str:
        """The error output of an `openstack` command that fails."""
        printed, refused = self._openstack(commands)
        assert not printed.strip(), printed
        return refused

    def _openstack(self, commands: tuple[str, ...]) -> tuple[str, str]:
        environment = {
            "OS_CLIENT_CONFIG_FILE": str(self.clouds),
            "OS_CLOUD": "practice",
            "HOME": str(self.clouds.parent),
            "SHELL": "/bin/sh",
        }
        done = forked.run("openstack", folder=Path.cwd(), environment=environment, stdin="\n".join(commands))
        return done.stdout, done.stderr

    def hold(self) -> None:
        """Pause the progress of all clusters until `let_go`."""
        raise NotImplementedError

    def let_go(self) -> None:
        raise NotImplementedError


@dataclass
class Site(Cloud):
    """The running APIs of the practice cloud, their records, and the ground beneath them."""

    store: Store
    ground: InstantGround
    audit: Path
    faults: Faults

    @property
    def url(self) -> str:
        return self.roots[""]

    @property
    def admin_password(self) -> str:
        return PASSWORD

    def hold(self) -> None:
        self.ground.held |= {"boot", "halt", "upgrade"}

    def let_go(self) -> None:
        self.ground.held -= {"boot", "halt", "upgrade"}


def until(true: Callable[[], object], seconds: float = 60, pause: float = 0.02) -> None:
    """Wait for a condition, checking it after each pause."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(pause)


@contextlib.contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve the app on a loopback port, and yield its URL."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def fronted(url: str, faults: Faults) -> Iterator[str]:
    """A proxy in front of the server at the URL that injects the faults of the service `hub`; yields its URL."""
    port, socket, loop = int(url.rpartition(":")[2]), listen("127.0.0.1", 0), asyncio.new_event_loop()
    front = Front(HUB, faults, lambda _: asyncio.open_connection("127.0.0.1", port))
    loop.run_until_complete(front.listen(socket))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(front.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        loop.close()


def clouds_yaml(folder: Path, keystone: str) -> Path:
    """Write a clouds.yaml with the entry `practice` to the folder."""
    path = folder / "clouds.yaml"
    path.write_text(CLOUDS.format(url=keystone, password=PASSWORD))
    return path
