"""What `up` adds to the time that a cloud takes for a cluster, in simulated time.

The cluster is complete after 14 minutes of a clock that goes on only while the program waits between two looks. What the
program does itself takes as long as a processor works on it, and on the practice cloud's answers, so that other work on the
machine does not count. There are two cases: nobody knows how long the cluster will take, or another
cluster of the same template took as long.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from tests.contract.clouds import Site, until
from tests.contract.fault_matrix import UP, Scenario, world
from zerojhub import waiting
from zerojhub.cluster import lifecycle
from zerojhub.lock import BEAT
from zerojhub.openstack.magnum import Cluster
from zerojhub.practice.cloud.store import Record

CLOUD = 14 * 60
"""Seconds that the cloud takes."""
GOAL = 60
"""Calls while it waits: out of reach where nobody knows how long the cluster takes (docs/contributing/decisions.md)."""
ANOTHER = ("cluster", "create", "another", "--template", "for-mine", "--keypair", "mykey")


@dataclass(frozen=True)
class Wait:
    """One creation of a cluster.

    `noticed`: seconds after the cluster was complete. `calls`: requests to the cloud from that for the cluster until it was
    seen to be complete. `others`: those of the command before and after. `lock`: those with which it would have reported
    that it has the lock, meanwhile. `overhead`: share of the cloud's time.
    """

    noticed: float
    calls: int
    others: int
    lock: int
    overhead: float


def measure(*, known: bool = False, takes: float = CLOUD) -> Wait:
    """`known`: another cluster of the template took 14 minutes. `takes`: the seconds that this one takes."""
    *before, create = UP
    with world(Scenario((), before=(*before, *([ANOTHER] if known else [])))) as here:
        for stack in here.site.store.stacks.values():
            _let_it_have_taken(stack, CLOUD)
        here.site.ground.held.add("boot")
        simulated, complete_at, calls = 0.0, 0.0, 0
        wait_until_idle = lifecycle.wait_until_idle

        async def sleep(seconds: float) -> None:
            nonlocal simulated, complete_at
            simulated += seconds
            if simulated >= takes and here.site.ground.held:
                complete_at = takes
                here.site.let_go()
                until(lambda: all("PROGRESS" not in each["status"] for each in here.site.store.clusters.values()))

        async def counted(*arguments: Any, **options: Any) -> Cluster:
            nonlocal calls
            calls = -_requests(here.site)
            cluster = await wait_until_idle(*arguments, **options)
            calls += _requests(here.site)
            return cluster

        all_calls = -_requests(here.site)
        started = time.process_time()
        with (
            mock.patch.object(waiting, "clock", lambda: simulated),
            mock.patch.object(waiting, "sleep", sleep),
            mock.patch.object(lifecycle, "wait_until_idle", counted),
        ):
            done = here.run(*create)
        own = time.process_time() - started
        if done.code or not complete_at:
            raise SystemExit(f"{' '.join(create)}: exit code {done.code}\n{done.stderr}")
        all_calls += _requests(here.site)
    noticed = simulated - complete_at
    share = round((noticed + own) / takes, 4)
    return Wait(round(noticed, 2), calls, all_calls - calls, int(takes // BEAT), share)


def _requests(site: Site) -> int:
    """How many there have been."""
    return len(site.audit.read_text().splitlines())


def _let_it_have_taken(stack: Record, seconds: float) -> None:
    """Have Heat remember that it took so long to create the stack."""
    end = datetime.fromisoformat(stack["events"][-1]["event_time"])
    stack["creation_time"] = (end - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
