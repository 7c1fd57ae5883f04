"""Programs from PyPI, each in a virtual environment of its own."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

from zerojhub.practice import objectstore
from zerojhub.practice.build.recipe import Recipe
from zerojhub.practice.build.tools import Tools
from zerojhub.text import Say


def swift(tools: Tools) -> Recipe:
    """The object store, for the Python that runs this."""
    packages = [objectstore.HERE / name for name in ("requirements.txt", "constraints.txt")]

    def make(folder: Path, say: Say) -> None:
        say("swift: packages")
        venv.create(folder, symlinks=True)
        pip = [sys.executable, "-m", "pip", f"--python={folder / 'bin' / 'python'}", "--disable-pip-version-check"]
        wanted = [f"--requirement={packages[0]}", f"--constraint={packages[1]}"]
        tools.run([*pip, "install", "--progress-bar=off", *wanted], "swift")

    return Recipe("swift", (sys.version, sys.base_prefix, *(file.read_text() for file in packages)), make)
