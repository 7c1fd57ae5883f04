"""The packages that zerojhub is tested with."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CONSTRAINTS = (ROOT / "tests" / "constraints.txt").read_text().splitlines()


def wanted() -> list[Requirement]:
    """What pyproject.toml requires, with all extras; these may name each other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra]
    return [each for each in map(Requirement, lines) if each.name != project["name"]]


def test_every_package_of_the_tests_is_pinned():
    """`make constraints` writes the list anew."""
    pins: dict[str, list[Requirement]] = {}
    for pin in map(Requirement, CONSTRAINTS):
        pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    for requirement in wanted():
        found = pins.get(canonicalize_name(requirement.name))
        assert found, f"{requirement} is missing: make constraints"
        for pin in found:
            (version,) = [each.version for each in pin.specifier]
            assert requirement.specifier.contains(version), f"{pin} is not {requirement}: make constraints"


def test_the_list_has_versions_only():
    """No addresses: whose index they come from is up to the person's own settings."""
    for line in CONSTRAINTS:
        assert re.fullmatch(r"[\w.-]+==[\w.!+]+( ; [\w\s.'()=!<>]+)?", line), line


def test_the_list_is_for_every_python_that_is_supported():
    """Where a package needs another version for an older Python, both are there."""
    markers = [pin.marker for pin in map(Requirement, CONSTRAINTS) if pin.marker]
    for version in ("3.11.2", "3.12.3", "3.13.0"):
        environment = {"python_full_version": version, "python_version": version.rpartition(".")[0]}
        names = [
            pin.name for pin in map(Requirement, CONSTRAINTS) if pin.marker is None or pin.marker.evaluate(environment)
        ]
        assert len(names) == len(set(names)), version
    assert markers
