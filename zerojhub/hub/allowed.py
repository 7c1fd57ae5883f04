"""Whether anyone may log in: OAuth authenticators admit only those whom a setting allows."""

from __future__ import annotations

import json
import re
from typing import Any

from zerojhub.errors import UserError
from zerojhub.hub.charts import ChartArchive
from zerojhub.hub.values import UserValues, at, merged

SINCE = 3
"""The chart's first major version with OAuthenticator 16, in which no allow setting means nobody and not everybody."""

CLASSES = {
    "auth0": "Auth0OAuthenticator",
    "azuread": "AzureAdOAuthenticator",
    "bitbucket": "BitbucketOAuthenticator",
    "cilogon": "CILogonOAuthenticator",
    "generic-oauth": "GenericOAuthenticator",
    "github": "GitHubOAuthenticator",
    "gitlab": "GitLabOAuthenticator",
    "globus": "GlobusOAuthenticator",
    "google": "GoogleOAuthenticator",
    "mediawiki": "MWOAuthenticator",
    "okpy": "OkpyOAuthenticator",
    "openshift": "OpenShiftOAuthenticator",
}
"""The names by which the authenticators of the package oauthenticator can be chosen; each also with `local-` before it."""

OWN_SETTINGS = {
    "BitbucketOAuthenticator": "allowed_teams",
    "GenericOAuthenticator": "allowed_groups",
    "GitHubOAuthenticator": "allowed_organizations",
    "GitLabOAuthenticator": "allowed_gitlab_groups",
    "GlobusOAuthenticator": "allowed_globus_groups",
    "GoogleOAuthenticator": "allowed_google_groups",
}
"""What people of that provider usually allow, for the hint."""

ALLOWS = re.compile(r"allow|any_allow|admin_|\w*whitelist$")
"""Settings that admit someone: OAuthenticators admit administrators, too."""
ALLOWS_NOT = {"allowed_idps", "allow_unverified_email"}
"""Conditions for those whom another setting admits. The identity providers of CILogon may allow someone each."""
IN_CODE = re.compile(r"(?i)authenticator|allow|admin_users|load_subconfig|exec\(")
"""Code that may set all this."""


def lets_nobody_in(user: UserValues, chart: ChartArchive) -> UserError | None:
    """The authenticator for which no setting allows anyone, as an error; None if there is none, or code may set one."""
    if chart.major < SINCE:
        return None
    values = merged(chart.defaults, user.values)
    code = {key: at(values, "hub", key) for key in ("extraConfig", "extraFiles", "command", "args")}
    if at(values, "hub", "existingSecret") or IN_CODE.search(json.dumps(code)):
        return None
    chosen = ("hub", "config", "JupyterHub", "authenticator_class")
    name = _class_of(str(at(values, *chosen)))
    if not name or at(values, "hub", "config", "JupyterHub", "admin_users"):
        return None
    sections = ("Authenticator", "OAuthenticator", "LocalAuthenticator", name, f"Local{name}")
    if any(_allows(at(values, "hub", "config", section)) for section in sections):
        return None
    own = f"{OWN_SETTINGS[name]} or allowed_users" if name in OWN_SETTINGS else "allowed_users"
    return UserError(
        f"nobody could log in: {name} admits only users whom a setting allows, and there is none",
        where=user.where(chosen),
        hint=f"set hub.config.{name}.{own}, or allow_all: true for everyone with an account there",
    )


def _class_of(chosen: str) -> str | None:
    """The authenticator's class without `Local`; None if it is not one of the package oauthenticator."""
    if found := re.fullmatch(r"oauthenticator\.(?:\w+\.)*(?:Local)?(\w+)", chosen):
        return found[1] if found[1] in CLASSES.values() else None
    return CLASSES.get(chosen.lower().removeprefix("local-"))


def _allows(section: Any) -> bool:
    """Does a section of hub.config, or one in it, allow someone?"""
    if not isinstance(section, dict):
        return False
    return any(
        (value and ALLOWS.match(key) and key not in ALLOWS_NOT) or _allows(value) for key, value in section.items()
    )
