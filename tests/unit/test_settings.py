"""Settings in hub.config: what stops JupyterHub is refused, what it accepts is not.

`tests/chart/test_settings.py` verifies with JupyterHub itself what is expected here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zerojhub.hub import settings
from zerojhub.hub.values import UserValues

REFUSED = [
    ("Authenticator", "allow_all", "yes", "must be true or false, not 'yes'"),
    ("Authenticator", "allow_all", "true", "must be true or false, not 'true' (remove the quotes)"),
    ("Authenticator", "enable_auth_state", [], "must be true or false, not a list"),
    ("JupyterHub", "admin_access", "no", "must be true or false, not 'no'"),
    ("JupyterHub", "authenticator_class", "dumy", "unknown authenticator_class 'dumy' (did you mean dummy?)"),
    ("JupyterHub", "authenticator_class", "DummyAuthenticator", "'DummyAuthenticator' (did you mean dummy?)"),
    ("JupyterHub", "authenticator_class", "githubb", "'githubb' (did you mean github?)"),
    ("JupyterHub", "authenticator_class", "sharedpassword", "(did you mean shared-password?)"),
]
ACCEPTED: list[tuple[str, str, Any]] = [
    ("Authenticator", "allow_all", True),
    ("Authenticator", "allow_all", 1),
    ("Authenticator", "admin_users", "alice"),
    ("Authenticator", "admin_users", ["alice"]),
    ("JupyterHub", "authenticator_class", "Dummy"),
    ("JupyterHub", "authenticator_class", "jupyterhub.auth.DummyAuthenticator"),
]


def user(folder: Path, config: dict[str, Any], **hub: Any) -> UserValues:
    path = folder / "config.yaml"
    path.write_text(json.dumps({"hub": {"config": config} | hub}, indent=1))
    return UserValues(path)


@pytest.mark.parametrize(("section", "key", "value", "said"), REFUSED)
def test_what_stops_the_hub_is_refused_with_its_line(tmp_path, section, key, value, said):
    [(place, error)] = settings.refused(user(tmp_path, {section: {key: value}}))
    assert place == ("hub", "config", section, key)
    assert str(error).startswith(f"{tmp_path}/config.yaml:5: ")
    assert said in str(error)


@pytest.mark.parametrize(("section", "key", "value"), ACCEPTED)
def test_what_the_hub_accepts_is_accepted_without_a_word(tmp_path, section, key, value):
    values = user(tmp_path, {section: {key: value}})
    assert [*settings.refused(values), *settings.doubtful(values)] == []


@pytest.mark.parametrize(
    ("config", "hub", "said"),
    [
        (
            {"Authenticator": {"admin_users": "alice, bob"}},
            {},
            "5: hub.config.Authenticator.admin_users is a single user named 'alice, bob' (did you mean a list:",
        ),
        ({"DummyAuthentcator": {"password": "x"}}, {}, "4: hub.config.DummyAuthentcator has no effect if there is no"),
        ({"Jupyterhub": {"admin_access": True}}, {}, "(did you mean JupyterHub?)"),
        (
            {"JupyterHub": {"authenticator_class": "saml"}},
            {},
            "5: no authenticator 'saml' comes with JupyterHub's image",
        ),
        ({"JupyterHub": {"authenticator_class": "githubb"}}, {"image": {"name": "own"}}, "no authenticator 'githubb'"),
        (
            {"JupyterHub": {"authenticator_class": "dumy"}},
            {"extraConfig": {"a": "c.JupyterHub.authenticator_class = X"}},
            "",
        ),
    ],
)
def test_what_is_probably_a_mistake_is_a_warning(tmp_path, config, hub, said):
    values = user(tmp_path, config, **hub)
    [warning] = settings.doubtful(values)
    assert warning.startswith(f"{tmp_path}/config.yaml:")
    assert said in warning
    assert list(settings.refused(values)) == []


@pytest.mark.parametrize(
    ("config", "hub"),
    [
        ({"MyAuthenticator": {"x": 1}}, {}),
        ({"DummyAuthentcator": {"x": 1}}, {"extraConfig": {"mine": "class DummyAuthentcator(Authenticator): pass"}}),
        ({"GitHubbOAuthenticator": {}, "JupyterHub": {"authenticator_class": "mine.GitHubbOAuthenticator"}}, {}),
        ({"KubeSpawner": {}, "LocalGitHubOAuthenticator": {}, "ResourceLimits": {}}, {}),
    ],
)
def test_classes_of_the_users_own_code_are_not_misspelt(tmp_path, config, hub):
    assert list(settings.doubtful(user(tmp_path, config, **hub))) == []
