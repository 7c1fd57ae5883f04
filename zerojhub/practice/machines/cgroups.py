"""A control group for each machine, with cgroups version 1 or 2.

Version 1 has one tree per controller, and the machine gets a folder in each. Version 2 has a single tree, in which
controllers are delegated. All of a machine's processes, including its pods, can be found and killed through its group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

PARENT = "zerojhub-practice"


@dataclass(frozen=True)
class Hierarchy:
    """A mounted tree: its path, and the options to mount it again (empty for version 2)."""

    path: Path
    options: str


def hierarchies(mountinfo: str = "/proc/self/mountinfo") -> list[Hierarchy]:
    """The mounted version 1 trees, or the version 2 tree if there are none."""
    mounted: dict[Path, Hierarchy] = {}
    for line in Path(mountinfo).read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        path = Path(before.split(" ")[4])
        mounted.pop(path, None)  # hidden by this mount
        if kind == "cgroup":
            kept = [option for option in options.split(",") if option not in ("rw", "ro", "xattr")]
            mounted[path] = Hierarchy(path, ",".join(kept))
        elif kind == "cgroup2":
            mounted[path] = Hierarchy(path, "")
    once = {tree.options: tree for tree in reversed(mounted.values())}
    second = once.pop("", None)
    return list(once.values()) or ([second] if second else [])


class CGroup:
    """The control group of one machine, in every hierarchy."""

    def __init__(self, name: str):
        self.name = name
        self.trees = hierarchies()
        self.paths = [tree.path / PARENT / name for tree in self.trees]
        self.unified = all(not tree.options for tree in self.trees)

    def make(self) -> None:
        for tree, path in zip(self.trees, self.paths, strict=True):
            path.mkdir(parents=True, exist_ok=True)
            if self.unified:
                for above in (tree.path, path.parent):
                    _hand_down(above)
            elif "cpuset" in tree.options.split(","):
                # A new version 1 cpuset is empty, and accepts no process until it has CPUs and memory nodes.
                for below in (path.parent, path):
                    for part in ("cpuset.cpus", "cpuset.mems"):
                        (below / part).write_text((below.parent / part).read_text())

    def hand_down(self) -> None:
        """Let the machine delegate controllers to its own groups. In version 2, only a group without processes can."""
        if not self.unified:
            return
        for path in self.paths:
            leaf = path / "init.scope"
            leaf.mkdir(exist_ok=True)
            while pids := (path / "cgroup.procs").read_text().split():
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        (leaf / "cgroup.procs").write_text(pid)
            _hand_down(path)

    def processes(self) -> set[int]:
        found: set[int] = set()
        for path in self.paths:
            for procs in path.rglob("cgroup.procs"):
                with contextlib.suppress(OSError):
                    found.update(map(int, procs.read_text().split()))
        return found

    def remove(self, timeout: float = 10) -> None:
        """Kill the remaining processes, then remove the group."""
        deadline = time.monotonic() + timeout
        while (pids := self.processes()) and time.monotonic() < deadline:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        for path in self.paths:
            for folder in sorted((p for p in path.rglob("*") if p.is_dir()), key=lambda p: -len(p.parts)):
                _remove(folder, deadline)
            _remove(path, deadline)


def machines() -> set[str]:
    """The names of all existing groups, including those left by a killed daemon."""
    parents = [tree.path / PARENT for tree in hierarchies()]
    return {child.name for parent in parents if parent.is_dir() for child in parent.iterdir() if child.is_dir()}


def remove_parent() -> None:
    for tree in hierarchies():
        with contextlib.suppress(OSError):
            (tree.path / PARENT).rmdir()


def _hand_down(path: Path) -> None:
    control = path / "cgroup.subtree_control"
    wanted = set((path / "cgroup.controllers").read_text().split()) & {
        "cpu",
        "cpuset",
        "io",
        "memory",
        "pids",
        "hugetlb",
    }
    if missing := wanted - set(control.read_text().split()):
        control.write_text(" ".join(f"+{name}" for name in sorted(missing)))


def _remove(folder: Path, deadline: float) -> None:
    """Remove an empty group. The kernel reports it as busy for a moment after its last process has ended."""
    while folder.is_dir():
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)
