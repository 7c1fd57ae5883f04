"""A hub's chart values: the user's, checked against the chart's schema, and the few that zerojhub adds."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerojhub import masking
from zerojhub.deployment import HubSpec
from zerojhub.errors import UserError
from zerojhub.hub.charts import ChartArchive, ChartValues
from zerojhub.hub.secrets import Secrets
from zerojhub.text import nearest
from zerojhub.yamlfile import KeyPath, line_of, plain, read_yaml

if TYPE_CHECKING:
    from jsonschema import ValidationError

SERVICE = "zerojhub"
"""The hub's service whose token zerojhub uses."""
SCOPES = ["admin:users", "admin:servers", "access:servers", "tokens", "read:hub", "proxy"]

SIGN_UP = {
    "native": ("NativeAuthenticator", "open_signup", False),
    "firstuse": ("FirstUseAuthenticator", "create_users", True),
}
"""Authenticators with open sign-up: their section in hub.config, the key that allows it, and its default."""

ROLES_SINCE = 2
"""The chart's first major version with JupyterHub 2, in which services have scopes instead of being administrators."""


class UserValues:
    """The user's values file, with the line of each key. Raises UserError if it is not a mapping."""

    def __init__(self, path: Path | None):
        self.path = path
        self.document = (read_yaml(path) if path else None) or {}
        if not isinstance(self.document, dict):
            raise UserError("a values file must be a mapping", where=f"{path}:1")
        # Helm gets JSON, which has no dates: an unquoted 2026-01-31 becomes the text as it was written.
        self.values: ChartValues = json.loads(json.dumps(plain(self.document), default=str))
        masking.remember_in(self.values)

    def where(self, place: KeyPath) -> str:
        """`file:line` of the key, or of its nearest ancestor in the file."""
        return f"{self.path}:{line_of(self.document, place)}" if self.path else "the chart's default values"


def problems(user: UserValues, chart: ChartArchive) -> list[UserError]:
    """What the chart's schema rejects in the user's values, in the order of their lines."""
    if not chart.schema:
        return []
    # jsonschema imports it, if installed, to check IRIs, which charts do not have; that import takes over a second.
    # None makes the import fail.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # documented, but not in typeshed
    from jsonschema import Draft7Validator
    from jsonschema.validators import validator_for

    validator = validator_for(chart.schema, default=Draft7Validator)(chart.schema)
    errors = validator.iter_errors(merged(chart.defaults, user.values))
    found = {(place, str(problem)): problem for error in errors for place, problem in _explain(user, error)}
    return [found[key] for key in sorted(found, key=lambda key: line_of(user.document, key[0]))]


def merged(defaults: Any, over: Any) -> Any:
    """`over` merged into the defaults as Helm does: mappings key by key, other values replaced, null removes the default."""
    if not isinstance(defaults, dict) or not isinstance(over, dict):
        return over
    result = {key: value for key, value in defaults.items() if key not in over or over[key] is not None}
    for key, value in over.items():
        if value is not None or key not in defaults:
            result[key] = merged(defaults.get(key), value)
    return result


PRIVATE_NETWORKS = ";".join(
    f"{network}/{bits};::ffff:{network}/{96 + bits}"
    for network, bits in (("10.0.0.0", 8), ("172.16.0.0", 12), ("192.168.0.0", 16), ("100.64.0.0", 10))
)
"""The private networks of RFC 1918 and 6598, which nodes and pods are in; also IPv4-mapped, as the proxy forwards them
(RFC 4291, 2.5.5.2)."""


def completed(user: ChartValues, secrets: Secrets, wanted: HubSpec, chart: ChartArchive) -> ChartValues:
    """The values for Helm: the user's, unchanged, plus what the hub needs and they leave out."""
    values = copy.deepcopy(user)
    proxy, hub = _section(values, "proxy"), _section(values, "hub")
    _section(proxy, "service").setdefault("type", wanted.expose)
    if wanted.contact:
        https = _section(proxy, "https")
        https.setdefault("enabled", True)
        https.setdefault("type", "letsencrypt")
        _section(https, "letsencrypt").setdefault("contactEmail", wanted.contact)
    if wanted.host and _at(proxy, "https", "enabled"):
        proxy["https"].setdefault("hosts", [wanted.host])
    if not _at(user, "hub", "config", "ConfigurableHTTPProxy", "auth_token"):
        proxy.setdefault("secretToken", secrets.proxy_token)
    if not _at(user, "hub", "config", "JupyterHub", "cookie_secret"):
        hub.setdefault("cookieSecret", secrets.cookie_secret)
    if isinstance(hub.setdefault("extraEnv", {}), dict):
        # A load balancer reaches the hub through varying nodes. JupyterHub binds a login form to the client's address and
        # would refuse it from another node's, unless it knows that these addresses do not identify a client.
        hub["extraEnv"].setdefault("JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS", PRIVATE_NETWORKS)
    service = _section(_section(hub, "services"), SERVICE)
    service.setdefault("apiToken", secrets.api_token)
    if int(chart.version.split(".")[0]) >= ROLES_SINCE:
        _section(hub, "loadRoles").setdefault(SERVICE, {"scopes": SCOPES, "services": [SERVICE]})
    else:
        service.setdefault("admin", True)
    return values


def authenticator(values: ChartValues) -> str | None:
    """The short name of the authenticator in the merged values; None if code in them may set another."""
    if "authenticator_class" in json.dumps(_at(values, "hub", "extraConfig") or {}):
        return None
    chosen = _at(values, "hub", "config", "JupyterHub", "authenticator_class") or _at(values, "auth", "type") or "dummy"
    return str(chosen).rsplit(".", 1)[-1].lower().removesuffix("authenticator").replace("-", "")


def shared_password(values: ChartValues) -> str | None:
    """The password that logs any name in: empty if any password does, None if the authenticator has no such password."""
    config = _at(values, "hub", "config") or {}
    match authenticator(values):
        case "dummy":
            kept = _at(config, "DummyAuthenticator", "password") or _at(values, "auth", "dummy", "password")
            return str(kept or "")
        case "sharedpassword":
            password: str | None = _at(config, "SharedPasswordAuthenticator", "user_password")
            return password
    return None


def lets_anyone_in(user: UserValues, chart: ChartArchive) -> UserError | None:
    """The value that opens the hub to anyone on the internet, as an error; None if there is none."""
    values = merged(chart.defaults, user.values)
    config, kind = _at(values, "hub", "config") or {}, authenticator(values)
    place: tuple[str, ...] = ("hub", "config", "JupyterHub", "authenticator_class")
    why = None
    if shared_password(values) == "":
        why = "the dummy authenticator accepts any name with any password"
        if _at(user.values, *place) is None and _at(user.values, "auth", "type") is None:
            why = f"no authenticator is set, and {why}"
    elif kind == "tmp":
        why = "every visitor gets an account"
    elif kind in SIGN_UP:
        section, key, default = SIGN_UP[kind]
        if (_at(config, section) or {}).get(key, default):
            place, why = ("hub", "config", section, key), "anyone can sign up"
    if not why:
        return None
    return UserError(
        f"this hub would let anyone on the internet in: {why}",
        where=user.where(place),
        hint="choose an authenticator, set hub.config.DummyAuthenticator.password, or allow it in the deployment file: "
        "hub: {open_to_anyone: true}",
    )


def is_public(values: ChartValues, expose: str) -> bool:
    """Can the hub be reached from outside the cluster with these values?"""
    service = _at(values, "proxy", "service") or {}
    annotations = service.get("annotations") or {}
    if str(annotations.get("service.beta.kubernetes.io/openstack-internal-load-balancer")).lower() == "true":
        return False
    if any(_at(values, way, "enabled") for way in ("ingress", "httpRoute")):
        return True
    return (service.get("type") or expose) != "ClusterIP"


def _explain(user: UserValues, error: ValidationError) -> Iterator[tuple[KeyPath, UserError]]:
    """A schema error as the places of its mistakes, each with an actionable error."""
    place = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(_part(error).get("properties", {}))
        for key in (key for key in error.instance if key not in known):
            meant = nearest(key, known)
            hint = f"did you mean {meant!r}?" if meant else f"known keys: {', '.join(sorted(known)[:12])}"
            there = (*place, key)
            yield there, UserError(f"unknown key {_dotted(there)}", where=user.where(there), hint=hint)
        return
    if error.context:
        # Of several alternatives, the one that matches deepest into the value is the one that was meant.
        yield from _explain(user, max(error.context, key=lambda each: (len(each.absolute_path), -len(each.message))))
        return
    yield place, UserError(f"{_dotted(place) or 'values'}: {_message(error)}", where=user.where(place))


def _part(error: ValidationError) -> dict[str, Any]:
    """The part of the schema that the error is about."""
    return error.schema if isinstance(error.schema, dict) else {}


def _message(error: ValidationError) -> str:
    expected: Any = error.validator_value
    if error.validator == "type":
        names = " or ".join([expected] if isinstance(expected, str) else expected)
        return f"must be {names}, not {json.dumps(error.instance)[:80]}"
    if error.validator == "enum":
        return f"must be one of {', '.join(map(json.dumps, expected))}, not {json.dumps(error.instance)}"
    if error.validator == "not" and (description := _part(error).get("description")):
        return str(description)
    return error.message[:200]


def _dotted(place: KeyPath) -> str:
    return ".".join(str(step) for step in place)


def _section(values: ChartValues, key: str) -> ChartValues:
    """The mapping at the key, added if there is none (an empty `hub:` in YAML is null)."""
    section: ChartValues = values[key] if isinstance(values.get(key), dict) else {}
    values[key] = section
    return section


def _at(values: Any, *place: str) -> Any:
    """The value at the place; None if there is none."""
    for step in place:
        values = values.get(step) if isinstance(values, dict) else None
    return values
