"""Hubs that nobody could log in to, because an OAuth authenticator is not told whom to admit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from zerojhub.hub import charts
from zerojhub.hub.allowed import lets_nobody_in, may_let_nobody_in
from zerojhub.hub.values import UserValues


@pytest.fixture
def ask(tmp_path):
    """Ask about these values of `hub`, and its `config`, with a chart of this version."""

    def ask(config: dict, hub: dict | None = None, version: str = "4.4.0", question: Callable = lets_nobody_in):
        (tmp_path / "Chart.yaml").write_text(f"name: jupyterhub\nversion: {version}\n")
        (tmp_path / "values.yaml").write_text("hub: {config: {JupyterHub: {admin_access: true}}}\n")
        path = tmp_path / "config.yaml"
        path.write_text(json.dumps({"hub": {"config": config, **(hub or {})}}, indent=1))
        return question(UserValues(path), anyio.run(charts.find, str(tmp_path), None, Path()))

    return ask


def config(chosen: str = "github", **sections: dict) -> dict:
    return {"JupyterHub": {"authenticator_class": chosen}, **sections}


@pytest.mark.parametrize("version", ["3.0.0-alpha.1", "3.3.8", "4.4.0+zerojhub.1"])
def test_an_oauth_authenticator_without_an_allow_setting_is_refused_with_its_line(ask, version):
    refusal = ask(config(GitHubOAuthenticator={"client_id": "x"}), version=version)
    assert refusal and refusal.where.endswith("config.yaml:5")
    assert "nobody could log in: GitHubOAuthenticator" in refusal.message
    assert "hub.config.GitHubOAuthenticator.allowed_organizations" in str(refusal)


@pytest.mark.parametrize(
    "chosen",
    [
        "GitHub",
        "local-github",
        "oauthenticator.GitHubOAuthenticator",
        "oauthenticator.github.LocalGitHubOAuthenticator",
        "oauthenticator.azuread.AzureAdOAuthenticator",
        "cilogon",
        "generic-oauth",
        "mediawiki",
    ],
)
def test_every_name_of_an_oauth_authenticator_is_known(ask, chosen):
    assert ask(config(chosen))


@pytest.mark.parametrize(
    ("chosen", "sections"),
    [
        ("github", {"GitHubOAuthenticator": {"allowed_organizations": [], "allow_all": False}}),
        ("github", {"Authenticator": {"allowed_users": None, "blocked_users": ["eve"]}}),
        ("github", {"GoogleOAuthenticator": {"allowed_users": ["ada"]}}),
        ("google", {"GoogleOAuthenticator": {"hosted_domain": ["example.org"]}}),
        ("globus", {"GlobusOAuthenticator": {"identity_provider": "example.org"}}),
        ("auth0", {"Auth0OAuthenticator": {"allow_unverified_email": True}}),
        ("cilogon", {"CILogonOAuthenticator": {"allowed_idps": {"https://x": {"username_derivation": {}}}}}),
    ],
)
def test_settings_that_admit_nobody(ask, chosen, sections):
    assert ask(config(chosen, **sections))


@pytest.mark.parametrize(
    ("chosen", "sections"),
    [
        ("github", {"Authenticator": {"allow_all": True}}),
        ("github", {"Authenticator": {"admin_users": ["ada"]}}),
        ("github", {"OAuthenticator": {"allow_existing_users": True}}),
        ("github", {"GitHubOAuthenticator": {"allowed_users": ["ada"]}}),
        ("github", {"GitHubOAuthenticator": {"allowed_organizations": ["lab"]}}),
        ("github", {"GitHubOAuthenticator": {"github_organization_whitelist": ["lab"]}}),
        ("local-github", {"LocalAuthenticator": {"allowed_groups": ["lab"]}}),
        ("github", {"LocalGitHubOAuthenticator": {"allow_all": True}}),
        ("oauthenticator.gitlab.GitLabOAuthenticator", {"GitLabOAuthenticator": {"allowed_project_ids": [7]}}),
        ("generic-oauth", {"GenericOAuthenticator": {"admin_groups": ["staff"]}}),
        ("globus", {"GlobusOAuthenticator": {"admin_globus_groups": ["x"]}}),
        ("google", {"GoogleOAuthenticator": {"allowed_google_groups": {"example.org": ["x"]}}}),
        ("cilogon", {"CILogonOAuthenticator": {"allowed_idps": {"https://x": {"allowed_domains": ["x.org"]}}}}),
        ("cilogon", {"CILogonOAuthenticator": {"idps": {"https://x": {"allow_all": True}}}}),
        ("github", {"Authenticator": {"any_allow_config": True}}),
    ],
)
def test_settings_that_admit_someone(ask, chosen, sections):
    assert ask(config(chosen, **sections)) is None


@pytest.mark.parametrize(
    "hub",
    [
        {"extraConfig": {"who": "c.GitHubOAuthenticator.allowed_organizations = {'lab'}"}},
        {"extraConfig": {"who": "c.Authenticator.admin_users = {'ada'}"}},
        {"extraConfig": {"more": "load_subconfig('/etc/more.py')"}},
        {"extraFiles": {"who": {"mountPath": "/etc/who.py", "stringData": "c.Authenticator.allow_all = True"}}},
        {"existingSecret": "ours"},
        {"args": ["--Authenticator.allow_all=True"]},
    ],
)
def test_nothing_is_said_where_something_else_may_admit_users(ask, hub):
    assert ask(config(), hub) is None


def test_code_about_other_things_changes_nothing(ask):
    assert ask(config(), {"extraConfig": {"name": "c.JupyterHub.template_vars = {'title': 'Lab'}"}})


@pytest.mark.parametrize("version", ["0.11.1", "2.0.0", "0.1.0"])
def test_older_charts_admit_everyone(ask, version):
    assert ask(config(), version=version) is None


@pytest.mark.parametrize(
    ("chosen", "sections", "name"),
    [
        ("native", {"NativeAuthenticator": {"allow_2fa": True, "allowed_failed_logins": 3}}, "NativeAuthenticator"),
        ("ldapauthenticator.LDAPAuthenticator", {}, "LDAPAuthenticator"),
        ("ltiauthenticator.lti13.auth.LTI13Authenticator", {}, "LTI13Authenticator"),
        ("shared-password", {"SharedPasswordAuthenticator": {"admin_password": "x"}}, "SharedPasswordAuthenticator"),
        ("native", {"Authenticator": {"allow_all": True}}, None),
        ("ldap", {"LDAPAuthenticator": {"allowed_groups": ["lab"]}}, None),
        ("dummy", {}, None),
        ("firstuseauthenticator.FirstUseAuthenticator", {}, None),
        ("github", {}, None),
    ],
)
def test_other_authenticators_that_probably_admit_nobody_are_a_warning(ask, chosen, sections, name):
    warning = ask(config(chosen, **sections), question=may_let_nobody_in)
    assert (name in warning) if name else warning is None
    assert ask(config(chosen, **sections), version="3.3.8", question=may_let_nobody_in) is None


@pytest.mark.parametrize("chosen", ["dummy", "native", "mine.GitHubOAuthenticator", "oauthenticator.mine.Other", None])
def test_other_authenticators_are_not_judged(ask, chosen):
    assert ask(config(chosen)) is None


@pytest.mark.parametrize("wrong", [None, "github", ["github"]])
def test_a_section_that_is_not_a_mapping_is_no_crash(ask, wrong):
    assert ask({"JupyterHub": wrong, "Authenticator": wrong}) is None


def test_the_old_setting_for_administrators_counts(ask):
    assert ask({"JupyterHub": {"authenticator_class": "github", "admin_users": ["ada"]}}) is None
