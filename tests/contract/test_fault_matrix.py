"""Commands survive one bad answer of any service, at any call, and leave what they would have left without it."""

from __future__ import annotations

import random
import re
import tarfile
from pathlib import Path

import pytest
from starlette.staticfiles import StaticFiles

from tests.conftest import ROOT
from tests.contract.clouds import fronted, served
from tests.contract.fault_matrix import CALLED, SCENARIOS, UP, Scenario, cases, chosen, clean, problem, world
from zerojhub.hub import download
from zerojhub.practice.faults import HUB, TOKENS, Fault, Faults, What

SAMPLE = ("up", "down", "cluster create")
ENDURED = (What.slow, What.token_expired, What.token_revoked)
"""Faults that do not make a request fail."""


@pytest.mark.parametrize("scenario", SAMPLE)
def test_one_fault_does_not_end_a_command(scenario):
    sample = random.Random(scenario).sample(list(cases(scenario)), 2)
    assert [f"{case}: {why}" for case in sample if (why := problem(case))] == []


@pytest.mark.faults
@pytest.mark.parametrize("what", What)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_fault_at_any_call_ends_a_command(scenario, what):
    tried = [case for case in cases(scenario) if case.what is what]
    assert tried
    assert [f"{case}: {why}" for case in tried if (why := problem(case))] == []


def fail_and_repeat(scenario: str, service: str, call: int, what: What) -> bool:
    """A command that fails at this call five times in a row says so in one line; the next one completes what is left to do.

    False if it did not get there, or completed its work without the answer, which was only for its progress line.
    """
    _, wanted = clean(scenario)
    with world(SCENARIOS[scenario], what) as here:
        here.site.faults.add(Fault(service, what, first=call, count=None))
        ended = [here.run(*command) for command in SCENARIOS[scenario].commands]
        failures = [each for each in ended if each.code]
        for failed in failures[:1]:
            assert failed.code == 1
            assert len(failed.errors) == 1
            assert re.search(rf"error: {CALLED.get(service, service)}\b.*after 5 attempts", failed.errors[0])
        here.site.faults.clear()
        for command in SCENARIOS[scenario].commands:
            assert here.run(*command).code == 0
        assert here.contents() == wanted
        return bool(failures)


def test_a_service_that_keeps_failing_ends_up_with_one_line_and_the_next_one_completes_it():
    assert fail_and_repeat("up", "container-infra", clean("up")[0]["container-infra"] // 2, What.unavailable)


@pytest.mark.faults
@pytest.mark.parametrize("what", [what for what in What if what not in ENDURED])
@pytest.mark.parametrize("scenario", ["up", "up again", "down", "cluster expose", "cluster resize"])
def test_after_five_failures_in_a_row_the_command_ends_and_can_be_repeated(scenario, what):
    points = [(service, call) for service, number in clean(scenario)[0].items() for call in chosen(number)]
    sample = random.Random(f"{scenario} {what}").sample(points, 4)
    assert any([fail_and_repeat(scenario, service, call, what) for service, call in sample])


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded chart as an archive, in a folder of its own."""
    folder = tmp_path_factory.mktemp("charts")
    with tarfile.open(folder / "jupyterhub.tgz", "w:gz") as archive:
        archive.add(ROOT / "charts" / "jupyterhub", "jupyterhub")
    return folder


@pytest.mark.faults
@pytest.mark.parametrize("what", [what for what in What if what not in (*TOKENS, What.truncated_json)])
def test_a_chart_is_downloaded_in_spite_of_a_fault(chart, what, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 1.0)
    faults = Faults()
    with (
        served(StaticFiles(directory=chart)) as url,
        fronted(url, faults) as front,
        world(Scenario((), before=UP[:2])) as here,
    ):
        fault = faults.add(Fault(HUB, what, seconds=0.1 if what is What.slow else None))
        done = here.run("up", "-v", "--only", "values", "--chart", f"{front}/jupyterhub.tgz")
        assert (done.code, done.errors, fault.fired) == (0, [], 1)
        assert what is What.slow or "retrying in" in done.stderr
