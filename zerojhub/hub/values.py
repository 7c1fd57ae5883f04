"""A hub's chart values: the user's, checked against the chart's schema, and the few that zerojhub adds."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from zerojhub import masking
from zerojhub.deployment import HubSpec
from zerojhub.errors import UserError
from zerojhub.hub import https, mistakes, settings
from zerojhub.hub.charts import ChartArchive, ChartValues, at, section
from zerojhub.hub.https import Https
from zerojhub.hub.secrets import Secrets
from zerojhub.yamlfile import KeyPath, line_of, plain, read_yaml

SERVICE = "zerojhub"
"""The hub's service whose token zerojhub uses."""
SCOPES = ["admin:users", "admin:servers", "access:servers", "tokens", "read:hub", "proxy"]

SIGN_UP = {
    "native": ("NativeAuthenticator", "open_signup", False),
    "firstuse": ("FirstUseAuthenticator", "create_users", True),
}
"""Authenticators with open sign-up: their section in hub.config, the key that allows it, and its default."""

ROLES_SINCE = 2
"""The chart's first major version with JupyterHub 2, in which services have scopes."""


SAFE_SINCE = 4
"""The chart's first major version with KubeSpawner 7, which names claims by the scheme `safe` (see zerojhub/hub/names.py)."""


@dataclass(frozen=True)
class Underlying:
    """Values that those of the user take precedence over: what `login` in the deployment file stands for."""

    values: ChartValues = field(repr=False)
    where: str
    """file:line of `login`."""
    rules: str
    """What to set there for somebody to be let in."""
    classes: tuple[str, ...]
    """The classes in hub.config with settings for its authenticator, in which the same setting is the same."""


class UserValues:
    """The user's values file, with the line of each key, over the values of `login`.

    Raises UserError if it is not a mapping.
    """

    def __init__(self, path: Path | None, underlying: Underlying | None = None):
        self.path, self.underlying = path, underlying
        document = read_yaml(path) if path else None
        self.document = {} if document is None else document
        if not isinstance(self.document, dict):
            raise UserError("a values file must be a mapping", where=f"{path}:1")
        self.values: ChartValues = plain(self.document)
        if underlying:
            self.values = _over(self.values, underlying)
        masking.remember_in(self.values)

    def where(self, place: KeyPath) -> str:
        """`file:line` of the key, or of its nearest ancestor in the file; that of `login` if the key comes from there."""
        if self.underlying and _has(self.underlying.values, place) and not _has(self.document, place):
            return self.underlying.where
        return f"{self.path}:{line_of(self.document, place)}" if self.path else "the chart's default values"


def _over(user: ChartValues, underlying: Underlying) -> ChartValues:
    """The user's values, and of the underlying ones those that the user has not set in any of the authenticator's classes."""
    own = (at(user, "hub", "config", name) for name in underlying.classes)
    chosen = {key for section in own if isinstance(section, dict) for key in section}
    below = copy.deepcopy(underlying.values)
    for name in underlying.classes:
        if name in below["hub"]["config"]:
            section = below["hub"]["config"][name]
            below["hub"]["config"][name] = {key: value for key, value in section.items() if key not in chosen}
    found: ChartValues = _with_defaults(user, below)
    return found


def _with_defaults(values: Any, below: Any) -> Any:
    """The values, with the keys that they lack. As opposed to Helm, a null is a value."""
    if not isinstance(values, dict) or not isinstance(below, dict):
        return values
    return values | {
        key: _with_defaults(values[key], value) if key in values else value for key, value in below.items()
    }


def _has(document: Any, place: KeyPath) -> bool:
    for step in place:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def problems(user: UserValues, chart: ChartArchive) -> list[UserError]:
    """What Helm or the hub would reject in the user's values, or silently ignore, in the order of their lines."""
    if umbrella := mistakes.umbrella(user, chart):
        return [umbrella]
    found: dict[KeyPath, UserError] = dict(mistakes.moved_keys(user, chart))
    gone = {place[:depth] for place in found for depth in range(len(place))}
    values = merged(chart.defaults, mistakes.as_numbers(user.document))
    for place, problem in chain(
        mistakes.empty_sections(user, chart),
        mistakes.misplaced_settings(user, chart),
        settings.refused(user),
        mistakes.rejected_by_schema(user, chart, values),
        mistakes.unfinished(user),
    ):
        if place not in gone:
            found.setdefault(place, problem)
    return [found[place] for place in sorted(found, key=lambda place: (line_of(user.document, place), str(place)))]


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


IDLE_TIMEOUTS = (
    "loadbalancer.openstack.org/timeout-client-data",
    "loadbalancer.openstack.org/timeout-member-data",
)
"""Annotations for how long Octavia keeps a connection on which nothing is sent; providers that cannot set it ignore them."""
IDLE = "600000"
"""Milliseconds, as Traefik in front of the hub. Octavia's own 50 s would end WebSockets of programs that send no pings."""


def completed(
    user: ChartValues,
    secrets: Secrets,
    wanted: HubSpec,
    chart: ChartArchive,
    address: str | None = None,
    files: Https | None = None,
) -> ChartValues:
    """The values for Helm: the user's, unchanged, plus what the hub needs and they leave out.

    `address`: the load balancer's, if it is known in advance. `files`: `hub.https` with the files that it names.
    """
    values = copy.deepcopy(user)
    proxy, hub = section(values, "proxy"), section(values, "hub")
    section(proxy, "service").setdefault("type", wanted.expose)
    if address:
        proxy["service"].setdefault("loadBalancerIP", address)
    if proxy["service"]["type"] == "LoadBalancer":
        annotations = section(proxy["service"], "annotations")
        for key in IDLE_TIMEOUTS:
            annotations.setdefault(key, IDLE)
    if wanted.https:
        https.add(values, files or Https(wanted.https))
    if wanted.host and at(proxy, "https", "enabled"):
        proxy["https"].setdefault("hosts", [wanted.host])
    if not at(user, "hub", "config", "ConfigurableHTTPProxy", "auth_token"):
        proxy.setdefault("secretToken", secrets.proxy_token)
    if not at(user, "hub", "config", "JupyterHub", "cookie_secret"):
        hub.setdefault("cookieSecret", secrets.cookie_secret)
    if isinstance(hub.setdefault("extraEnv", {}), dict):
        # A load balancer reaches the hub through varying nodes. JupyterHub binds a login form to the client's address and
        # would refuse it from another node's, unless it knows that these addresses do not identify a client.
        hub["extraEnv"].setdefault("JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS", PRIVATE_NETWORKS)
    service = section(section(hub, "services"), SERVICE)
    service.setdefault("apiToken", secrets.api_token)
    # Scopes are not enough to make users administrators, which only an administrator may do.
    service.setdefault("admin", True)
    if secrets.crypt_keys and not at(user, "hub", "config", "CryptKeeper", "keys"):
        section(section(hub, "config"), "CryptKeeper")["keys"] = secrets.crypt_keys.split(";")
    if chart.major >= ROLES_SINCE:
        section(hub, "loadRoles").setdefault(SERVICE, {"scopes": SCOPES, "services": [SERVICE]})
    return values


def names_are_safe(values: ChartValues, major: int) -> bool:
    """Whether the hub names its users' claims by KubeSpawner's scheme `safe`. `values`: merged, or a release's own."""
    if at(values, "hub", "config", "KubeSpawner", "slug_scheme") == "escape":
        return False
    image = at(values, "hub", "image") or {}
    tag = re.match(r"v?(\d+)\.\d+\.\d+", str(image.get("tag"))) if "k8s-hub" in str(image.get("name")) else None
    return (int(tag[1]) if tag else major) >= SAFE_SINCE


def claim_template(values: ChartValues, major: int) -> str:
    """The template of its users' claims' names. `values`: merged."""
    default = "claim-{user_server}" if major >= SAFE_SINCE else "claim-{username}{servername}"
    in_config = at(values, "hub", "config", "KubeSpawner", "pvc_name_template")
    return str(in_config or at(values, "singleuser", "storage", "dynamic", "pvcNameTemplate") or default)


def authenticator(values: ChartValues) -> str | None:
    """The short name of the authenticator in the merged values; None if code in them may set another."""
    if "authenticator_class" in json.dumps(at(values, "hub", "extraConfig") or {}):
        return None
    chosen = at(values, "hub", "config", "JupyterHub", "authenticator_class") or at(values, "auth", "type") or "dummy"
    return str(chosen).rsplit(".", 1)[-1].lower().removesuffix("authenticator").replace("-", "")


def shared_password(values: ChartValues) -> str | None:
    """The password that logs any name in: empty if any password does, None if the authenticator has no such password."""
    config = at(values, "hub", "config") or {}
    match authenticator(values):
        case "dummy":
            kept = at(config, "DummyAuthenticator", "password") or at(values, "auth", "dummy", "password")
            return str(kept or "")
        case "sharedpassword":
            password = at(config, "SharedPasswordAuthenticator", "user_password")
            return None if password is None else str(password)
    return None


def lets_anyone_in(user: UserValues, chart: ChartArchive) -> UserError | None:
    """The value that opens the hub to anyone on the internet, as an error; None if there is none."""
    values = merged(chart.defaults, user.values)
    config, kind = at(values, "hub", "config") or {}, authenticator(values)
    place: tuple[str, ...] = ("hub", "config", "JupyterHub", "authenticator_class")
    why = None
    if shared_password(values) == "":
        why = "the dummy authenticator accepts any name with any password"
        if at(user.values, *place) is None and at(user.values, "auth", "type") is None:
            why = f"no authenticator is set, and {why}"
    elif kind == "tmp":
        why = "every visitor gets an account"
    elif kind in SIGN_UP:
        section, key, default = SIGN_UP[kind]
        if default if (wanted := at(config, section, key)) is None else wanted:
            place, why = ("hub", "config", section, key), "anyone can sign up"
    if not why:
        return None
    allow = "or allow it in the deployment file: hub: {open_to_anyone: true}"
    if secret := at(values, "hub", "existingSecret"):
        hint = f"what is in Secret {secret} is not known here: repeat its authenticator_class in the values, {allow}"
    else:
        hint = f"choose an authenticator, set hub.config.DummyAuthenticator.password, {allow}"
    return UserError(f"this hub would let anyone on the internet in: {why}", where=user.where(place), hint=hint)


def overruled(user: UserValues) -> str | None:
    """That the user's values choose another authenticator than `login` in the deployment file; None if they do not."""
    place = ("hub", "config", "JupyterHub", "authenticator_class")
    if not user.underlying or not _has(user.document, place):
        return None
    chosen, meant = at(user.values, *place), at(user.underlying.values, *place)
    if chosen == meant:
        return None
    return f"{user.where(place)}: authenticator_class {chosen} takes precedence over login at {user.underlying.where}"


def is_public(values: ChartValues, expose: str) -> bool:
    """Can the hub be reached from outside the cluster with these values?"""
    internal = at(
        values, "proxy", "service", "annotations", "service.beta.kubernetes.io/openstack-internal-load-balancer"
    )
    if str(internal).lower() == "true":
        return False
    if any(at(values, way, "enabled") for way in ("ingress", "httpRoute")):
        return True
    return (at(values, "proxy", "service", "type") or expose) != "ClusterIP"


def without_certificate(user: UserValues, wanted: HubSpec, chart: ChartArchive, where: str) -> list[UserError]:
    """Why the hub cannot request the certificate that is wanted at `where`, or that the values have it request."""
    values, spec = merged(chart.defaults, user.values), wanted.https
    own = at(values, "proxy", "https") or {}
    by_contact = bool(spec and spec.contact) and at(user.values, "proxy", "https", "type") in (None, "letsencrypt")
    if by_contact and at(chart.defaults, "proxy", "https", "letsencrypt") is None:
        hint = "hub: {chart: z2jh}, or your own certificate and key in hub.https"
        return [UserError(f"chart {chart.name} {chart.version} cannot request certificates", where=where, hint=hint)]
    by_values = own.get("enabled") and own.get("type") == "letsencrypt" and own.get("hosts")
    if not by_contact and not by_values:
        return []
    found = []
    for way in ("ingress", "httpRoute"):
        if at(values, way, "enabled"):
            hint = "leave out hub.https.contact and proxy.https, and have the ingress controller or Gateway get it: cert-manager"
            message = f"with {way}, the hub would request a certificate that nobody sees"
            found.append(UserError(message, where=user.where((way, "enabled")), hint=hint))
    if spec and spec.challenge == "dns":
        if at(chart.defaults, "proxy", "traefik", "extraStaticConfig") is None:
            message = f"chart {chart.name} {chart.version} cannot use https.challenge: dns"
            found.append(UserError(f"{message}: it has no proxy.traefik.extraStaticConfig", where=where))
        return found
    for key, value in (("disableHttpPort", True), ("loadBalancerSourceRanges", None)):
        given = at(values, "proxy", "service", key)
        if given and (value is None or given is value) and not (spec and spec.is_private):
            place = ("proxy", "service", key)
            message = f"{key}: the authority connects to port 80 from anywhere before it issues a certificate"
            found.append(
                UserError(message, where=user.where(place), hint="leave it out, or set hub.https.challenge: dns")
            )
    return found


def without_balancer(user: UserValues, wanted: HubSpec, where: str) -> UserError | None:
    """Why the hub's load balancer cannot have `hub.address`, which is at `where`, with these values; None if it can."""
    service = at(user.values, "proxy", "service") or {}
    if (kind := service.get("type") or wanted.expose) != "LoadBalancer":
        return UserError(
            f"hub.address is for a load balancer, and the values have proxy.service.type: {kind}", where=where
        )
    if (given := service.get("loadBalancerIP")) not in (None, wanted.address):
        place = user.where(("proxy", "service", "loadBalancerIP"))
        hint = f"leave it out, or set hub.address: {given}"
        return UserError(f"loadBalancerIP: hub.address is {wanted.address}", where=place, hint=hint)
    return None
