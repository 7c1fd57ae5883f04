"""A machine's control groups, depending on how the host mounts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from zerojhub.practice.machines.cgroups import Hierarchy, hierarchies

COMMON = "23 1 0:2 / /proc rw - proc proc rw\n31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"


def trees(folder: Path, text: str) -> set[tuple[str, str]]:
    (folder / "mountinfo").write_text(COMMON + text)
    return {(str(tree.path), tree.options) for tree in hierarchies(str(folder / "mountinfo"))}


def test_one_tree_of_version_2(tmp_path: Path):
    text = "40 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    assert trees(tmp_path, text) == {("/sys/fs/cgroup", "")}


def test_version_1_is_taken_where_both_are_mounted(tmp_path: Path):
    text = (
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "33 31 0:30 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup rw,xattr,name=systemd\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    )
    assert trees(tmp_path, text) == {
        ("/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct"),
        ("/sys/fs/cgroup/systemd", "name=systemd"),
    }


def test_a_tree_that_is_mounted_twice_counts_once(tmp_path: Path):
    text = (
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        "51 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        "52 31 0:29 / /elsewhere/cpu rw - cgroup cgroup rw,cpu\n"
    )
    assert len(trees(tmp_path, text)) == 1


@pytest.mark.host
def test_this_machine_has_some():
    assert hierarchies()
    assert all(isinstance(tree, Hierarchy) and tree.path.is_dir() for tree in hierarchies())
