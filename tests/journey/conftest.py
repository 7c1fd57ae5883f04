"""Tests that need this machine's one bridge for themselves come before those that start the practice cloud."""

from __future__ import annotations

import pytest

ALONE = {"ground", "own_cloud", "built"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ALONE.isdisjoint(getattr(item, "fixturenames", ())))
