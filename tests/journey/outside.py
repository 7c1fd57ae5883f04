"""What is outside of the practice cloud, and what its machines use: a provider of accounts, a directory."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

from zerojhub.practice import daemon
from zerojhub.practice.machines.network import BRIDGE


def gateway() -> str:
    """This machine's address on the machines' network."""
    there = daemon.running()
    assert there
    return there.gateway


@contextlib.contextmanager
def reachable(port: int) -> Iterator[None]:
    """Have the machines reach this TCP port of this machine, which is closed to them otherwise."""
    rule = ("INPUT", "-i", BRIDGE, "-d", gateway(), "-p", "tcp", "--dport", str(port), "-j", "ACCEPT")
    subprocess.run(["iptables", "-w", "-I", *rule], check=True, timeout=30)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-w", "-D", *rule], check=True, timeout=30)
