"""A real JupyterHub on this machine, without Kubernetes and without a proxy: enough to log in to."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.waiting import until

CONFIG = '''\
import json
from pathlib import Path

from jupyterhub.proxy import Proxy


class NoProxy(Proxy):
    """Whoever asks the hub asks it directly."""

    should_start = False
    routes = {}

    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)

    async def get_all_routes(self):
        return self.routes


c = get_config()
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.default_url = "/hub/home"  # starts nothing
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = PORT
c.JupyterHub.bind_url = "http://localhost:PORT"
c.JupyterHub.services = [{"name": "zerojhub", "api_token": "TOKEN", "admin": True}]
values = json.loads(Path("values.json").read_text())
# As in the chart's own configuration.
for section, settings in values["hub"].get("config", {}).items():
    c[section].update(settings)
for code in values["hub"].get("extraConfig", {}).values():
    exec(code)
'''
TOKEN = "0123456789abcdef" * 4


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("localhost", 0))
        port: int = unused.getsockname()[1]
        return port


@contextlib.contextmanager
def running(folder: Path, port: int, values: dict) -> Iterator[str]:
    """The URL of a hub with these values of the chart, while it runs. `folder` gets its files."""
    (folder / "values.json").write_text(json.dumps(values))
    (folder / "config.py").write_text(CONFIG.replace("PORT", str(port)).replace("TOKEN", TOKEN))
    url = f"http://localhost:{port}"

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{url}/hub/health").status_code == 200
        return False

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", "config.py"],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ | {"CONFIGPROXY_AUTH_TOKEN": TOKEN},
        )
    try:
        until(answers, pause=0.2)
        yield url
    finally:
        process.terminate()
        process.wait(60)
