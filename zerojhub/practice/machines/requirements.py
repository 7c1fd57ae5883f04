"""What a host needs to run the practice cloud. One check reports everything that is missing."""

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
"""GB needed to build, and to run one cluster."""
DISK_ONCE_BUILT = 4
"""GB needed to run one cluster."""
MEMORY = 3
"""GB needed for three machines, a hub and a few users."""
CONTROLLERS = {"cpu", "memory", "pids"}

# Tried in temporary namespaces, so they leave no trace. The value names the missing kernel feature.
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
    """The properties of this host that matter."""

    system: str
    root: bool
    tools_missing: tuple[str, ...] = ()
    free_disk: float = 0
    """GB, in the practice cloud's state folder."""
    free_memory: float = 0
    """GB."""
    port_taken: int | None = None
    """The port to listen on, if another program uses it."""
    kernel_lacks: tuple[str, ...] = ()
    controllers: frozenset[str] = field(default_factory=frozenset)


def missing(host: Host, *, disk: float = DISK) -> list[str]:
    """One line for each missing requirement, with what to do about it; empty if the practice cloud can run.

    `disk` is the disk space needed, in GB.
    """
    if host.system != "Linux":
        return [f"the practice cloud runs on Linux, not on {host.system}: use a virtual machine with Debian 12"]
    if not host.root:
        return ["the practice cloud needs root for namespaces, mounts and networking: run it as root or with sudo"]
    lines = []
    if host.tools_missing:
        lines.append(f"programs not installed: {', '.join(host.tools_missing)}: install them")
    lines += [f"the kernel lacks {feature}: load the module, or use another kernel" for feature in host.kernel_lacks]
    if lacking := CONTROLLERS - host.controllers:
        lines.append(f"no cgroup controllers {', '.join(sorted(lacking))}: mount them at /sys/fs/cgroup")
    if host.free_disk < disk:
        lines.append(f"{host.free_disk:.1f} GB of disk space free, {disk} GB needed: free some space")
    if host.free_memory < MEMORY:
        lines.append(f"{host.free_memory:.1f} GB of memory free, {MEMORY} GB needed: close other programs")
    if host.port_taken:
        lines.append(f"port {host.port_taken} is used by another program: choose another port with --port")
    return lines


def look(folder: Path, port: int | None) -> Host:
    """Inspect this host. `folder` is the practice cloud's state folder, `port` the port it will listen on."""
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
        # Opening it loads the kernel module if necessary.
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
