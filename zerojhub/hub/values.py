"""A hub's values: the user's own as they are, checked against the chart, and the little that is added to them."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zerojhub.deployment import HubSpec
from zerojhub.errors import UserError
from zerojhub.hub.charts import ChartArchive
from zerojhub.hub.secrets import Secrets
from zerojhub.text import nearest
from zerojhub.yamlfile import line_of, plain, read_yaml

SERVICE = "zerojhub"
"""The hub service that this program speaks to the hub as."""
SCOPES = ["admin:users", "admin:servers", "access:servers", "tokens", "read:hub", "proxy"]

SIGN_UP = {
    "native": ("NativeAuthenticator", "open_signup", False),
    "firstuse": ("FirstUseAuthenticator", "create_users", True),
}
"""Where an authenticator says that strangers may make themselves an account, and what it does when nothing is said."""

ROLES_SINCE = 2
"""The chart's first major version with JupyterHub 2, where services get scopes instead of being administrators."""


class UserValues:
    """The values file, with the line of each of its keys."""

    def __init__(self, path: Path | None):
        self.path = path
        self.document = (read_yaml(path) if path else None) or {}
        if not isinstance(self.document, dict):
            raise UserError("a values file is a mapping", where=f"{path}:1")
        # What Helm gets is JSON, which has no dates: a bare 2026-01-31 is meant as the words it was written with.
        self.values: dict[str, Any] = json.loads(json.dumps(plain(self.document), default=str))

    def where(self, place: tuple) -> str:
        """`file:line` of the key, or of the nearest one above it that is there."""
        return f"{self.path}:{line_of(self.document, place)}" if self.path else "the chart's own values"


def problems(user: UserValues, chart: ChartArchive) -> list[UserError]:
    """What the chart's schema refuses in the user's values, each with its line."""
    if not chart.schema:
        return []
    # jsonschema looks for it to check IRIs, which no chart has; where it is installed, importing it takes over a second.
    sys.modules.setdefault("rfc3987_syntax", None)
    from jsonschema import Draft7Validator
    from jsonschema.validators import validator_for

    validator = validator_for(chart.schema, default=Draft7Validator)(chart.schema)
    errors = validator.iter_errors(merged(chart.defaults, user.values))
    found = {(place, str(problem)): problem for error in errors for place, problem in _explain(user, error)}
    return [found[key] for key in sorted(found, key=lambda key: line_of(user.document, key[0]))]


def merged(defaults: Any, over: Any) -> Any:
    """As Helm merges: mappings key by key, everything else replaced, a null takes the default away."""
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
"""RFC 1918 and 6598, where the addresses of nodes and pods come from; also as the proxy hands them on (RFC 4291, 2.5.5.2)."""


def completed(user: dict, secrets: Secrets, wanted: HubSpec, chart: ChartArchive) -> dict:
    """The values to send: the user's, and what they leave out that the hub needs. Nothing of theirs is changed."""
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
        # A load balancer reaches the hub through one node and then another. JupyterHub ties a login form to the address it
        # was asked from, and would refuse it from the other, unless it knows that these addresses tell nobody apart.
        hub["extraEnv"].setdefault("JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS", PRIVATE_NETWORKS)
    service = _section(_section(hub, "services"), SERVICE)
    service.setdefault("apiToken", secrets.api_token)
    if int(chart.version.split(".")[0]) >= ROLES_SINCE:
        _section(hub, "loadRoles").setdefault(SERVICE, {"scopes": SCOPES, "services": [SERVICE]})
    else:
        service.setdefault("admin", True)
    return values


def authenticator(values: dict) -> str | None:
    """The authenticator that the (merged) values choose, as its short name; None when code in them may choose another."""
    if "authenticator_class" in json.dumps(_at(values, "hub", "extraConfig") or {}):
        return None
    chosen = _at(values, "hub", "config", "JupyterHub", "authenticator_class") or _at(values, "auth", "type") or "dummy"
    return str(chosen).rsplit(".", 1)[-1].lower().removesuffix("authenticator").replace("-", "")


def shared_password(values: dict) -> str | None:
    """The password that lets every name in through the login form, `""` when any does; None with other authenticators."""
    config = _at(values, "hub", "config") or {}
    match authenticator(values):
        case "dummy":
            kept = _at(config, "DummyAuthenticator", "password") or _at(values, "auth", "dummy", "password")
            return str(kept or "")
        case "sharedpassword":
            return _at(config, "SharedPasswordAuthenticator", "user_password")
    return None


def lets_anyone_in(user: UserValues, chart: ChartArchive) -> UserError | None:
    """The place in the values that opens the hub to whoever finds it, if they do."""
    values = merged(chart.defaults, user.values)
    config, kind = _at(values, "hub", "config") or {}, authenticator(values)
    place, why = ("hub", "config", "JupyterHub", "authenticator_class"), None
    if shared_password(values) == "":
        why = "the dummy authenticator takes any name with any password"
        if _at(user.values, *place) is None and _at(user.values, "auth", "type") is None:
            why = f"no authenticator is chosen, and {why}"
    elif kind == "tmp":
        why = "every visitor gets an account"
    elif kind in SIGN_UP:
        section, key, default = SIGN_UP[kind]
        if (_at(config, section) or {}).get(key, default):
            place, why = ("hub", "config", section, key), "anyone can sign up"
    if not why:
        return None
    return UserError(
        f"this hub would let anyone in from the internet: {why}",
        where=user.where(place),
        hint="choose an authenticator (or set hub.config.DummyAuthenticator.password), or say in the deployment file: "
        "hub: {open_to_anyone: true}",
    )


def is_public(values: dict, expose: str) -> bool:
    """Would people outside the cluster reach the hub with these values?"""
    service = _at(values, "proxy", "service") or {}
    annotations = service.get("annotations") or {}
    if str(annotations.get("service.beta.kubernetes.io/openstack-internal-load-balancer")).lower() == "true":
        return False
    if any(_at(values, way, "enabled") for way in ("ingress", "httpRoute")):
        return True
    return (service.get("type") or expose) != "ClusterIP"


def _explain(user: UserValues, error) -> Iterator[tuple[tuple, UserError]]:
    """A schema error as the places of its mistakes, and each as a line that a person can act on."""
    place = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        for key in (key for key in error.instance if key not in known):
            meant = nearest(key, known)
            hint = f"did you mean {meant!r}?" if meant else f"known here: {', '.join(sorted(known)[:12])}"
            there = (*place, key)
            yield there, UserError(f"unknown key {_dotted(there)}", where=user.where(there), hint=hint)
        return
    if error.context:
        # Of alternatives, the one that comes furthest into the value is the one that was meant.
        yield from _explain(user, max(error.context, key=lambda each: (len(each.absolute_path), -len(each.message))))
        return
    yield place, UserError(f"{_dotted(place) or 'values'}: {_said(error)}", where=user.where(place))


def _said(error) -> str:
    if error.validator == "type":
        wanted = error.validator_value
        names = " or ".join([wanted] if isinstance(wanted, str) else wanted)
        return f"must be {names}, not {json.dumps(error.instance)[:80]}"
    if error.validator == "enum":
        return f"must be one of {', '.join(map(json.dumps, error.validator_value))}, not {json.dumps(error.instance)}"
    if error.validator == "not" and error.schema.get("description"):
        return error.schema["description"]
    return error.message[:200]


def _dotted(place: tuple) -> str:
    return ".".join(str(step) for step in place)


def _section(values: dict, key: str) -> dict:
    """The mapping at the key, made where there is none (an empty `hub:` in YAML is a null)."""
    if not isinstance(values.get(key), dict):
        values[key] = {}
    return values[key]


def _at(values: Any, *place: str) -> Any:
    for step in place:
        values = values.get(step) if isinstance(values, dict) else None
    return values
