"""Whom OAuth authenticators let in: only those whom a setting allows, which may be nobody, or everybody."""

from __future__ import annotations

import json
import re
from typing import Any

from zerojhub.errors import UserError
from zerojhub.hub.authenticators import OAUTH, OTHERS
from zerojhub.hub.charts import ChartArchive, at
from zerojhub.hub.values import UserValues, authenticator, merged

OAUTH_SINCE = 3
"""The chart's first major version with OAuthenticator 16, in which no allow setting means nobody and not everybody."""
ALL_SINCE = 4
"""The first with JupyterHub 5, in which that is so for every authenticator that does not decide otherwise."""

OWN_SETTINGS = {
    "BitbucketOAuthenticator": "allowed_teams",
    "GenericOAuthenticator": "allowed_groups",
    "GitHubOAuthenticator": "allowed_organizations",
    "GitLabOAuthenticator": "allowed_gitlab_groups",
    "GlobusOAuthenticator": "allowed_globus_groups",
    "GoogleOAuthenticator": "allowed_google_groups",
}
"""What people of that provider usually allow, for the hint."""

OAUTH_ALLOWS = re.compile(r"(?!allowed_idps|allow_unverified_email)(allow|any_allow|admin_|\w*whitelist$)")
"""Settings that admit someone: OAuthenticators admit administrators, too. The identity providers of CILogon do not, but may
each have such a setting."""
ALLOWS = re.compile(r"allow_all|allow_existing_users|allowed_(users|groups)|any_allow_config")
"""The same of other authenticators."""
PUBLIC = {
    "github": ("GitHubOAuthenticator", "GitHub", ("github_url",)),
    "gitlab": ("GitLabOAuthenticator", "GitLab", ("gitlab_url",)),
    "google": ("GoogleOAuthenticator", "Google", ("hosted_domain",)),
}
"""Providers of whom everyone can have an account: the authenticator's class, what people call it, and the settings that make
it another provider or keep most people out."""
PUBLIC_IDPS = {
    "http://google.com/accounts/o8/id": "Google",
    "http://github.com/login/oauth/authorize": "GitHub",
    "http://orcid.org/oauth/authorize": "ORCID",
    "http://login.microsoftonline.com/common/oauth2/v2.0/authorize": "Microsoft",
}
"""The same among those of CILogon, by their EntityIDs."""
CHOSEN = ("hub", "config", "JupyterHub", "authenticator_class")
IN_CODE = re.compile(r"(?i)authenticator|allow|admin_users|load_subconfig|exec\(")
"""Code that may set all this."""


def lets_nobody_in(user: UserValues, chart: ChartArchive) -> UserError | None:
    """The OAuth authenticator for which no setting allows anyone, as an error; None if there is none, or code may set one."""
    name = _admits_nobody(user, chart, OAUTH, OAUTH_ALLOWS) if chart.major >= OAUTH_SINCE else None
    if not name:
        return None
    message = f"nobody could log in: {name} admits only users whom a setting allows, and there is none"
    if user.underlying:
        return UserError(message, where=user.where(CHOSEN), hint=user.underlying.rules)
    own = f"{OWN_SETTINGS[name]} or allowed_users" if name in OWN_SETTINGS else "allowed_users"
    return UserError(
        message,
        where=user.where(CHOSEN),
        hint=f"set hub.config.{name}.{own}, or allow_all: true for everyone with an account there",
    )


def may_let_nobody_in(user: UserValues, chart: ChartArchive) -> str | None:
    """The same of other authenticators, as a remark: releases of them may decide for themselves."""
    name = _admits_nobody(user, chart, OTHERS, ALLOWS) if chart.major >= ALL_SINCE else None
    return (
        f"nobody can log in with {name} unless hub.config.Authenticator has allow_all or allowed_users"
        if name
        else None
    )


def may_let_everyone_in(user: UserValues, chart: ChartArchive) -> str | None:
    """That everyone is let in who has an account that everyone can have, as a remark."""
    values = merged(chart.defaults, user.values)
    if provider := _public_provider(authenticator(values), at(values, "hub", "config")):
        return f"everyone on the internet can have an account of {provider}, and everyone with one can log in"
    return None


def _public_provider(kind: str | None, config: Any) -> str | None:
    """The provider of whom everyone can have an account, if everyone with one is let in."""
    kind = (kind or "").removesuffix("o").removeprefix("local")  # GitHubOAuthenticator, local-github

    def allows_all(*sections: str) -> bool:
        return any(
            at(config, section, "allow_all") is True for section in ("Authenticator", "OAuthenticator", *sections)
        )

    if kind in PUBLIC:
        section, name, restrictions = PUBLIC[kind]
        if allows_all(section) and not any(at(config, section, key) for key in restrictions):
            return name
    if kind == "cilogon":
        section = "CILogonOAuthenticator"
        for idps in (at(config, section, key) for key in ("idps", "allowed_idps")):
            for idp, about in idps.items() if isinstance(idps, dict) else ():
                if idp in PUBLIC_IDPS and (allows_all(section) or at(about, "allow_all") is True):
                    return PUBLIC_IDPS[idp]
    return None


def _admits_nobody(
    user: UserValues, chart: ChartArchive, classes: dict[str, str], allows: re.Pattern[str]
) -> str | None:
    """The authenticator among these, if no setting that `allows` matches admits anyone."""
    values = merged(chart.defaults, user.values)
    code = {key: at(values, "hub", key) for key in ("extraConfig", "extraFiles", "command", "args")}
    if at(values, "hub", "existingSecret") or IN_CODE.search(json.dumps(code)):
        return None
    name = _class_of(str(at(values, *CHOSEN)), classes)
    if not name or at(values, "hub", "config", "JupyterHub", "admin_users"):
        return None
    sections = ("Authenticator", "OAuthenticator", "LocalAuthenticator", name, f"Local{name}")
    return None if any(_allows(at(values, "hub", "config", section), allows) for section in sections) else name


def _class_of(chosen: str, classes: dict[str, str]) -> str | None:
    """The authenticator's class without `Local`; None if it is not one of these."""
    if found := re.fullmatch(r"(\w+)\.(?:\w+\.)*(?:Local)?(\w+)", chosen):
        return found[2] if f"{found[1]}.{found[2]}" in classes.values() else None
    known = classes.get(chosen.lower().removeprefix("local-"))
    return known and known.partition(".")[2]


def _allows(section: Any, allows: re.Pattern[str]) -> bool:
    """Does a section of hub.config, or one in it, allow someone?"""
    if not isinstance(section, dict):
        return False
    return any((value and allows.match(key)) or _allows(value, allows) for key, value in section.items())
