"""The images that the practice cloud serves in place of the public registries, built on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def layouts(cache: Path) -> Path:
    """The OCI image layout with the images, in the build's cache."""
    return cache / "images"


def build(cache: Path, programs: Path | None, say: Callable[[str], None], *, on_demand: bool = False) -> None:
    """Build the images that are missing or out of date, reporting progress with `say`; with `on_demand` also those
    that the catalogue has as such.

    `programs` is the folder with the static programs that some images contain. With None, those images are left for a
    later call, so that the others can be built in the meantime. Raises GroundError.
    """
    from zerojhub.practice.images.builder import Builder

    builder = Builder(layouts(cache), programs, say, on_demand=on_demand)
    if stale := builder.stale():
        builder.build(stale)
