"""What a cloud is to the tests: APIs at the paths that DevStack gives them, a user with a project, and clusters."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from starlette.types import ASGIApp

from tests.contract.ground import InstantGround
from zerojhub.practice.cloud.store import Store
from zerojhub.practice.daemon import listen

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
    """The JSON values that a session of the client with `-f json` printed, one after the other."""
    decoder, found = json.JSONDecoder(), []
    for start in (at for at, letter in enumerate(text) if letter in "[{" and text[at - 1 : at] in ("", "\n")):
        if found and start < found[-1][1]:
            continue
        value, end = decoder.raw_decode(text, start)
        found.append((value, end))
    return [value for value, _ in found]


@dataclass
class Cloud:
    """A cloud as its clients see it, and nothing of what is inside: what is tested on every cloud uses only this.

    `roots` says where each API is served, by the first part of its paths; "" stands for all that are not named.
    """

    roots: dict[str, str]
    clouds: Path

    def at(self, path: str) -> str:
        """The URL of a path, as "/container-infra/v1/clusters"."""
        prefix = next((prefix for prefix in self.roots if prefix and path.startswith(prefix)), "")
        return self.roots[prefix] + path.removeprefix(prefix)

    def token(self, **auth: object) -> httpx.Response:
        """Keystone's answer to a password, or to another `identity` and `scope`; None leaves one of them out."""
        user = {"name": "practice", "password": PASSWORD, "domain": {"id": "default"}}
        default = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "practice", "domain": {"id": "default"}}},
        }
        given = {name: value for name, value in {**default, **auth}.items() if value is not None}
        return httpx.post(self.at("/identity/v3/auth/tokens"), json={"auth": given}, timeout=60)

    @property
    def heat(self) -> str:
        """The path of the project's stacks and what else Heat has."""
        return f"/orchestration/v1/{self.token().json()['token']['project']['id']}"

    def client(self, path: str = "", **headers: str) -> httpx.Client:
        """A client that has a token, for the API under the path."""
        headers["X-Auth-Token"] = self.token().headers["X-Subject-Token"]
        return httpx.Client(base_url=self.at(path), headers=headers, timeout=60)

    def openstack(self, *commands: str) -> str:
        """What the ordinary client prints for these commands, in one process: it takes three seconds to start."""
        printed, refused = self._openstack(commands)
        assert not refused, refused
        return printed

    def asked(self, *commands: str) -> list:
        """What each of the commands answers, as JSON."""
        given = values(self.openstack(*(f"{command} -f json" for command in commands)))
        assert len(given) == len(commands)
        return given

    def refused(self, *commands: str) -> str:
        """What the ordinary client complains of, where it has nothing to print."""
        printed, refused = self._openstack(commands)
        assert not printed.strip(), printed
        return refused

    def _openstack(self, commands: tuple[str, ...]) -> tuple[str, str]:
        done = subprocess.run(
            [Path(sys.executable).with_name("openstack")],
            input="\n".join(commands),
            env={
                "OS_CLIENT_CONFIG_FILE": str(self.clouds),
                "OS_CLOUD": "practice",
                "HOME": str(self.clouds.parent),
                "SHELL": "/bin/sh",
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.stdout, done.stderr

    def hold(self) -> None:
        """No cluster gets on with what it is doing, until it is let go."""
        raise NotImplementedError

    def let_go(self) -> None:
        raise NotImplementedError


@dataclass
class Site(Cloud):
    """The practice cloud's APIs as they run, with its records, and the ground they are on."""

    store: Store
    ground: InstantGround
    audit: Path

    @property
    def url(self) -> str:
        return self.roots[""]

    def hold(self) -> None:
        self.ground.held |= {"boot", "halt", "upgrade"}

    def let_go(self) -> None:
        self.ground.held -= {"boot", "halt", "upgrade"}


def until(true: Callable[[], object], seconds: float = 60, pause: float = 0.02) -> None:
    """Wait for something to become true, and look again after each pause."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(pause)


@contextlib.contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The app on a port of loopback, and its URL."""
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


def clouds_yaml(folder: Path, keystone: str) -> Path:
    """A clouds.yaml in the folder, with the entry `practice`."""
    path = folder / "clouds.yaml"
    path.write_text(CLOUDS.format(url=keystone, password=PASSWORD))
    return path
