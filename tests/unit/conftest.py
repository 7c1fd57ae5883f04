"""Fixtures of the unit tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.unit.fakecloud import FakeCloud, clouds_yaml, served
from zerojhub import masking, retry, waiting


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited before requests were sent again; no test really waits for them."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(retry, "sleep", sleep)
    monkeypatch.setattr(retry, "clock", lambda: sum(waited))
    return waited


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between looks at what is waited for are hundredths as long."""

    async def sleep(seconds: float) -> None:
        await anyio.sleep(seconds / 100)

    monkeypatch.setattr(waiting, "sleep", sleep)


@pytest.fixture
def fake_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """A stand-in for a cloud, with an entry `fake` in clouds.yaml."""
    with served() as fake:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds_yaml(tmp_path / "clouds.yaml", f"{fake.url}/identity")))
        monkeypatch.delenv("OS_CLOUD", raising=False)
        yield fake


@pytest.fixture(autouse=True)
def no_known_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test has remembered is no secret in the next one, and does not slow it down."""
    monkeypatch.setattr(masking, "_known", set())
