"""What `up` adds to the time that a cloud takes for a cluster, in simulated time.

The cluster is complete after 14 minutes of a clock that goes on only while the program waits between two looks. What the
program does itself takes as long as it takes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from unittest import mock

from tests.contract.clouds import until
from tests.contract.fault_matrix import UP, Scenario, world
from zerojhub import waiting

CLOUD = 14 * 60
"""Seconds that the cloud takes."""


@dataclass(frozen=True)
class Wait:
    """`noticed`: seconds after the cluster was complete. `calls`: requests to the cloud. `overhead`: share of the cloud's time."""

    noticed: float
    calls: int
    overhead: float


def measure() -> Wait:
    """One creation of a cluster."""
    *before, create = UP
    with world(Scenario((), before=tuple(before))) as here:
        here.site.ground.held.add("boot")
        simulated, complete_at = 0.0, 0.0
        calls = len(here.site.audit.read_text().splitlines())

        async def sleep(seconds: float) -> None:
            nonlocal simulated, complete_at
            simulated += seconds
            if simulated >= CLOUD and here.site.ground.held:
                complete_at = CLOUD
                here.site.let_go()
                until(lambda: all("PROGRESS" not in each["status"] for each in here.site.store.clusters.values()))

        started = time.perf_counter()
        with mock.patch.object(waiting, "sleep", sleep):
            done = here.run(*create)
        if done.code or not complete_at:
            raise SystemExit(f"{' '.join(create)}: exit code {done.code}\n{done.stderr}")
        own = time.perf_counter() - started
        calls = len(here.site.audit.read_text().splitlines()) - calls
    noticed = simulated - complete_at
    return Wait(round(noticed, 2), calls, round((noticed + own) / CLOUD, 4))
