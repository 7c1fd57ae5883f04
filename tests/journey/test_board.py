"""Looking at a deployment: the live view of `status --watch`, and the map of `show --svg` in a browser."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path

import anyio
import pytest
from selenium.webdriver.common.by import By

from tests.browser.browser import browser
from tests.conftest import PROGRAM, ROOT, Shell
from zerojhub.hub.client import HubClient
from zerojhub.yamlfile import read_yaml

FILE = ROOT / "config" / "practice.yaml"
SECONDS = 60
COLOR = re.compile(r"\x1b\[[0-9;]*m")
CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Watch:
    """`zerojhub status --watch` and its output so far, in a terminal of this size or in a pipe."""

    def __init__(self, cloud: Shell, *words: str, terminal: bool):
        self._read, write = pty.openpty() if terminal else os.pipe()
        if terminal:
            fcntl.ioctl(write, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 160, 0, 0))
        self._process = subprocess.Popen(
            [PROGRAM, "status", "--watch", "-f", FILE, *words],
            env=cloud.environment | {"TERM": "xterm-256color"},
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=subprocess.PIPE,
        )
        os.close(write)
        self.written = ""
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        with contextlib.suppress(OSError):  # a terminal's other end is gone
            while data := os.read(self._read, 65536):
                self.written += data.decode(errors="replace")

    def until(self, *words: str, since: int = 0) -> str:
        """The output from offset `since`, once it contains all the words."""
        deadline = time.monotonic() + SECONDS
        while not all(word in self.written[since:] for word in words):
            assert time.monotonic() < deadline, f"no {words} in: {CODE.sub('', self.written[since:])[-3000:]}"
            assert self._process.poll() is None, (
                f"it ended: {self._process.stderr and self._process.stderr.read().decode()}"
            )
            time.sleep(0.1)
        return self.written[since:]

    def interrupt(self) -> int:
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(20)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()


@pytest.fixture(scope="module")
def url(cloud: Shell) -> str:
    """The running hub of config/practice.yaml, with a server for ada."""
    url = cloud.json("up", "-f", FILE)["url"]
    start(cloud, url, "ada")
    return url


def start(cloud: Shell, url: str, user: str) -> None:
    state = Path(cloud.environment["XDG_STATE_HOME"]) / "zerojhub" / "deployments" / "practice--practice"
    token = read_yaml(state / "secrets.yaml")["api_token"]

    async def work() -> None:
        async with HubClient(url, token) as hub:
            await hub.create_user(user)
            await hub.start_server(user)
            async for _ in hub.progress(user, timeout=120):
                pass

    anyio.run(work)


def master(cloud: Shell, *command: str) -> str:
    return cloud.zerojhub("cluster", "ssh", "practice", "-q", "--", "sudo", "kubectl", *command).stdout


def test_before_there_is_anything(cloud):
    assert "the cluster does not exist yet (zerojhub up)" in cloud.zerojhub("show", "-f", FILE, code=1).stderr
    with Watch(cloud, terminal=True) as watch:
        watch.until("no cluster yet", "keypair", "missing")
        assert watch.interrupt() == 130


@pytest.mark.parametrize("profile", ["minimal", "classroom", "autoscaled"])
def test_a_profile_needs_no_more_than_its_cloud_and_template(cloud, tmp_path, profile):
    path = tmp_path / "hub.yaml"
    cloud.zerojhub("init", profile, "-f", path)
    text = path.read_text().replace("mycloud", "practice").replace("kubernetes-1-33-jammy", "kubernetes-v1.34.4")
    # The other chart comes from the internet.
    path.write_text(text.replace("hub:\n", "hub:\n  chart: embedded\n"))
    planned = {stage["name"]: stage["state"] for stage in cloud.json("plan", "-f", path, code=3)["stages"]}
    assert (planned["preflight"], planned["values"], planned["cluster"]) == ("found", "found", "waiting")


def test_a_board_shows_stages_servers_and_who_comes(cloud, url):
    with Watch(cloud, terminal=True) as watch:
        board = watch.until(url, "1 user server running", "ada", "hub", "proxy", "CREATE_COMPLETE")
        assert not COLOR.findall(board.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")), "NO_COLOR"
        for stage in ("preflight", "cluster", "endpoint", "check"):
            assert re.search(rf"✓\s+{stage}\s+found", CODE.sub("", board)), stage
        seen = len(watch.written)
        start(cloud, url, "grace")
        watch.until("grace", "2 user servers running", since=seen)
        assert watch.interrupt() == 130


def test_in_a_pipe_each_change_is_a_status(cloud, url):
    with Watch(cloud, terminal=False) as watch:
        first = watch.until(f"url: {url}")
        assert first.count("preflight") == 1 and "\x1b" not in first
        master(cloud, "delete", "storageclass", "cinder")
        second = watch.until("next: zerojhub up", since=len(first))
        assert re.search(r"storage +missing +there is no default storage class", second)
        cloud.zerojhub("stage", "run", "storage", "-f", FILE)
        third = watch.until(f"url: {url}", since=len(first) + len(second))
        assert re.search(r"storage +found +cinder", third)
        assert watch.interrupt() == 130
    assert watch.written.count("preflight") <= 4  # not one for each look


def test_a_list_names_what_there_is(cloud, url):
    shown = cloud.json("show", "-f", FILE)
    assert shown["url"] == url
    roles = [server["role"] for server in shown["servers"]]
    assert roles == ["master", "worker", "worker"]
    servers = {server["name"]: server for server in shown["servers"]}
    nova = {row.split()[0]: row.split()[1] for row in nova_servers(cloud)}
    assert {name: server["flavor"] for name, server in servers.items()} == nova
    pods = [pod for server in shown["servers"] for pod in server["pods"]]
    assert {pod["kind"] for pod in pods} == {"hub", "proxy", "user"}
    ada = next(pod for pod in pods if pod["user"] == "ada")
    assert (ada["volumes"][0]["owner"], ada["volumes"][0]["size_gb"]) == ("ada", 1)
    assert shown["balancers"][0]["address"] in url
    assert f"url: {url}" in cloud.zerojhub("show", "-f", FILE).stdout


def nova_servers(cloud: Shell) -> list[str]:
    return cloud.openstack("server", "list", "-f", "value", "-c", "Name", "-c", "Flavor").splitlines()


def test_a_map_is_a_picture_that_everyone_can_read(cloud, url, tmp_path):
    picture = tmp_path / "map.svg"
    assert f"wrote {picture}" in cloud.zerojhub("show", "--svg", "-o", picture, "-f", FILE).stdout
    with browser() as page:
        page.get(picture.as_uri())
        assert page.find_element(By.ID, "title").get_attribute("textContent") == "Map of practice"
        words = page.find_element(By.ID, "description").get_attribute("textContent")
        assert words and "ada's server" in words and url in words
        root = page.find_element(By.TAG_NAME, "svg")
        assert (root.get_attribute("role"), page.find_elements(By.TAG_NAME, "script")) == ("img", [])
        drawn = {text.text for text in page.find_elements(By.TAG_NAME, "text")}
        assert {"practice", url, "ada", "hub", "proxy"} <= drawn
        outside = page.execute_script(
            "const b = document.documentElement.getBoundingClientRect();"
            "return [...document.querySelectorAll('text')].filter(e => {const r = e.getBoundingClientRect();"
            " return r.left < b.left || r.right > b.right || r.bottom > b.bottom}).map(e => e.textContent)"
        )
        assert outside == []
        assert page.get_log("browser") == []


@pytest.mark.parametrize("words", [("-o", "map.svg"), ("--svg", "-o", "nowhere/map.svg")])
def test_where_no_map_can_be_written(cloud, url, words):
    assert words[-1] in cloud.zerojhub("show", *words, "-f", FILE, code=2).stderr
