"""The traces that a practice cloud could leave on the host. They must be the same before and after."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

COMMANDS = (
    "ip -o link",
    "ip -4 route show table all",
    "iptables-save",
    "cat /proc/sys/net/ipv4/ip_forward",
    "cat /proc/sys/fs/inotify/max_user_instances",
    "ps -eo args",
)
OURS = re.compile(r"zjh|ZJH|198\.51\.100|203\.0\.113|s6-svscan|practice\.daemon|^\d+$")


def traces() -> dict[str, list[str]]:
    """Traces, by where they show."""
    shown = {}
    for command in COMMANDS:
        lines = subprocess.run(command.split(), capture_output=True, text=True, timeout=30).stdout.splitlines()
        # A process that has ended and waits for this machine's first process to take note of it is no trace.
        shown[command] = [line for line in lines if OURS.search(line) and "<defunct>" not in line]
    shown["mounts"] = [line for line in Path("/proc/self/mounts").read_text().splitlines() if "zerojhub" in line]
    shown["cgroups"] = [str(path) for path in Path("/sys/fs/cgroup").glob("**/zerojhub-practice")]
    return shown


def disks(folder: Path) -> list[str]:
    """The files below the folder that the kernel uses as block devices. Other practice clouds' are filtered out."""
    files = [path.read_text().strip() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    return [file for file in files if file.startswith(f"{folder}/")]
