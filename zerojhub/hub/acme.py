"""Traefik's store of certificates and accounts, acme.json: who issued what is in it, and until when it is valid.

It contains private keys. By the resolver's name: `Account` and `Certificates`, whose `certificate` and `key` are PEM in
base64 (traefik/traefik, pkg/provider/acme/local_store.go).
"""

from __future__ import annotations

import json
from base64 import b64decode
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

HTTP_RESOLVER, DNS_RESOLVER = "default", "designate"
"""The chart's own resolver, which uses port 80, and the one that zerojhub adds for `challenge: dns`.

A dnsChallenge in the chart's own would never be used: its httpChallenge stays, and lego prefers that.
"""


@dataclass(frozen=True)
class Issued:
    """The certificate of a host in the store. `authority`: the host of the account's URL; None if there is none."""

    resolver: str
    authority: str | None
    chain: list[Certificate]
    """The certificate, and those of its authority."""

    @property
    def certificate(self) -> Certificate:
        return self.chain[0]

    def is_from(self, server: str) -> bool:
        """Whether the authority with that directory has issued it, by what Traefik itself goes by: the host in the URLs."""
        return self.authority == urlsplit(server).hostname

    @property
    def days(self) -> int:
        """How many days it is still valid."""
        return (self.certificate.not_valid_after_utc - datetime.now(UTC)).days

    @property
    def is_valid(self) -> bool:
        return self.certificate.not_valid_after_utc > datetime.now(UTC)


@dataclass(frozen=True)
class Store:
    """The content of an acme.json."""

    _resolvers: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, text: str | bytes) -> Store:
        """The store. An empty one for what is none: Traefik begins with an empty file."""
        with suppress(ValueError, RecursionError):
            found = json.loads(text)
            if isinstance(found, dict):
                return cls({str(name): each for name, each in found.items() if isinstance(each, dict)})
        return cls({})

    def issued(self, host: str) -> Issued | None:
        """The certificate for that host that is valid longest; None if there is none."""
        found = []
        for name, resolver in self._resolvers.items():
            for each in resolver.get("Certificates") or []:
                if chain := _chain(each, host):
                    found.append(Issued(name, _authority(resolver), chain))
        return max(found, key=lambda each: each.certificate.not_valid_after_utc, default=None)

    def under(self, resolver: str) -> Store:
        """All of it as another resolver's: who has issued a certificate for one challenge renews it for another."""
        merged: dict[str, Any] = {}
        for each in self._resolvers.values():
            merged["Account"] = merged.get("Account") or each.get("Account")
            merged["Certificates"] = [*merged.get("Certificates", []), *(each.get("Certificates") or [])]
        return Store({resolver: merged} if merged else {})

    def __bytes__(self) -> bytes:
        return json.dumps(self._resolvers, indent=2).encode()


def _chain(entry: Any, host: str) -> list[Certificate]:
    """The certificates of an entry, if it is for that host."""
    from cryptography import x509

    with suppress(LookupError, TypeError, ValueError, AttributeError):
        domain = entry["domain"]
        if host.lower() in {str(each).lower() for each in (domain["main"], *(domain.get("sans") or []))}:
            return x509.load_pem_x509_certificates(b64decode(entry["certificate"]))
    return []


def _authority(resolver: dict[str, Any]) -> str | None:
    with suppress(LookupError, TypeError, ValueError, AttributeError):
        return urlsplit(str(resolver["Account"]["Registration"]["uri"])).hostname
    return None
