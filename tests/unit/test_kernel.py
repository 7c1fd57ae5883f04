"""Kernel settings: raised where they are too low, and restored."""

from __future__ import annotations

import pytest

from zerojhub.practice.machines import kernel


@pytest.fixture
def settings(tmp_path, monkeypatch):
    low, high = tmp_path / "low", tmp_path / "high"
    low.write_text("128\n")
    high.write_text("8192\n")
    monkeypatch.setattr(kernel, "LEAST", {low: 1024, high: 1024})
    return low, high


def test_what_is_too_low_is_raised_and_put_back(settings, tmp_path):
    low, high = settings
    kernel.change(tmp_path / "kept")
    assert (int(low.read_text()), int(high.read_text())) == (1024, 8192)
    kernel.put_back(tmp_path / "kept")
    assert (int(low.read_text()), int(high.read_text())) == (128, 8192)


def test_nothing_is_put_back_twice_or_unasked(settings, tmp_path):
    low, _ = settings
    kernel.change(tmp_path / "kept")
    kernel.put_back(tmp_path / "kept")
    low.write_text("4096")
    kernel.put_back(tmp_path / "kept")
    assert low.read_text() == "4096"
