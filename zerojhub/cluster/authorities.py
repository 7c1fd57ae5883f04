"""A cluster's certificate authorities: their certificates, and those that they sign. `kind` as for `magnum.ca_certificate`."""

from __future__ import annotations

from pathlib import Path

from zerojhub.errors import UserError
from zerojhub.openstack import magnum
from zerojhub.openstack.session import Cloud


async def certificate(cloud: Cloud, cluster: str, kind: str) -> str:
    """The certificate (PEM) of a CA of the cluster of this name or UUID."""
    return await magnum.ca_certificate(cloud, (await magnum.get_cluster(cloud, cluster))["uuid"], kind)


async def sign(cloud: Cloud, cluster: str, csr: str, kind: str) -> str:
    """The certificate (PEM) that a CA of the cluster signs for a request (PEM)."""
    return await magnum.sign(cloud, (await magnum.get_cluster(cloud, cluster))["uuid"], csr, kind)


def read_request(path: Path) -> str:
    """The certificate signing request in the file. UserError for anything else, such as a private key."""
    from cryptography import x509

    try:
        text = path.read_text()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise UserError("is not in PEM", where=str(path), hint="openssl req -inform DER -in FILE") from error
    try:
        x509.load_pem_x509_csr(text.encode())
    except ValueError as error:
        found = text.partition("-----BEGIN ")[2].partition("-----")[0].lower()
        if found and found != "certificate request":
            what = f"has a {found}, not a certificate signing request"
        else:
            what = "has a damaged certificate signing request" if found else "is not in PEM"
        raise UserError(what, where=str(path), hint="openssl req -new makes one") from error
    return text
