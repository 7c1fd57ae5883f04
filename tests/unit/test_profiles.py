"""`zerojhub init`: every profile loads as a deployment, with values that the chart accepts."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import anyio
import pytest

from tests.command import run
from tests.conftest import ROOT
from zerojhub import deployment, profiles, yamlfile
from zerojhub.hub import charts, settings, values
from zerojhub.logins import KINDS

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


KEYS = [kind.key for kind in KINDS]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "legacy-magnum"])
@pytest.mark.parametrize("key", KEYS)
def test_a_profile_with_another_login_lacks_only_what_its_user_knows(folder, chart, name, key):
    done = run("init", name, "--login", key, "--host", "hub.example.org", code=0)
    text = (folder / "hub.yaml").read_text()
    for line in done.stdout.splitlines():
        assert not line.startswith("  ") or f"  # {line.strip()}" in text
    filled = re.sub(r"\bYOUR-[A-Z-]+(URL|ISSUER)\b", "https://login.example.org", text).replace(
        "YOUR-ISSUER", "https://a.org"
    )
    filled = filled.replace("YOUR-ENTITY-ID", "https://idp.example.org").replace(
        "YOUR-E-MAIL-ADDRESS", "me@example.org"
    )
    (folder / "hub.yaml").write_text(re.sub(r"\bYOUR-[A-Z-]+", "mine", filled))
    loaded = deployment.load(folder / "hub.yaml")
    assert loaded.login and loaded.login.kind.key == key
    # Nothing of the profile's own authenticator is left to take precedence.
    user = values.UserValues(loaded.hub.values)
    assert "config" not in user.values.get("hub", {})
    assert values.problems(user, chart) == []


@pytest.mark.parametrize("key", ["github", "gitlab", "google", "cilogon", "oidc", "lti"])
def test_the_callback_is_in_the_instructions(folder, key):
    done = run("init", "https", "--login", key, "--host", "lab.example.org", code=0)
    kind = next(kind for kind in KINDS if kind.key == key)
    assert f"https://lab.example.org/{kind.callback_path}" in done.stdout
    assert yamlfile.read_yaml(folder / "hub.yaml")["hub"]["host"] == "lab.example.org"


def test_made_up_passwords_are_only_for_their_owner(folder):
    run("init", "--login", "shared-password", code=0)
    loaded = deployment.load(folder / "hub.yaml")
    assert loaded.login
    found = loaded.login.kind.read_secrets(str)
    assert len(set(found.values())) == 2
    assert all(len(password) >= 32 for password in found.values())


def test_help_names_every_login():
    shown = "".join(run("init", "--help", code=0).stdout.split())  # lines end at hyphens, too
    assert all(key in shown for key in KEYS)


def test_a_login_that_there_is_not(folder):
    assert "did you mean 'github'?" in run("init", "--login", "githup", code=2).stderr
    assert "--host is for --login" in run("init", "--host", "a.org", code=2).stderr
    assert "chart 0.11.1" in run("init", "legacy-magnum", "--login", "ldap", code=2).stderr
    assert list(folder.iterdir()) == []
