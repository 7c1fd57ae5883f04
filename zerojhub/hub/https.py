"""The chart's values for the hub's certificate: who it is requested from, and how, or that it is the user's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zerojhub.deployment import LETS_ENCRYPT
from zerojhub.hub.acme import DNS_RESOLVER
from zerojhub.hub.charts import at, section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Certificate

    from zerojhub.deployment import HttpsSpec
    from zerojhub.hub.charts import ChartValues
    from zerojhub.hub.own_certificate import OwnCertificate

OWN, AUTHORITY, CREDENTIAL = "zerojhub-certificate", "zerojhub-authority", "zerojhub-dns"
"""The Secret with the user's own certificate, the ConfigMap with the private authority, and the Secret for Designate."""
DIGEST = "zerojhub.io/certificate"
"""The annotation of the proxy's pod by which it restarts when the user's own certificate changes, which it reads at its start."""
FOLDER = "/etc/zerojhub"
TTL = "60"
"""Seconds for which resolvers remember a challenge's record. Designate's operators may allow no less."""


@dataclass(frozen=True)
class Designate:
    """Where Traefik creates the record of a challenge."""

    auth_url: str
    region: str | None
    zone: str
    """Its name, with a dot at the end."""


@dataclass(frozen=True)
class Https:
    """`hub.https` with what its files contain. `authority` is in PEM."""

    spec: HttpsSpec
    authority: str | None = None
    own: OwnCertificate | None = field(default=None, repr=False)
    designate: Designate | None = None

    @property
    def authority_file(self) -> str:
        """The name of the authority's file, which another authority does not have: Traefik reads it at its start only."""
        return f"authority-{hashlib.sha256((self.authority or '').encode()).hexdigest()[:12]}.pem"

    def trusts(self, chain: Sequence[Certificate]) -> bool:
        """Whether the private authority is behind a certificate, given with its chain. True without a private authority."""
        from zerojhub.hub import own_certificate

        return self.authority is None or own_certificate.lacking(chain, own_certificate.roots(self.authority)) is None


def add(values: ChartValues, https: Https) -> None:
    """Add what the chart needs to the values, below what they say themselves."""
    spec, proxy = https.spec, section(values, "proxy")
    if spec.certificate:
        tls = section(proxy, "https")
        tls.setdefault("enabled", True)
        if tls.setdefault("type", "secret") == "secret":
            section(tls, "secret").setdefault("name", OWN)
        if https.own:
            section(proxy, "annotations").setdefault(DIGEST, https.own.digest)
    if spec.contact:
        tls = section(proxy, "https")
        tls.setdefault("enabled", True)
        if tls.setdefault("type", "letsencrypt") == "letsencrypt":
            _request(proxy, https)


def _request(proxy: ChartValues, https: Https) -> None:
    spec = https.spec
    letsencrypt = section(proxy["https"], "letsencrypt")
    letsencrypt.setdefault("contactEmail", spec.contact)
    if spec.server != LETS_ENCRYPT:
        letsencrypt.setdefault("acmeServer", spec.server)
    if https.authority:
        traefik = section(proxy, "traefik")
        _append(traefik, "extraVolumes", {"name": AUTHORITY, "configMap": {"name": AUTHORITY}})
        _append(traefik, "extraVolumeMounts", {"name": AUTHORITY, "mountPath": FOLDER, "readOnly": True})
        path = f"{FOLDER}/{https.authority_file}"
        _environment(traefik, LEGO_CA_CERTIFICATES=path, LEGO_CA_SYSTEM_CERT_POOL="true")
    if spec.challenge == "dns":
        _by_dns(section(proxy, "traefik"), letsencrypt, https.designate)


def _by_dns(traefik: ChartValues, letsencrypt: ChartValues, designate: Designate | None) -> None:
    """A resolver of its own, for the router that the chart has.

    A dnsChallenge in the chart's resolver would leave its httpChallenge, which nothing in the values can remove, and which lego
    prefers.
    """
    acme = {
        "caServer": letsencrypt.get("acmeServer") or LETS_ENCRYPT,
        "email": letsencrypt["contactEmail"],
        "storage": "/etc/acme/acme.json",
        "dnsChallenge": {"provider": "designate"},
    }
    section(section(traefik, "extraStaticConfig"), "certificatesResolvers").setdefault(DNS_RESOLVER, {"acme": acme})
    router = section(section(section(section(traefik, "extraDynamicConfig"), "http"), "routers"), "default")
    section(router, "tls").setdefault("certResolver", DNS_RESOLVER)

    def secret(key: str) -> dict[str, Any]:
        return {"valueFrom": {"secretKeyRef": {"name": CREDENTIAL, "key": key}}}

    where = {}
    if designate:
        where = {"OS_AUTH_URL": designate.auth_url, "DESIGNATE_ZONE_NAME": designate.zone}
        if designate.region:
            where["OS_REGION_NAME"] = designate.region
    _environment(
        traefik,
        OS_APPLICATION_CREDENTIAL_ID=secret("id"),
        OS_APPLICATION_CREDENTIAL_SECRET=secret("secret"),
        DESIGNATE_TTL=TTL,
        **where,
    )


def requests(values: ChartValues, default: str | None = "letsencrypt") -> bool:
    """Whether the hub requests its certificate with these values. `default`: the type where they name none."""
    https = at(values, "proxy", "https") or {}
    return bool(https.get("enabled")) and (https.get("type") or default) == "letsencrypt"


def _environment(traefik: ChartValues, **variables: Any) -> None:
    """Set environment variables that the values do not set; as in them, a list or a mapping."""
    given = traefik.get("extraEnv") or {}
    if isinstance(given, list):
        names = {each.get("name") for each in given}
        more = (
            {"name": name, **(value if isinstance(value, dict) else {"value": value})}
            for name, value in variables.items()
        )
        traefik["extraEnv"] = [*given, *(each for each in more if each["name"] not in names)]
    else:
        traefik["extraEnv"] = variables | given


def _append(traefik: ChartValues, key: str, entry: dict[str, Any]) -> None:
    given = traefik.get(key) or []
    if all(each.get("name") != entry["name"] for each in given):
        traefik[key] = [*given, entry]
