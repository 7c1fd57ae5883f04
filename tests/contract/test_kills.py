"""Commands that are killed with `kill -9`: the next run converges to one of everything, with the same secrets."""

from __future__ import annotations

import os
import random

import pytest

from tests.contract.kills import SEED, problem, sample

FEW, MANY = 10, 100


@pytest.mark.parametrize("number", range(FEW))
def test_the_next_run_completes_what_a_killed_one_has_begun(number: int) -> None:
    moment = sample(FEW, seed=15)[number]
    assert problem(moment) is None, str(moment)


@pytest.mark.faults
def test_whenever_it_is_killed() -> None:
    """At a hundred other moments each time. `ZEROJHUB_TEST_SEED=N` repeats those of a run that failed."""
    seed = int(os.environ.get(SEED) or random.randrange(10**6))
    found = [f"{moment}: {why}" for moment in sample(MANY, seed) if (why := problem(moment))]
    assert found == [], f"{SEED}={seed}"
