"""How long `up` waits for a cluster that is complete."""

from __future__ import annotations

from benchmarks import wait


def test_a_complete_cluster_is_noticed_within_seconds():
    assert wait.measure().noticed <= 3
