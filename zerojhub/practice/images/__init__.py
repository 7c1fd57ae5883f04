"""The images that the practice cloud serves in place of the public registries' ones, built on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def layouts(cache: Path) -> Path:
    """The OCI image layout that the images are kept in, below the build's cache."""
    return cache / "images"


def build(cache: Path, programs: Path | None, say: Callable[[str], None]) -> None:
    """Build what is missing or changed, and say what is being done, a line at a time.

    `programs` is a folder with the static programs that images hold; with None those images are left for a later call,
    and the others can be built meanwhile. Raises GroundError.
    """
    from zerojhub.practice.images.builder import Builder

    builder = Builder(layouts(cache), programs, say)
    if stale := builder.stale():
        builder.build(stale)
