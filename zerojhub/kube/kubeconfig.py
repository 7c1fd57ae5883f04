"""A kubeconfig, kept in memory: where a cluster's API is, and how to authenticate to it."""

from __future__ import annotations

import base64
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerojhub.errors import UserError
from zerojhub.yamlfile import load, plain

if TYPE_CHECKING:
    from collections.abc import Mapping


class InvalidKubeconfig(ValueError):
    """The kubeconfig cannot be used; the message says why."""


@dataclass(frozen=True)
class Kubeconfig:
    """The cluster and the user of a kubeconfig's current context."""

    server: str
    """The API's URL."""
    tls: ssl.SSLContext
    """Trusts the cluster's CA, and presents the user's certificate if there is one."""
    tls_server_name: str | None
    """The name to verify the API's certificate for, where it is not the URL's host."""
    token: str | None


def read(config: Mapping[str, Any] | bytes) -> Kubeconfig:
    """The current context of a kubeconfig, given as YAML or as a mapping.

    Certificates, keys and tokens may be inline or in files. Raises InvalidKubeconfig, also for exec plugins and auth
    providers, which are not supported.
    """
    if isinstance(config, bytes):
        config = _parse(config)
    try:
        context = _named(config, "context", config["current-context"])
        cluster = _named(config, "cluster", context["cluster"])
        user = _named(config, "user", context["user"])
        for unsupported in ("exec", "auth-provider"):
            if unsupported in user:
                raise InvalidKubeconfig(f"{unsupported} is not supported")
        token = _content(user, "token", "tokenFile")
        server_name = cluster.get("tls-server-name")
        return Kubeconfig(cluster["server"], _tls_context(cluster, user), server_name, token)
    except KeyError as error:
        raise InvalidKubeconfig(f"it has no {error.args[0]!r}") from None
    except (TypeError, AttributeError) as error:
        raise InvalidKubeconfig(f"it is malformed: {error}") from None
    except (OSError, ValueError) as error:  # a file, or a certificate or key in it
        raise InvalidKubeconfig(str(error)) from None


def _parse(text: bytes) -> Mapping[str, Any]:
    try:
        config = plain(load(text, "kubeconfig"))
    except UserError as error:
        raise InvalidKubeconfig(error.message.removeprefix("not valid YAML: ")) from None
    if not isinstance(config, dict):
        raise InvalidKubeconfig("it is not a mapping")
    return config


def _named(config: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    """The entry of that name in the kubeconfig's list of clusters, users or contexts."""
    for entry in config[f"{kind}s"]:
        if entry["name"] == name:
            found: Mapping[str, Any] = entry[kind]
            return found
    raise InvalidKubeconfig(f"it has no {kind} {name!r}")


def _content(section: Mapping[str, Any], inline: str, file: str) -> str | None:
    """A setting that is either inline (in Base64 for `…-data`) or in a file."""
    if text := section.get(inline):
        return base64.b64decode(text).decode() if inline.endswith("-data") else str(text)
    return Path(section[file]).read_text().strip() if section.get(file) else None


def _tls_context(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _content(cluster, "certificate-authority-data", "certificate-authority")
    context = ssl.create_default_context(cadata=authority)
    # Few cluster CAs have all the extensions that Python 3.13 requires by default.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    certificate = _content(user, "client-certificate-data", "client-certificate")
    key = _content(user, "client-key-data", "client-key")
    if certificate and key:
        # OpenSSL reads a certificate chain and its key from files only.
        with tempfile.NamedTemporaryFile("w", prefix="zerojhub-", suffix=".pem") as file:  # mode 0600
            file.write(f"{certificate.rstrip()}\n{key.rstrip()}\n")
            file.flush()
            context.load_cert_chain(file.name)
    return context
