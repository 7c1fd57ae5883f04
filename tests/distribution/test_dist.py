"""The wheel and the sdist, in `dist/`: what is in them, and that zerojhub works when only the wheel is installed.

Beside them is their bill of materials, in CycloneDX: every package that the wheel was installed with, with its license.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from zerojhub import __version__

pytestmark = pytest.mark.dist

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"

EVERY_MODULE = """
import importlib, pkgutil, zerojhub
assert "site-packages" in zerojhub.__file__, zerojhub.__file__
for module in pkgutil.walk_packages(zerojhub.__path__, "zerojhub."):
    runs_only = module.name.endswith(("__main__", "keystone_authenticator"))  # the second in a hub
    if "practice" not in module.name and not runs_only:
        importlib.import_module(module.name)
"""
EVERY_HELP = """
import typer
from zerojhub.cli import app
def walk(command, context):
    command.get_help(context)
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        inner = command.get_command(context, name)
        walk(inner, typer.Context(inner, info_name=name, parent=context))
root = typer.main.get_command(app)
walk(root, typer.Context(root, info_name="zerojhub"))
"""
CHART = """
import sys, anyio
from pathlib import Path
from zerojhub.hub import charts, values
chart = anyio.run(charts.find, "embedded", None, Path())
problems = values.problems(values.UserValues(Path(sys.argv[1])), chart)
assert not problems, problems
print(chart.name)
"""
WORKSHOP_FILES = """
from zerojhub.workshops import WORKSHOPS, pages
for workshop in WORKSHOPS:
    print(workshop.number, *sorted(path.name for path in pages.lay_out(workshop).iterdir()))
"""


@pytest.fixture(scope="session")
def wheel() -> Path:
    """Build dist/ anew: the sdist, and the wheel from the sdist."""
    shutil.rmtree(DIST, ignore_errors=True)
    _run(sys.executable, "-m", "build", "--outdir", str(DIST), str(ROOT))
    (built,) = DIST.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment in which nothing but the wheel is installed."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder)
    _pip(folder / "bin", "install", "--quiet", "--constraint", str(ROOT / "tests/constraints.txt"), str(wheel))
    return folder / "bin"


def _pip(folder: Path, *arguments: str) -> str:
    """Run pip for the environment of these programs, in which it is not installed itself."""
    python = str(folder / "python")
    return _run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, *arguments)


@pytest.fixture(scope="session")
def bill(bin_folder: Path) -> dict[str, Any]:
    """The bill of materials of that environment, which is written to dist/."""
    path = DIST / f"zerojhub-{__version__}.cdx.json"
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--short-PURLs"]
    _run(sys.executable, "-m", "cyclonedx_py", "environment", *options, "-o", str(path), str(bin_folder / "python"))
    written = json.loads(path.read_text())
    written["metadata"]["component"]["version"] = __version__  # which pyproject.toml does not have
    path.write_text(json.dumps(written, indent=1) + "\n")
    return written


def _run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None, code: int = 0) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stderr if code else done.stdout


@pytest.fixture
def installed(bin_folder: Path, tmp_path: Path):
    """Run a program of that environment in an empty folder, with nothing of the checkout's environment."""

    def run(program: str, *arguments: str, code: int = 0) -> str:
        env = {"PATH": os.defpath, "HOME": str(tmp_path), "COLUMNS": "80"}
        return _run(str(bin_folder / program), *arguments, cwd=tmp_path, env=env, code=code)

    return run


def _contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


def test_the_sdist_builds_the_same_wheel_as_the_checkout(wheel, tmp_path):
    _run(sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT))
    assert _contents(wheel) == _contents(tmp_path / wheel.name)


def test_the_sdist_has_the_checkout(wheel):
    tracked = set(_run("git", "ls-files", cwd=ROOT).splitlines())
    with tarfile.open(next(DIST.glob("*.tar.gz"))) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert packed == tracked | {"PKG-INFO"}


def test_the_wheel_has_the_package_its_types_and_its_license_only(wheel):
    names = set(_contents(wheel))
    about = f"zerojhub-{__version__}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"zerojhub", about}
    assert {"zerojhub/py.typed", f"{about}/licenses/LICENSE"} <= names


def test_the_version_is_one(wheel, installed):
    assert wheel.name.startswith(f"zerojhub-{__version__}-")
    assert installed("zerojhub", "--version") == f"zerojhub {__version__}\n"


def test_every_module_finds_what_it_imports(installed, bin_folder):
    _pip(bin_folder, "check")
    installed("python", "-c", EVERY_MODULE)


def test_the_bill_of_materials_lists_what_is_installed(bill, bin_folder):
    installed = {
        each["name"].lower(): each["version"] for each in json.loads(_pip(bin_folder, "list", "--format=json"))
    }
    listed = {each["name"].lower(): each["version"] for each in (*bill["components"], bill["metadata"]["component"])}
    assert listed == installed
    assert {"zerojhub", "openstacksdk", "cryptography", "pyyaml"} <= set(listed)
    assert all(each["purl"].startswith("pkg:pypi/") for each in bill["components"])
    assert "file:" not in json.dumps(bill)  # the wheel was installed from a file on this machine


def test_every_command_has_help(installed):
    assert "zerojhub" in installed("zerojhub", "--help")
    installed("python", "-c", EVERY_HELP)


def test_every_profile_is_written_and_its_values_fit_the_chart(installed, tmp_path):
    names = [row["name"] for row in json.loads(installed("zerojhub", "init", "--list", "-o", "json"))]
    assert "minimal" in names
    for name in names:
        (tmp_path / name).mkdir()
        installed("zerojhub", "init", name, "--file", f"{name}/hub.yaml")
    assert installed("python", "-c", CHART, "minimal/config.yaml") == "jupyterhub\n"


def test_the_workshops_bring_their_files(installed):
    numbers = [row["number"] for row in json.loads(installed("zerojhub", "workshop", "list", "-o", "json"))]
    folders = installed("python", "-c", WORKSHOP_FILES).splitlines()
    assert [int(line.split()[0]) for line in folders] == numbers
    for line in folders:
        assert {"README.md", "hub.yaml", "config.yaml"} <= set(line.split()), line


def test_the_practice_cloud_names_the_extra_that_it_needs(installed):
    for command in (("practice", "start"), ("practice", "build"), ("workshop", "start", "1")):
        assert "pip install 'zerojhub[practice]'" in installed("zerojhub", *command, code=1)
