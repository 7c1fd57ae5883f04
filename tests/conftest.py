"""What the tests share: what kind each is, the program as a person runs it, and a practice cloud."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pytest

from tests import forked

PROGRAM = Path(sys.executable).with_name("zerojhub")
ROOT = Path(__file__).parents[1]
GIVEN_CHARTS = list(filter(None, os.environ.get("ZEROJHUB_TEST_CHART", "").split(os.pathsep)))
"""Archives of Zero to JupyterHub's chart to test with, separated as in PATH."""


FOLDERS = {
    "unit": "unit",
    "chart": "helm",
    "kubernetes": "kubernetes",
    "contract": "contract",
    "browser": "browser",
    "journey": "practice",
    "distribution": "dist",
}
FIXTURES = {"sshd": "host", "real": "agreement", "object_store": "stores"}
KINDS = {*FOLDERS.values(), *FIXTURES.values(), "faults", "backups", "helm4", "certificates"}
"""Each test has one of these marks (see `markers` in pyproject.toml): its own, or that of a fixture, or of its folder."""


PERSONAL = re.compile(r"OS_.*|KUBECONFIG|SSH_AUTH_SOCK|FORCE_COLOR|COLUMNS|LC_ALL|LANGUAGE")
"""Environment variables of the developer's that would change what a program does or says."""


# `make check` tries the same few examples every time, `make test-all` new ones for minutes.
hypothesis.settings.register_profile("few", max_examples=10, deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("many", max_examples=100, deadline=None, database=None, print_blob=True)


def pytest_configure() -> None:
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))
    # What a shell starts in the background ignores Ctrl-C, and so would every program that is tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in filter(PERSONAL.fullmatch, list(os.environ)):
        del os.environ[name]
    os.environ["LC_MESSAGES"] = "C"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if KINDS.isdisjoint(mark.name for mark in item.iter_markers()):
            used = [FIXTURES[name] for name in getattr(item, "fixturenames", ()) if name in FIXTURES]
            item.add_marker(used[0] if used else FOLDERS[item.path.relative_to(ROOT / "tests").parts[0]])


@dataclass
class Shell:
    """Runs programs in an environment of its own: nothing of the person's is read or written but the build cache."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *argv: str | Path, timeout: float = 600, **more) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in argv],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=more.pop("stdin", None if "input" in more else subprocess.DEVNULL),
            **more,
        )

    def zerojhub(
        self, *words: str | Path, code: int | None = 0, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run zerojhub and hold it to its exit code."""
        done = forked.run(
            "zerojhub", *map(str, words), folder=self.folder, environment=self.environment, timeout=timeout
        )
        assert code is None or done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *words: str | Path, code: int | None = 0):
        return json.loads(self.zerojhub(*words, "-o", "json", code=code).stdout)

    def openstack(self, *words: str, code: int = 0):
        """What the ordinary client says, as JSON where it can."""
        done = forked.run("openstack", *words, folder=self.folder, environment=self.environment)
        assert done.returncode == code, done.stderr
        return done.stdout

    def volumes(self) -> list[str]:
        """The status of each volume. A cluster detaches and deletes its volumes some time after their pods are gone."""
        return self.openstack("volume", "list", "-f", "value", "-c", "Status").split()

    def audit(self) -> list[dict]:
        """Every API call so far."""
        lines = self.zerojhub("practice", "logs", "--audit", "-o", "json").stdout.splitlines()
        return [json.loads(line) for line in lines]

    def writes(self, since: int = 0) -> list[dict]:
        """The API calls from number `since` on that change something; neither asking for a token nor a lock does."""
        calls = [each for each in self.audit()[since:] if each["method"] not in ("GET", "HEAD")]
        return [each for each in calls if not re.search("/(auth/tokens|subnetpools)", each["path"])]


def shell_in(folder: Path) -> Shell:
    """A shell whose state is in `folder`; the cache of what was built is the person's."""
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "NO_COLOR": "1",
    }
    environment.setdefault("SHELL", "/bin/sh")  # magnumclient's `cluster config` cannot do without
    environment.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    return Shell(folder, environment)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """No cloud."""
    return shell_in(tmp_path)


@pytest.fixture(scope="session")
def practice_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """The practice cloud, started once."""
    shell = shell_in(tmp_path_factory.mktemp("practice"))
    shell.zerojhub("practice", "start", timeout=300)
    try:
        for line in shell.zerojhub("practice", "env").stdout.splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            shell.environment[name] = value.strip("'\"")
        yield shell
    finally:
        shell.zerojhub("practice", "stop", timeout=300)


@pytest.fixture(scope="module")
def cloud(practice_cloud: Shell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """The practice cloud as it is when it has just started, for each file of tests: nothing of one is left to the next."""
    yield Shell(tmp_path_factory.mktemp("cloud"), practice_cloud.environment.copy())
    practice_cloud.zerojhub("practice", "reset", "--yes", timeout=300)
    for deployments in Path(practice_cloud.environment["XDG_STATE_HOME"]).glob("zerojhub/*"):
        if deployments.name != "practice":
            shutil.rmtree(deployments)
