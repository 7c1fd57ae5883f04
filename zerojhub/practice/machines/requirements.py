"""What a machine must have for the practice cloud to run on it: everything that is missing, found in one look."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from zerojhub.practice.machines import cgroups, disks

DISK = 10
"""GB that building and one cluster take."""
DISK_ONCE_BUILT = 4
"""GB that a cluster takes."""
MEMORY = 3
"""GB that three machines, a hub and some users take."""
CONTROLLERS = {"cpu", "memory", "pids"}

# Tried in namespaces of their own, so that no trace is left; each says what to do when it does not work.
NETWORK_TRIALS = {
    "ip link add zjh0 type bridge": "network bridges (kernel module bridge)",
    "ip link add zjh1 type veth peer name zjh2": "virtual cables (kernel module veth)",
    "iptables -w -t nat -A OUTPUT -d 192.0.2.1 -p tcp -m statistic --mode random --probability 0.5 "
    "-j DNAT --to-destination 192.0.2.2": "address translation (kernel modules nft_compat, nf_nat, xt_statistic)",
    "iptables -w -t nat -A POSTROUTING -m conntrack --ctstate DNAT -j MASQUERADE": (
        "masquerading (kernel modules nf_conntrack, xt_MASQUERADE)"
    ),
}


@dataclass(frozen=True)
class Host:
    """This machine, as far as it matters."""

    system: str
    root: bool
    tools_missing: tuple[str, ...] = ()
    free_disk: float = 0
    """GB where the practice cloud keeps its things."""
    free_memory: float = 0
    """GB."""
    port_taken: int | None = None
    """The port that it should listen on, when another program does."""
    kernel_lacks: tuple[str, ...] = ()
    controllers: frozenset[str] = field(default_factory=frozenset)


def missing(host: Host, *, disk: float = DISK) -> list[str]:
    """One line for each thing that is missing, with what to do; empty when the practice cloud can run.

    `disk` is what it takes in GB.
    """
    if host.system != "Linux":
        return [f"the practice cloud runs on Linux, and this is {host.system}: use a virtual machine with Debian 12"]
    if not host.root:
        return ["it needs to be root, for namespaces, mounts and network: run it with sudo, or as root"]
    lines = []
    if host.tools_missing:
        lines.append(f"programs that are not installed: {', '.join(host.tools_missing)}: install them")
    lines += [f"the kernel has no {feature}: load it, or use another kernel" for feature in host.kernel_lacks]
    if lacking := CONTROLLERS - host.controllers:
        lines.append(f"no control groups for {', '.join(sorted(lacking))}: mount them at /sys/fs/cgroup")
    if host.free_disk < disk:
        lines.append(f"{host.free_disk:.1f} GB of disk are free, and it takes {disk} GB: make room")
    if host.free_memory < MEMORY:
        lines.append(f"{host.free_memory:.1f} GB of memory are free, and it takes {MEMORY} GB: close something")
    if host.port_taken:
        lines.append(f"port {host.port_taken} is taken by another program: choose one with --port")
    return lines


def look(folder: Path, port: int | None) -> Host:
    """What this machine has. `folder` is where the practice cloud will keep its state, `port` where it will listen."""
    system, root = platform.system(), hasattr(os, "geteuid") and os.geteuid() == 0
    if system != "Linux" or not root:
        return Host(system, root)
    folder.mkdir(parents=True, exist_ok=True)
    tools = tuple(name for name in ("ip", "iptables", "unshare", "nsenter", "setpriv") if not shutil.which(name))
    return Host(
        system,
        root,
        tools,
        shutil.disk_usage(folder).free / 1e9,
        _memory(),
        port if port and _taken(port) else None,
        () if tools else _kernel_lacks(folder),
        _controllers(),
    )


def _kernel_lacks(folder: Path) -> tuple[str, ...]:
    spaces = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--fork"]
    if not _works([*spaces, "true"]):
        return ("namespaces (mount, uts, ipc, net, pid, cgroup), or does not let root make them",)
    lacks = [
        feature for command, feature in NETWORK_TRIALS.items() if not _works(["unshare", "--net", *command.split()])
    ]
    try:
        # Where the module is not loaded yet, this loads it.
        disks.CONTROL.open("rb+", buffering=0).close()
    except OSError:
        lacks.append("loop devices (kernel module loop)")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for name in ("lower", "upper", "work", "root"):
            (Path(scratch) / name).mkdir()
        options = ",".join(f"{name}dir={scratch}/{name}" for name in ("lower", "upper", "work"))
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, f"{scratch}/root"]
        if not _works(["unshare", "--mount", *mount]):
            lacks.append(f"overlay file system that works in {folder} (kernel module overlay)")
    return tuple(lacks)


def _works(argv: list[str]) -> bool:
    return subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=30).returncode == 0


def _memory() -> float:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) / 1e6


def _taken(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _controllers() -> frozenset[str]:
    found: set[str] = set()
    for tree in cgroups.hierarchies():
        if tree.options:
            found.update(tree.options.split(","))
        else:
            found.update((tree.path / "cgroup.controllers").read_text().split())
    return frozenset(found)
