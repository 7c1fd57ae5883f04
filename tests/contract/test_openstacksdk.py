"""openstacksdk's functional tests pass on the practice cloud, except those listed with a reason in openstacksdk.yaml."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import openstack.tests
import pytest

from tests.contract.clouds import CLOUDS, PASSWORD, Site
from tests.contract.conftest import practice
from tests.contract.openstacksdk import ALONE
from zerojhub.yamlfile import read_yaml

LEFT_OUT = read_yaml(Path(__file__).with_name("openstacksdk.yaml"))
SERVICES = ("block_storage.v3", "cloud", "compute", "identity", "image", "load_balancer", "network", "orchestration")
# The clouds that the tests ask for: on a DevStack, three users and an administrator of everything.
NAMES = ("devstack", "devstack-alt", "devstack-admin", "devstack-system-admin")


@dataclass(frozen=True)
class Outcome:
    name: str
    outcome: str
    why: str

    def is_of(self, part: str) -> bool:
        """Whether the name is that of the test, or of its class, module or package."""
        return f"{self.name}.".startswith(f"{part}.")


@pytest.fixture(scope="module")
def outcomes(site: Site, tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    found = run(site, tmp_path_factory.mktemp("openstacksdk"), *SERVICES)
    with practice(tmp_path_factory.mktemp("alone")) as site_alone:
        return found + run(site_alone, tmp_path_factory.mktemp("openstacksdk-alone"), ALONE)


def run(site: Site, folder: Path, *names: str) -> list[Outcome]:
    entry = CLOUDS.format(url=f"{site.url}/identity", password=PASSWORD).removeprefix("\nclouds:\n")
    (folder / "clouds.yaml").write_text("clouds:\n" + "".join(entry.replace("practice:", f"{n}:", 1) for n in NAMES))
    # Some read their templates, and one uploads a page, as from a checkout of the SDK.
    (folder / "openstack").mkdir()
    (folder / "openstack" / "tests").symlink_to(Path(openstack.tests.__file__).parent)
    (folder / "CONTRIBUTING.rst").write_text("an image of few words\n")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OPENSTACKSDK_FLAVOR": "m1.small",
        "OPENSTACKSDK_IMAGE": "fedora-coreos-38",
        "OPENSTACKSDK_FUNC_TEST_TIMEOUT": "10",
        "OS_TEST_TIMEOUT": "20",
        "OS_LOG_CAPTURE": "1",
    }
    command = [sys.executable, "-m", "tests.contract.openstacksdk", *names]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr
    return [Outcome(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


def told(outcomes: list[Outcome]) -> str:
    return "\n".join(f"{one.name} {one.outcome}: {one.why}" for one in outcomes)


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_not_left_out_passes(outcomes: list[Outcome], service: str) -> None:
    mine = [one for one in outcomes if one.is_of(service)]
    assert mine, "their tests have moved"
    left = [name for group in LEFT_OUT for name in group["tests"]]
    wrong = [one for one in mine if one.outcome != "passed" and not any(one.is_of(name) for name in left)]
    assert not wrong, told(wrong)


@pytest.mark.parametrize("group", LEFT_OUT, ids=lambda group: group["why"])
def test_what_is_left_out_ends_as_its_reason_says(outcomes: list[Outcome], group: dict) -> None:
    for name in group["tests"]:
        mine = [one for one in outcomes if one.is_of(name)]
        assert mine, f"there is no {name} any more"
        other = [one for one in mine if one.outcome == "passed" or not re.search(group["says"], one.why)]
        assert not other, told(other)
