"""The certificate authorities that servers are verified with, and what a server shows of itself."""

from __future__ import annotations

import functools
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zerojhub import files
from zerojhub.errors import UserError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

TIMEOUT = 5.0
"""Seconds for a server to take a connection, and to answer in it."""
State = Literal["verified", "objection", "none", "unreachable"]


@dataclass(frozen=True)
class Handshake:
    """What a server shows. `verified`; an `objection` to its certificate; `none` to show for that host; or `unreachable`.

    `certificate` is in DER; `why` says what is wrong.
    """

    state: State
    certificate: bytes | None = None
    why: str = ""

    def parsed(self) -> Certificate | None:
        """The certificate; None if there is none to be seen."""
        from cryptography import x509

        return x509.load_der_x509_certificate(self.certificate) if self.certificate else None


@functools.cache
def trusted() -> ssl.SSLContext:
    """For all of httpx's clients: loading the authorities takes 40 ms, which every new client would spend."""
    import httpx

    return httpx.create_ssl_context()


@functools.cache
def trusting(authority: str | None) -> ssl.SSLContext:
    """The same, and with them a private authority (its certificates in PEM). ssl.SSLError or ValueError if it is none."""
    import httpx

    if authority is None:
        return trusted()
    context = httpx.create_ssl_context()
    context.load_verify_locations(cadata=authority)
    return context


def read_authority(path: Path, where: str) -> str:
    """The text of a file with a private authority's certificates. UserError, with the place that names it, if it is none."""
    from cryptography import x509

    try:
        text = files.read(path).decode()
        x509.load_pem_x509_certificates(text.encode())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", where=where) from None
    except ValueError:
        raise UserError(f"{path} is not a certificate in PEM", where=where) from None
    return text


def readable_authority(path: Path | None) -> str | None:
    """The text of the file with a private authority's certificates; None if it cannot be read: `up` says what is wrong."""
    with suppress(OSError, UnicodeDecodeError):
        return files.read(path).decode() if path else None
    return None


_of_hubs: list[str] = []


def hubs() -> ssl.SSLContext:
    """For connections to hubs, whose authorities may be private (`trust_for_hubs`)."""
    return trusting("\n".join(_of_hubs)) if _of_hubs else trusted()


def trust_for_hubs(authority: str) -> None:
    """Trust a private authority in connections to hubs, and in no others. A move has two hubs, each with its own."""
    with suppress(ssl.SSLError, ValueError):  # whoever reads the deployment file says that it is none
        trusting(authority)
        if authority not in _of_hubs:
            _of_hubs.append(authority)


def handshake(address: str, port: int, host: str, authority: str | None = None) -> Handshake:
    """Connect to the address as browsers do to that host, and see its certificate. Blocks for up to `TIMEOUT` seconds, twice."""
    try:
        return Handshake("verified", _shown(address, port, host, trusting(authority)))
    except ssl.SSLCertVerificationError as error:
        return Handshake("objection", _unverified(address, port, host), error.verify_message)
    except ssl.SSLError as error:
        return Handshake("none", None, (error.reason or str(error)).lower().replace("_", " "))
    except (OSError, ValueError) as error:
        return Handshake("unreachable", None, str(getattr(error, "strerror", None) or error or type(error).__name__))


def _shown(address: str, port: int, host: str, context: ssl.SSLContext) -> bytes | None:
    with (
        socket.create_connection((address, port), timeout=TIMEOUT) as connection,
        context.wrap_socket(connection, server_hostname=host) as channel,
    ):
        return channel.getpeercert(binary_form=True)


def _unverified(address: str, port: int, host: str) -> bytes | None:
    """The certificate that was objected to, to say whose it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(OSError):
        return _shown(address, port, host, context)
    return None
