"""`zerojhub init`: every profile loads as a deployment, with values that the chart accepts."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import anyio
import pytest

from tests.command import run
from tests.conftest import ROOT
from zerojhub import deployment, profiles, yamlfile
from zerojhub.hub import charts, settings, values

NAMES = [profile.name for profile in profiles.listed()]


@pytest.fixture(scope="module")
def chart():
    return anyio.run(charts.find, "embedded", None, Path())


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_a_hub_that_the_chart_takes(tmp_path, chart, name):
    profiles.write(name, tmp_path / "hub.yaml")
    loaded = deployment.load(tmp_path / "hub.yaml")
    if name == "https":  # what only the user knows
        left = values.problems(values.UserValues(loaded.hub.values), chart)
        assert [str(each).endswith("has not been filled in") for each in left] == [True] * 4
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text().replace("YOUR-", "some-"))
    user = values.UserValues(loaded.hub.values)
    assert values.problems(user, chart) == []
    assert values.lets_anyone_in(user, chart) is None
    assert list(settings.doubtful(user)) == []


def test_help_and_list_name_every_profile():
    shown = " ".join(run("init", "--help", code=0).stdout.split())
    assert all(name in shown for name in NAMES)
    listed = [row["name"] for row in json.loads(run("init", "--list", "-o", "json", code=0).stdout)]
    assert listed[0] == "minimal"
    assert set(listed) == set(NAMES) == {folder.parent.name for folder in (ROOT / "config").glob("*/hub.yaml")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_smallest_is_written_when_none_is_named(folder):
    done = run("init", code=0)
    assert "wrote hub.yaml and config.yaml" in done.stdout
    assert "next: set cloud and template in hub.yaml, then run: zerojhub plan" in done.stdout
    assert deployment.load(folder / "hub.yaml").name == "workshop"


def test_passwords_are_new_and_nobody_elses(folder):
    run("init", "classroom", code=0)
    path = folder / "config.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    passwords = yamlfile.read_yaml(path)["hub"]["config"]["SharedPasswordAuthenticator"]
    assert len(passwords["admin_password"]) >= 32
    assert passwords["admin_password"] != passwords["user_password"]
    run("init", "classroom", "-f", "again/hub.yaml", code=2)
    (folder / "again").mkdir()
    run("init", "classroom", "-f", "again/hub.yaml", code=0)
    assert passwords["user_password"] not in (folder / "again" / "config.yaml").read_text()


@pytest.mark.parametrize("there", ["hub.yaml", "config.yaml"])
def test_nothing_is_overwritten(folder, there):
    (folder / there).write_text("mine\n")
    assert f"{there}: already exists" in run("init", "gpu", code=2).stderr
    assert [path.name for path in folder.glob("*.yaml")] == [there]
    assert (folder / there).read_text() == "mine\n"


def test_an_unknown_profile(folder):
    assert "did you mean 'classroom'?" in run("init", "clasroom", code=2).stderr
    assert "legacy-magnum" in run("init", "nothing-like-it", code=2).stderr
