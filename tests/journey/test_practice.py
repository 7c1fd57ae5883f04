"""The `zerojhub practice` commands: start, status, env, logs, reset, stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from tests.conftest import Shell, shell_in
from tests.journey.traces import disks, traces


@pytest.fixture
def own_cloud(tmp_path: Path):
    """A practice cloud for a single test, which must leave no trace."""
    before = traces()
    shell = shell_in(tmp_path)
    shell.zerojhub("practice", "start", timeout=900)
    exports = shell.zerojhub("practice", "env").stdout
    for line in exports.splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        shell.environment[name] = value.strip("'\"")
    yield shell
    shell.zerojhub("practice", "stop")
    assert traces() == before
    assert disks(tmp_path) == []
    assert not (tmp_path / "state/zerojhub/practice").exists()


def test_it_says_how_it_stands_and_is_not_started_twice(own_cloud: Shell):
    status = own_cloud.json("practice", "status")
    assert status["running"] and status["answers"]
    assert status["machines"] == []
    again = own_cloud.zerojhub("practice", "start")
    assert f"already running on 127.0.0.1:{status['port']}" in again.stdout
    assert own_cloud.json("practice", "status")["pid"] == status["pid"]


def test_its_password_is_the_persons_alone(own_cloud: Shell):
    clouds = Path(own_cloud.environment["OS_CLIENT_CONFIG_FILE"])
    assert stat.S_IMODE(clouds.stat().st_mode) == 0o600
    password = clouds.read_text().partition("password: ")[2].split()[0]
    log = (clouds.parent / "daemon.log").read_text() + (clouds.parent / "audit.jsonl").read_text()
    assert password not in log
    pid = own_cloud.json("practice", "status")["pid"]
    assert password not in Path(f"/proc/{pid}/cmdline").read_text()


def test_it_listens_on_loopback_and_its_bridge_only(own_cloud: Shell):
    status = own_cloud.json("practice", "status")
    listening = own_cloud.run("ss", "-H", "-ltn", f"sport = :{status['port']}").stdout.splitlines()
    assert {line.split()[3].rpartition(":")[0] for line in listening} == {"127.0.0.1", status["gateway"]}


def test_every_request_is_in_the_audit_log(own_cloud: Shell):
    own_cloud.openstack("flavor", "list")
    lines = own_cloud.zerojhub("practice", "logs", "--audit", "-o", "json").stdout.splitlines()
    calls = [json.loads(line) for line in lines]
    assert {"time", "service", "method", "path", "status"} <= set(calls[-1])
    assert any(call["path"].startswith("/compute") and call["status"] == 200 for call in calls)
    people = own_cloud.zerojhub("practice", "logs", "--audit").stdout
    assert len(people.splitlines()) >= len(calls)


def test_reset_forgets_everything_but_the_password(own_cloud: Shell):
    clouds = Path(own_cloud.environment["OS_CLIENT_CONFIG_FILE"])
    before = clouds.read_text()
    own_cloud.openstack("keypair", "create", "mine")
    own_cloud.openstack("volume", "create", "--size", "1", "data")
    assert "confirm with --yes" in own_cloud.zerojhub("practice", "reset", code=2).stderr
    own_cloud.zerojhub("practice", "reset", "--yes")
    assert json.loads(own_cloud.openstack("keypair", "list", "-f", "json")) == []
    assert json.loads(own_cloud.openstack("volume", "list", "-f", "json")) == []
    assert clouds.read_text() == before


def test_a_second_one_on_this_machine_is_refused_by_name_of_the_first(own_cloud: Shell, tmp_path: Path):
    (tmp_path / "other").mkdir()
    other = shell_in(tmp_path / "other")
    pid = own_cloud.json("practice", "status")["pid"]
    for command in ("start", "stop", "status"):
        assert f"process {pid}" in other.zerojhub("practice", command, code=1).stderr
    assert own_cloud.json("practice", "status")["answers"]


def test_after_a_crash_stop_clears_what_was_left(own_cloud: Shell):
    os.kill(own_cloud.json("practice", "status")["pid"], signal.SIGKILL)
    assert own_cloud.json("practice", "status") == {"running": False}
    assert any("zjh0" in line for line in traces()["ip -o link"])
    # The fixture's own stop must now find nothing running, and still leave nothing.


def test_what_is_not_running_is_said(shell: Shell, own_cloud: Shell):
    own_cloud.zerojhub("practice", "stop")
    assert shell.json("practice", "status") == {"running": False}
    assert "zerojhub practice start" in shell.zerojhub("practice", "reset", "--yes", code=2).stderr
    assert shell.zerojhub("practice", "stop").stdout == "not running\n"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refusal = shell.zerojhub("practice", "start", "--port", str(port), code=2)
    assert f"port {port} is used by another program" in refusal.stderr
