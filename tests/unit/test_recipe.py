"""Parts of the practice cloud in the cache."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from filelock import FileLock

from zerojhub.practice import build
from zerojhub.practice.build.recipe import Recipe
from zerojhub.practice.ground import GroundError


def part(name: str, version: str = "1") -> Recipe:
    def make(folder: Path, say: object) -> None:
        (folder / "program").write_text(version)

    return Recipe(name, (version,), make)


def fails(folder: Path, say: object) -> None:
    (folder / "program").write_text("half")
    raise OSError("disk full")


def test_only_earlier_results_of_a_part_are_deleted(tmp_path):
    old, new, other = part("helm"), part("helm", "2"), part("helm-4")
    for each in (old, new, other):
        each.build(tmp_path, print)
    half = Recipe("helm", ("0",), fails)
    with pytest.raises(OSError):
        half.build(tmp_path, print)
    new.prune(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {new.path(tmp_path).name, other.path(tmp_path).name}


def test_a_part_that_could_not_be_built_completely_is_not_there(tmp_path):
    with pytest.raises(OSError):
        Recipe("helm", ("1",), fails).build(tmp_path, print)
    assert not part("helm").path(tmp_path).exists()
    assert (part("helm").build(tmp_path, print) / "program").read_text() == "1"


def test_a_build_waits_for_another_one_but_not_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "cache", lambda: tmp_path)
    other = FileLock(tmp_path / "lock", thread_local=False)
    with other:
        threading.Timer(0.3, other.release).start()
        with build._alone():
            assert not other.is_locked
    monkeypatch.setattr(build, "TURN", 0.1)
    with other, pytest.raises(GroundError, match="another build is running"), build._alone():
        pass
