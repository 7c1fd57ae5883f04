"""A cluster's certificate authority and the certificates it signs."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=5 * 365)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, PEM."""

    certificate: str
    key: str


class Authority:
    """The CA of one cluster. Its keys are P-256, which is much faster than RSA."""

    def __init__(self, name: str):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        self._certificate = (
            _valid(x509.CertificateBuilder())
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @classmethod
    def of(cls, pair: Pair) -> Authority:
        """The CA with this certificate and key."""
        made = cls.__new__(cls)
        key = serialization.load_pem_private_key(pair.key.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        made._key, made._certificate = key, x509.load_pem_x509_certificate(pair.certificate.encode())
        made._name = made._certificate.subject
        return made

    @property
    def pair(self) -> Pair:
        return Pair(_pem(self._certificate), private_pem(self._key))

    def issue(
        self, name: str, group: str | None = None, alternatives: Sequence[str] = (), *, strict: bool = False
    ) -> Pair:
        """A new key and its certificate: `name` is the common name and `group` the organization (the user and group in
        Kubernetes); `alternatives` are the host names and addresses of a server. `strict`: with all extensions that Python
        3.13 requires by default, which Magnum's own lack."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if group:
            subject.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        signed = self._sign(x509.Name(subject), key.public_key(), alternatives, strict=strict)
        return Pair(_pem(signed), private_pem(key))

    def sign(self, csr: str) -> str:
        """A client certificate for a signing request, both PEM. Raises ValueError for an invalid request."""
        request = x509.load_pem_x509_csr(csr.encode())
        if not request.is_signature_valid:
            raise ValueError("the signing request's own signature is not valid")
        return _pem(self._sign(request.subject, request.public_key(), ()))

    def _sign(
        self, subject: x509.Name, key: CertificatePublicKeyTypes, alternatives: Sequence[str], *, strict: bool = False
    ) -> x509.Certificate:
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if alternatives else [])]
        builder = (
            _valid(x509.CertificateBuilder())
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        )
        if alternatives:
            names = x509.SubjectAlternativeName([_alternative(name) for name in alternatives])
            builder = builder.add_extension(names, critical=False)
        if strict:
            signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
            builder = builder.add_extension(signer, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def trusting(ca: str, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> ssl.SSLContext:
    """A TLS context that trusts the certificates of this CA (PEM)."""
    context = ssl.create_default_context(purpose, cadata=ca)
    # As with Magnum's own, they do not have all the extensions that Python 3.13 requires by default.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def service_account_key() -> tuple[str, str]:
    """Private and public key (PEM) for the tokens of service accounts."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private_pem(key), public.decode()


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _valid(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
