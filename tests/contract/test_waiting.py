"""How long `up` waits for a cluster that is complete, and how often it asks until then."""

from __future__ import annotations

from benchmarks import wait

MINUTES = 60


def test_a_complete_cluster_is_noticed_within_seconds_where_nobody_knows_how_long_it_takes():
    waited = wait.measure()
    assert waited.noticed <= 3
    assert waited.calls <= 1.1 * wait.CLOUD / 3  # one for each look, and few for details


def test_where_another_cluster_took_as_long_it_asks_seldom_and_notices_as_soon():
    waited = wait.measure(known=True)
    assert waited.noticed <= 3
    assert waited.calls <= wait.GOAL


def test_a_cluster_that_is_complete_earlier_than_another_is_noticed_within_a_fifth_of_that():
    early = 2 * MINUTES
    assert wait.measure(known=True, takes=wait.CLOUD - early).noticed <= early / 5 + 3


def test_a_cluster_that_takes_longer_than_another_is_noticed_within_seconds():
    assert wait.measure(known=True, takes=wait.CLOUD + 2 * MINUTES).noticed <= 3
