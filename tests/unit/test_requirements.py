"""The requirements check of the practice cloud."""

from __future__ import annotations

from dataclasses import replace

from zerojhub.practice.machines.requirements import Host, missing

GOOD = Host("Linux", True, (), 50, 8, None, (), frozenset({"cpu", "memory", "pids"}))


def test_a_good_machine_lacks_nothing():
    assert missing(GOOD) == []


def test_another_system_or_user_is_said_alone_since_nothing_else_can_be_known():
    assert missing(replace(GOOD, system="Darwin")) == [
        "the practice cloud runs on Linux, not on Darwin: use a virtual machine with Debian 12"
    ]
    assert len(missing(replace(GOOD, root=False, free_disk=0))) == 1


def test_everything_that_is_missing_is_listed_at_once():
    host = Host("Linux", True, ("iptables",), 1.26, 0.5, 9580, ("overlay file system",), frozenset({"cpu"}))
    text = "\n".join(missing(host))
    for part in ("iptables", "1.3 GB of disk", "0.5 GB of memory", "port 9580", "overlay", "memory, pids"):
        assert part in text
    assert len(missing(host)) == 6


def test_less_disk_is_enough_once_all_is_built():
    assert missing(replace(GOOD, free_disk=5))
    assert not missing(replace(GOOD, free_disk=5), disk=4)
