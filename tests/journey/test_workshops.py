"""Every workshop page, run on one practice cloud: commands, files, solutions and output."""

from __future__ import annotations

import json

import pytest

from tests.conftest import PROGRAM, ROOT
from tests.journey import pages
from zerojhub.workshops import WORKSHOPS

HOME = ROOT / "docs" / "workshops"


@pytest.mark.parametrize("workshop", WORKSHOPS, ids=lambda workshop: workshop.slug)
def test_the_page_is_true(cloud, workshop):
    """The page itself checks its exercises before and after (see tests/unit/test_workshops.py)."""
    environment = {key: value for key, value in cloud.environment.items() if not key.startswith("OS_")}
    environment["PATH"] = f"{PROGRAM.parent}:{environment['PATH']}"
    pages.run(HOME / f"{workshop.slug}.md", cloud.folder, environment)


def test_reset_puts_everything_back(cloud):
    cloud.zerojhub("workshop", "start", "1")
    values = cloud.folder / "workshop-1" / "config.yaml"
    values.write_text("cull: {timeout: 60}\n")
    cloud.openstack("keypair", "create", "mine")
    assert "confirm with --yes" in cloud.zerojhub("workshop", "reset", "1", code=2).stderr
    assert cloud.zerojhub("workshop", "start", "1").returncode == 0
    assert values.read_text() == "cull: {timeout: 60}\n"  # to start again overwrites nothing
    cloud.zerojhub("workshop", "reset", "1", "--yes")
    assert values.read_text() == (HOME / "common" / "config.yaml").read_text()
    assert json.loads(cloud.openstack("keypair", "list", "-f", "json")) == []


def test_check_is_for_people_and_programs(cloud):
    found = cloud.json("workshop", "check", "1", code=3)
    assert {row["state"] for row in found} == {"not yet"}
    assert [row["exercise"] for row in found] == [1, 2, 3, 4]
