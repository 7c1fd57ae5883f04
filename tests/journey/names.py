"""Names in the project's DNS zones: records, what the name server says, and programs that find them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import httpx

from tests.conftest import PROGRAM, Shell
from tests.journey.outside import gateway
from tests.waiting import until
from zerojhub.practice import control, daemon
from zerojhub.practice.daemon import PORT


class Named(Shell):
    """A shell whose programs find the names in the project's zones, as `practice shell` has them do."""

    def run(self, *argv: str | Path, timeout: float = 600, **more) -> subprocess.CompletedProcess[str]:
        there = daemon.running()
        assert there
        return super().run(*control.in_zones(there, [str(word) for word in argv]), timeout=timeout, **more)

    def zerojhub(
        self, *words: str | Path, code: int | None = 0, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """As Shell's, in a process that has those names."""
        done = self.run(PROGRAM, *words, timeout=timeout)
        assert code is None or done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done


class Zone:
    """A new zone in Designate, and at its name server."""

    def __init__(self, cloud: Shell, name: str) -> None:
        token = cloud.openstack("token", "issue", "-f", "value", "-c", "id").strip()
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{PORT}/dns/v2", headers={"X-Auth-Token": token}, timeout=30)
        made = self.api.post("/zones", json={"name": name, "email": "me@example.org"}).raise_for_status().json()
        self.path = f"/zones/{made['id']}"
        until(lambda: self.api.get(self.path).json()["status"] == "ACTIVE")

    def record(self, name: str) -> dict[str, Any] | None:
        """The record of that name."""
        listed = self.api.get(f"{self.path}/recordsets", params={"name": name}).raise_for_status().json()["recordsets"]
        assert len(listed) <= 1
        return listed[0] if listed else None

    def put(self, name: str, address: str) -> None:
        """Have the name lead to the address, and not ask who has made a record that is there."""
        there, wanted = self.record(name), {"records": [address]}
        if there:
            answer = self.api.put(f"{self.path}/recordsets/{there['id']}", json=wanted)
        else:
            answer = self.api.post(f"{self.path}/recordsets", json=wanted | {"name": name, "type": "A"})
        answer.raise_for_status()
        until(lambda: self.seen(name) == {address})

    def seen(self, name: str) -> set[str] | None:
        """The addresses that the name server answers with; None if it does not know the name."""
        answer = dns.query.udp(dns.message.make_query(name, "A"), gateway(), timeout=5)
        if answer.rcode() == dns.rcode.NXDOMAIN:
            return None
        return {each.to_text() for rrset in answer.answer for each in rrset}
