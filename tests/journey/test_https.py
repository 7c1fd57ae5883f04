"""A hub with a name and a certificate, from nothing: the project's zone, an ACME server, and a browser that trusts it.

Each test continues where the previous one ended.
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.browser.browser import in_zones, log_in_and_run
from tests.conftest import PROGRAM, ROOT, Shell
from tests.waiting import until
from zerojhub.practice import acme

NAME = "named"
ZONE, HOST = "class.example.", "hub.class.example"
VALUES = ROOT / "config" / "practice-values.yaml"


@pytest.fixture(scope="module")
def zones(cloud: Shell) -> None:
    """The project's zones; no certificates are issued in the second one."""
    for zone in (ZONE, f"{acme.BLOCKED}."):
        cloud.openstack("zone", "create", "--email", "ada@class.example", zone)
    until(lambda: "PENDING" not in cloud.openstack("zone", "list", "-f", "value", "-c", "status"))


@pytest.fixture(scope="module")
def authority(cloud: Shell) -> dict[str, str]:
    """Where the ACME server is, and the file with its authorities."""
    found: dict[str, str] = until(lambda: cloud.json("practice", "status")["acme"])
    return found


@pytest.fixture(scope="module")
def file(cloud: Shell, zones: None, authority: dict[str, str]) -> Path:
    """The deployment file."""
    https = {"contact": "ada@class.example", "server": authority["url"], "ca_file": authority["ca"]}
    deployment = {
        "name": NAME,
        "cloud": "practice",
        "cluster": {"template": "kubernetes-v1.34.4", "workers": 1},
        "hub": {"chart": "embedded", "values": str(VALUES), "host": HOST, "https": https},
    }
    path = cloud.folder / "hub.yaml"
    path.write_text(yaml.safe_dump(deployment))
    return path


def named(cloud: Shell, *words: str | Path, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run zerojhub where the names in the zones are found."""
    return cloud.zerojhub("practice", "shell", "--", PROGRAM, *words, code=code)


def up(cloud: Shell, file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(named(cloud, "up", "-f", file, "-o", "json").stdout)
    return found


def with_host(file: Path, host: str) -> Path:
    """The same deployment under another name."""
    path = file.with_name("renamed.yaml")
    path.write_text(file.read_text().replace(HOST, host))
    return path


def kubectl(cloud: Shell, *words: str) -> str:
    """The output of kubectl in the hub's namespace."""
    return cloud.zerojhub("cluster", "ssh", "-q", NAME, "--", "sudo", "kubectl", "-n", NAME, *words).stdout


def curl(cloud: Shell, *words: str) -> str:
    return cloud.zerojhub("practice", "shell", "--", "curl", "-sS", *words).stdout


def records(cloud: Shell, zone: str = ZONE) -> list[str]:
    """The names of the A records in the zone."""
    return cloud.openstack("recordset", "list", zone, "--type", "A", "-f", "value", "-c", "name").split()


def the_error(cloud: Shell, file: Path) -> str:
    """The one line, below those of the stages, that a failing `up` ends with."""
    done = named(cloud, "up", "-q", "-f", file, code=1)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture(scope="module")
def hub(cloud: Shell, file: Path) -> dict[str, Any]:
    """The running hub: the output of the one `up`."""
    return up(cloud, file)


def test_one_up_leads_to_https(cloud, hub, authority):
    assert (hub["url"], hub["ready"]) == (f"https://{HOST}/", True)
    states = {stage["name"]: stage["state"] for stage in hub["stages"]}
    assert states["dns"] == states["certificate"] == states["endpoint"] == "found"
    assert records(cloud) == [f"{HOST}."]
    assert json.loads(curl(cloud, "--cacert", authority["ca"], f"https://{HOST}/hub/api/"))["version"]


def test_http_leads_to_https(cloud, hub):
    answer = curl(cloud, "--head", f"http://{HOST}/hub/login")
    assert f"Location: https://{HOST}/hub/login" in answer


def test_pods_find_the_name(cloud, hub):
    look = f"import socket; print(socket.gethostbyname('{HOST}'))"
    address = cloud.openstack("recordset", "list", ZONE, "--name", f"{HOST}.", "-f", "value", "-c", "records").strip()
    assert kubectl(cloud, "exec", "deployment/hub", "--", "python3", "-c", f'"{look}"').strip() == address


def test_a_browser_logs_in_and_runs_a_cell(cloud, hub, authority, tmp_path):
    place = in_zones(PROGRAM, Path(authority["ca"]), tmp_path, cloud.environment)
    # Lab talks to the kernel through a WebSocket of the page's own origin, wss://.
    code = "import os; print(os.environ['JUPYTERHUB_USER'], 6*7)"
    assert log_in_and_run(hub["url"], "ada", "practice", code, tmp_path / "lab.png", place) == "ada 42"


def test_up_again_changes_nothing(cloud, file, hub):
    until(lambda: cloud.volumes() == ["in-use"] * 2)  # the hub's and the user's
    before, revision = (
        len(cloud.audit()),
        kubectl(cloud, "get", "deployment", "-o", "jsonpath={.items[*].metadata.generation}"),
    )
    assert up(cloud, file)["url"] == hub["url"]
    assert cloud.writes(before) == []
    assert kubectl(cloud, "get", "deployment", "-o", "jsonpath={.items[*].metadata.generation}") == revision


def test_the_certificate_is_kept_in_a_secret(cloud, hub):
    kept = json.loads(until(lambda: kubectl(cloud, "get", "secret", "proxy-public-tls-acme", "-o", "json")))
    store = json.loads(base64.b64decode(kept["data"]["acme.json"]))
    assert [each["domain"]["main"] for resolver in store.values() for each in resolver["Certificates"]] == [HOST]


@contextlib.contextmanager
def blocked(address: str, port: int) -> Iterator[None]:
    """Nobody on this machine, such as the ACME server, reaches that port."""
    rule = ["-p", "tcp", "-m", "conntrack", "--ctorigdst", address, "--ctorigdstport", str(port), "-j", "DROP"]
    subprocess.run(["iptables", "-w", "-I", "OUTPUT", *rule], check=True, timeout=30)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-w", "-D", "OUTPUT", *rule], check=True, timeout=30)


def address_of(cloud: Shell) -> str:
    """The floating IP of the hub's load balancer."""
    where = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    return until(lambda: kubectl(cloud, "get", "service", "proxy-public", "-o", where))


def test_a_blocked_port_80_is_one_line(cloud, file, hub):
    """Of another name, for which there is no certificate yet."""
    leads_to = address_of(cloud)
    assert leads_to in cloud.openstack("floating", "ip", "list", "-f", "json")
    with blocked(leads_to, 80):
        error = the_error(cloud, with_host(file, "lab.class.example"))
    assert "port 80" in error and leads_to in error


def test_after_the_repair_up_gets_the_certificate(cloud, file, hub, authority):
    assert up(cloud, with_host(file, "lab.class.example"))["url"] == "https://lab.class.example/"
    assert json.loads(curl(cloud, "--cacert", authority["ca"], "https://lab.class.example/hub/api/"))["version"]
    assert records(cloud) == ["lab.class.example."]


def test_without_port_80_a_record_in_designate_proves_the_name(cloud, file, hub, authority):
    clouds = cloud.folder / "clouds.yaml"
    # Traefik talks to Keystone and Designate from its pod, where 127.0.0.1 is the pod.
    gateway = str(urlsplit(authority["url"]).hostname)
    clouds.write_text(Path(cloud.environment["OS_CLIENT_CONFIG_FILE"]).read_text().replace("127.0.0.1", gateway))
    clouds.chmod(0o600)
    outside = Shell(cloud.folder, cloud.environment | {"OS_CLIENT_CONFIG_FILE": str(clouds)})
    by_dns = with_host(file, "proven.class.example")
    deployment = yaml.safe_load(by_dns.read_text())
    deployment["hub"]["https"]["challenge"] = "dns"
    by_dns.write_text(yaml.safe_dump(deployment))
    with blocked(address_of(cloud), 80):
        assert up(outside, by_dns)["url"] == "https://proven.class.example/"
    assert json.loads(curl(cloud, "--cacert", authority["ca"], "https://proven.class.example/hub/api/"))["version"]
    assert cloud.openstack("recordset", "list", ZONE, "--type", "TXT", "-f", "value") == ""
    assert cloud.openstack("application", "credential", "list", "-f", "value", "-c", "Name").split() == [
        f"zerojhub-{NAME}-dns"
    ]


def test_a_name_that_the_authority_refuses_is_one_line(cloud, file, hub):
    error = the_error(cloud, with_host(file, f"hub.{acme.BLOCKED}"))
    assert f"issues no certificates for hub.{acme.BLOCKED}" in error
    assert records(cloud, f"{acme.BLOCKED}.") == [f"hub.{acme.BLOCKED}."]
    assert records(cloud) == []


def test_down_takes_the_record_away(cloud, file, hub):
    cloud.zerojhub("down", "--delete-data", "--yes", "-f", with_host(file, f"hub.{acme.BLOCKED}"))
    until(lambda: records(cloud, f"{acme.BLOCKED}.") == [])
    assert cloud.openstack("floating", "ip", "list", "-f", "value").strip() == ""
    assert cloud.openstack("application", "credential", "list", "-f", "value").strip() == ""
