"""`zerojhub init`: every profile loads as a deployment, with values that the chart accepts."""

from __future__ import annotations

import stat
from pathlib import Path

import anyio
import pytest

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


def test_help_and_list_name_every_profile(shell):
    shown = " ".join(shell.zerojhub("init", "--help").stdout.split())
    assert all(name in shown for name in NAMES)
    assert shell.json("init", "--list")[0]["name"] == "minimal"
    assert (
        {row["name"] for row in shell.json("init", "--list")}
        == set(NAMES)
        == {folder.parent.name for folder in (Path(__file__).parents[2] / "config").glob("*/hub.yaml")}
    )


def test_the_smallest_is_written_when_none_is_named(shell):
    done = shell.zerojhub("init")
    assert "wrote hub.yaml and config.yaml" in done.stdout
    assert "next: set cloud and template in hub.yaml, then run: zerojhub plan" in done.stdout
    assert deployment.load(shell.folder / "hub.yaml").name == "workshop"


def test_passwords_are_new_and_nobody_elses(shell):
    shell.zerojhub("init", "classroom")
    path = shell.folder / "config.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    passwords = yamlfile.read_yaml(path)["hub"]["config"]["SharedPasswordAuthenticator"]
    assert len(passwords["admin_password"]) >= 32
    assert passwords["admin_password"] != passwords["user_password"]
    shell.zerojhub("init", "classroom", "-f", "again/hub.yaml", code=2)
    (shell.folder / "again").mkdir()
    shell.zerojhub("init", "classroom", "-f", "again/hub.yaml")
    assert passwords["user_password"] not in (shell.folder / "again" / "config.yaml").read_text()


@pytest.mark.parametrize("there", ["hub.yaml", "config.yaml"])
def test_nothing_is_overwritten(shell, there):
    (shell.folder / there).write_text("mine\n")
    assert f"{there}: already exists" in shell.zerojhub("init", "gpu", code=2).stderr
    assert [path.name for path in shell.folder.glob("*.yaml")] == [there]
    assert (shell.folder / there).read_text() == "mine\n"


def test_an_unknown_profile(shell):
    assert "did you mean 'classroom'?" in shell.zerojhub("init", "clasroom", code=2).stderr
    assert "legacy-magnum" in shell.zerojhub("init", "nothing-like-it", code=2).stderr
