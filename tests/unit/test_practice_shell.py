"""`zerojhub practice shell`: a resolver that knows the project's zones, for one command."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zerojhub.practice import control, nameserver
from zerojhub.practice.cloud.designate.records import Published

pytestmark = pytest.mark.host

SOA = "ns.class.example. ada.class.example. 1 3600 600 86400 60"
ZONE = Published(
    "class.example.",
    60,
    {"class.example.": {"SOA": (60, (SOA,))}, "hub.class.example.": {"A": (60, ("198.51.100.7",))}},
)
LOOK = ["getent", "ahostsv4", "hub.class.example"]


@pytest.fixture
def found(tmp_path: Path) -> Any:
    return SimpleNamespace(state=str(tmp_path), gateway="127.53.0.1")


def run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


def test_a_command_finds_the_names_and_others_do_not(found: Any):
    before = [Path(file).read_bytes() for file in ("/etc/resolv.conf", "/etc/nsswitch.conf")]

    async def work() -> None:
        async with nameserver.served({ZONE.name: ZONE}, found.gateway):
            inside = await asyncio.to_thread(run, control.in_zones(found, LOOK))
            assert inside.stdout.split()[:2] == ["198.51.100.7", "STREAM"], inside.stderr
            assert "198.51.100.7" not in (await asyncio.to_thread(run, LOOK)).stdout

    asyncio.run(work())
    assert [Path(file).read_bytes() for file in ("/etc/resolv.conf", "/etc/nsswitch.conf")] == before


def test_the_machines_own_name_servers_come_after_it(found: Any):
    printed = run(control.in_zones(found, ["cat", "/etc/resolv.conf", "/etc/nsswitch.conf"])).stdout
    assert printed.startswith(f"nameserver {found.gateway}\n{Path('/etc/resolv.conf').read_text()}")
    assert [line for line in printed.splitlines() if line.startswith("hosts:")] == ["hosts: files dns"]


def test_it_ends_as_the_command_does(found: Any):
    assert run(control.in_zones(found, ["sh", "-c", "exit 7"])).returncode == 7
