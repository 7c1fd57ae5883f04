"""A certificate that the user provides: whether browsers will accept it, known before anything is created."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerojhub import private, tls
from zerojhub.errors import Problems, UserError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


LATE = 9
"""A certificate is renewed after two thirds of its life. It is late when there is less left than one of so many parts."""


@dataclass(frozen=True)
class OwnCertificate:
    """A certificate with its chain, and its key, both in PEM."""

    certificate: str
    key: str = field(repr=False)

    @property
    def digest(self) -> str:
        """Tells it from another one; says nothing about the key."""
        return hashlib.sha256(self.certificate.encode()).hexdigest()[:16]


def read(certificate: Path, key: Path, host: str, authority: str | None) -> OwnCertificate:
    """The certificate in the two files, for the host. Problems with all that browsers would object to, each with its file.

    `authority`: the certificates of a private authority (PEM), which is trusted besides those that this machine trusts.
    """
    chain = _certificates(certificate)
    secret, problems = _key(key), []
    if _public(chain[0].public_key()) != _public(secret.public_key()):
        problems.append(UserError(f"is not the key of {certificate.name}", where=str(key)))
    problems += [UserError(each, where=str(certificate)) for each in _objections(chain, host, authority)]
    if problems:
        raise Problems(problems)
    return OwnCertificate(certificate.read_text(), key.read_text())


def roots(authority: str | None) -> list[Certificate]:
    """The certificates of all authorities that are trusted."""
    from cryptography import x509

    found = x509.load_pem_x509_certificates(authority.encode()) if authority else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some have serial numbers that are not what the standard says
        for each in tls.trusted().get_ca_certs(binary_form=True):
            with suppress(ValueError):
                found.append(x509.load_der_x509_certificate(each))
    return found


def name_of(certificate: Certificate, *, issuer: bool = False) -> str:
    """The common name and the organization of its subject, or of its issuer."""
    from cryptography.x509.oid import NameOID

    name = certificate.issuer if issuer else certificate.subject
    parts = [name.get_attributes_for_oid(oid) for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)]
    words = [str(each[0].value) for each in parts if each]
    return f"{words[0]} ({words[1]})" if len(words) > 1 else "".join(words) or name.rfc4514_string()


def covers(certificate: Certificate, host: str) -> bool:
    """Whether the certificate is for that host, by itself or as one of `*.` (RFC 6125, 6.4.3)."""
    wanted, star = host.rstrip(".").lower(), f"*.{host.rstrip('.').lower().partition('.')[2]}"
    return not {wanted, star}.isdisjoint(names(certificate))


def names(certificate: Certificate) -> set[str]:
    """The host names that it is for, in lower case. Browsers do not read them from its subject."""
    from cryptography import x509

    try:
        listed = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return set()
    return {each.lower() for each in listed.get_values_for_type(x509.DNSName)}


def is_late(certificate: Certificate) -> bool:
    """Whether so little of its life is left that whoever renews it has failed to."""
    end = certificate.not_valid_after_utc
    return end - datetime.now(UTC) < (end - certificate.not_valid_before_utc) / LATE


def _objections(chain: Sequence[Certificate], host: str, authority: str | None) -> list[str]:
    own, now, found = chain[0], datetime.now(UTC), []
    if not covers(own, host):
        found.append(f"is not for {host}, but for {', '.join(sorted(names(own))) or 'no host name'}")
    for each in chain:
        if each.not_valid_after_utc <= now:
            found.append(f"{_which(each, own)} expired on {each.not_valid_after_utc:%Y-%m-%d}")
        elif each.not_valid_before_utc > now:
            found.append(f"{_which(each, own)} is not valid before {each.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
    return [*found, *filter(None, [lacking(chain, roots(authority))])]


def _which(certificate: Certificate, own: Certificate) -> str:
    return "it" if certificate is own else f"the certificate of {name_of(certificate)} in it"


def lacking(chain: Sequence[Certificate], trusted: Collection[Certificate]) -> str | None:
    """What browsers would lack to trust the first certificate; None if nothing."""
    last, others = chain[0], list(chain[1:])
    known = {each.public_bytes(_DER()) for each in trusted}
    while last.public_bytes(_DER()) not in known and not any(_issued(last, each) for each in trusted):
        issuer = next((each for each in others if _issued(last, each)), None)
        if issuer is None and last.issuer == last.subject:
            return f"is from {name_of(last)}, whom nobody trusts: set hub.https.ca_file if you do"
        if issuer is None:
            who = name_of(last, issuer=True)
            return (
                f"lacks the certificate of {who}, its issuer: append it (or set hub.https.ca_file, if that is your own)"
            )
        others.remove(issuer)
        last = issuer
    return None


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _certificates(path: Path) -> list[Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except ValueError:
        raise UserError("is not a certificate in PEM", where=str(path)) from None


def _key(path: Path) -> Any:
    """The private key, of any kind."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    text = private.read(path)
    try:
        return load_pem_private_key(text.encode(), None)
    except TypeError:
        hint = f"openssl pkey -in {path.name} -out hub.key, without a passphrase"
        raise UserError("is encrypted with a passphrase", where=str(path), hint=hint) from None
    except ValueError:
        raise UserError("is not a private key in PEM", where=str(path)) from None


def _public(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import PublicFormat

    data: bytes = key.public_bytes(_DER(), PublicFormat.SubjectPublicKeyInfo)
    return data


def _DER() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER
