"""Settings of JupyterHub's classes in hub.config: what the hub refuses, and what it accepts and nobody means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zerojhub.errors import UserError
from zerojhub.hub.authenticators import CLASSES, SHORT_NAMES
from zerojhub.hub.charts import at
from zerojhub.text import nearest, shown

if TYPE_CHECKING:
    from zerojhub.hub.values import UserValues

SWITCHES = re.compile(
    r"allow_(all|existing_users|named_servers|unverified_email)|any_allow_config|auto_login(_oauth2_authorize)?"
    r"|admin_access|authenticate_prometheus|cleanup_(proxy|servers)|create_(system_)?users|debug_(db|proxy)"
    r"|delete_invalid_users|enable_(auth_state|signup)|manage_(groups|roles)|open_signup|redirect_to_server"
    r"|refresh_pre_(spawn|stop)|request_otp|reset_managed_roles_on_startup|shutdown_on_logout|trust_user_provided_tokens"
)
"""Settings of JupyterHub and of authenticators that are true or false, and for which any text stops the hub."""
USERS = re.compile(r"(allowed|admin|blocked)_users|whitelist")
CONFIGURED = {
    *CLASSES,
    *(f"Local{name}" for name in CLASSES if "OAuth" in name),
    *("Application", "Authenticator", "ConfigurableHTTPProxy", "CryptKeeper", "JupyterHub", "KubeSpawner"),
    *("LocalAuthenticator", "OAuthenticator", "Proxy", "Spawner"),
}
"""Classes with settings in hub.config that are in the hub's image; others may be in code of the user's."""
SIMILAR = 0.8
"""How like a known name another must be to be a misspelling of it."""
CHOSEN = ("hub", "config", "JupyterHub", "authenticator_class")


def refused(user: UserValues) -> Iterator[tuple[tuple[str, ...], UserError]]:
    """What stops the hub when it starts, each with its place."""
    for section, settings in _sections(user):
        for key, value in settings.items():
            if SWITCHES.fullmatch(key) and isinstance(value, str | list | dict):
                place = ("hub", "config", section, key)
                hint = "remove the quotes" if value in ("true", "false") else None
                message = f"{'.'.join(place)}: must be true or false, not {shown(value)}"
                yield place, UserError(message, where=user.where(place), hint=hint)
    chosen = at(user.values, *CHOSEN)
    if (meant := _meant(chosen)) and not _has_own_code(user):
        message = f"unknown authenticator_class {chosen!r}"
        yield CHOSEN, UserError(message, where=user.where(CHOSEN), hint=f"did you mean {meant}?")


def doubtful(user: UserValues) -> Iterator[str]:
    """What the hub accepts, and is probably a mistake: a line each."""
    chosen, code = at(user.values, *CHOSEN), _code(user)
    if _is_unknown(chosen) and (not _meant(chosen) or _has_own_code(user)):
        where = user.where(CHOSEN)
        yield f"{where}: no authenticator {chosen!r} comes with JupyterHub's image (your own image may have one)"
    for section, settings in _sections(user):
        meant = nearest(section, CONFIGURED, likeness=SIMILAR)
        # MyAuthenticator is no misspelt Authenticator.
        if meant and not section.endswith(meant) and section not in f"{code} {chosen}":
            where = user.where(("hub", "config", section))
            yield f"{where}: hub.config.{section} has no effect if there is no such class (did you mean {meant}?)"
        for key, value in settings.items():
            if USERS.fullmatch(key) and isinstance(value, str) and re.search(r"[,;\s]", value.strip()):
                where = user.where(("hub", "config", section, key))
                yield f"{where}: hub.config.{section}.{key} is a single user named {value!r} (did you mean a list: [ada, ben]?)"


def _sections(user: UserValues) -> Iterator[tuple[str, dict[str, Any]]]:
    """The classes in hub.config, with their settings."""
    config = at(user.values, "hub", "config")
    for section, settings in config.items() if isinstance(config, dict) else ():
        if isinstance(settings, dict):
            yield section, settings


def _is_unknown(chosen: object) -> bool:
    return isinstance(chosen, str) and "." not in chosen and chosen.lower() not in SHORT_NAMES


def _meant(chosen: object) -> str | None:
    """The short name that was probably meant by one that is not known."""
    if not isinstance(chosen, str) or not _is_unknown(chosen):
        return None
    known = {**{name.lower(): short for name, short in CLASSES.items()}, **{short: short for short in SHORT_NAMES}}
    found = nearest(chosen.lower(), known, likeness=SIMILAR)
    return found and known[found]


def _code(user: UserValues) -> str:
    return json.dumps([at(user.values, "hub", key) for key in ("extraConfig", "extraFiles", "command", "args")])


def _has_own_code(user: UserValues) -> bool:
    """May there be other authenticators than those of the chart's image, or may code choose one?"""
    own = ("existingSecret", "image", "initContainers", "extraVolumes", "lifecycle", "command", "args")
    return any(at(user.values, "hub", key) for key in own) or "authenticator" in _code(user).lower()
