"""Fixtures of the unit tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.fakecloud import FakeCloud, clouds_yaml, served


@pytest.fixture
def fake_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """A stand-in for a cloud, with an entry `fake` in clouds.yaml."""
    with served() as fake:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds_yaml(tmp_path / "clouds.yaml", f"{fake.url}/identity")))
        monkeypatch.delenv("OS_CLOUD", raising=False)
        yield fake
