"""Parts that are built once and cached, each in a folder named after a hash of its ingredients."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zerojhub.text import Say


@dataclass(frozen=True)
class Recipe:
    """A part, with everything that determines its content."""

    name: str
    ingredients: tuple[str, ...]
    """Versions, package lists and sources: everything that changes the result."""
    make: Callable[[Path, Say], None]
    """Fills the empty folder."""

    def path(self, cache: Path) -> Path:
        digest = hashlib.sha256(json.dumps((self.name, self.ingredients)).encode()).hexdigest()
        return cache / f"{self.name}-{digest[:12]}"

    def build(self, cache: Path, say: Say) -> Path:
        """The part's folder; built completely or not at all if it does not exist."""
        path = self.path(cache)
        if not path.exists():
            scratch = path.with_name(f"{path.name}.new")
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            self.make(scratch, say)
            scratch.rename(path)
        return path

    def prune(self, cache: Path) -> None:
        """Delete the results of earlier recipes of the part."""
        earlier = re.compile(rf"{re.escape(self.name)}-[0-9a-f]{{12}}(\.new)?")  # and not helm-4, which is another part
        for folder in cache.iterdir():
            if earlier.fullmatch(folder.name) and folder != self.path(cache):
                shutil.rmtree(folder, ignore_errors=True)
