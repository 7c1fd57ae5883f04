"""Tests that need this machine's one bridge for themselves come before those that start the practice cloud."""

from __future__ import annotations

import pytest

from tests.conftest import shell_in
from zerojhub.practice import build

ALONE = {"ground", "own_cloud", "built"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ALONE.isdisjoint(getattr(item, "fixturenames", ())))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> build.Built:
    """All parts of a practice cloud, for tests that start their own ground."""
    shell_in(tmp_path_factory.mktemp("build")).zerojhub("practice", "build", "--all", "-q", timeout=3600)
    return build.built()
