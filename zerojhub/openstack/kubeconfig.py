"""Kubeconfigs through Magnum's certificates API: the key is generated here and never leaves; Magnum signs a request for it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, TypeAlias

from zerojhub.openstack import magnum
from zerojhub.openstack.session import Cloud

Kubeconfig: TypeAlias = dict[str, Any]
"""A kubeconfig, as client-go reads it."""

EXEC_VERSION = "client.authentication.k8s.io/v1"
TOKEN_SCRIPT = f"""\
if [ -z "$OS_TOKEN" ]; then echo 'OS_TOKEN is not set: export OS_TOKEN="$(openstack token issue -f value -c id)"' >&2; exit 1; fi
printf '{{"apiVersion": "{EXEC_VERSION}", "kind": "ExecCredential", "status": {{"token": "%s"}}}}' "$OS_TOKEN"
"""
"""Hands kubectl the token of Keystone in OS_TOKEN."""


@dataclass(frozen=True)
class Certificates:
    """The certificate of a cluster's CA, and an administrator's with its private key, in PEM."""

    authority: str
    certificate: str
    key: str


async def make(cloud: Cloud, cluster: magnum.Cluster) -> Kubeconfig:
    """An administrator's kubeconfig for the cluster."""
    return of_administrator(cluster, await certificates(cloud, cluster))


async def certificates(cloud: Cloud, cluster: magnum.Cluster) -> Certificates:
    """A new key, its certificate, and the CA that signed it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    # Members of system:masters may do everything, whatever RBAC rules the cluster has.
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
            x509.NameAttribute(NameOID.COMMON_NAME, "admin"),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    csr = request.public_bytes(serialization.Encoding.PEM).decode()
    certificate = await magnum.sign(cloud, cluster["uuid"], csr)
    authority = await magnum.ca_certificate(cloud, cluster["uuid"])
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return Certificates(authority, certificate, private.decode())


def of_administrator(cluster: magnum.Cluster, given: Certificates) -> Kubeconfig:
    """The kubeconfig of the administrator with these certificates."""
    user = {"client-certificate-data": _base64(given.certificate), "client-key-data": _base64(given.key)}
    return _kubeconfig(cluster, given.authority, f"{cluster['name']}-admin", user)


def of_token(cluster: magnum.Cluster, authority: str) -> Kubeconfig:
    """A kubeconfig without secrets: kubectl logs in with the token of Keystone that is in OS_TOKEN then."""
    plugin = {
        "apiVersion": EXEC_VERSION,
        "command": "/bin/sh",
        "args": ["-c", TOKEN_SCRIPT],
        "interactiveMode": "Never",
    }
    return _kubeconfig(cluster, authority, f"{cluster['name']}-keystone", {"exec": plugin})


def _kubeconfig(cluster: magnum.Cluster, authority: str, user_name: str, user: dict[str, Any]) -> Kubeconfig:
    name = cluster["name"]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {"server": cluster.get("api_address"), "certificate-authority-data": _base64(authority)},
            }
        ],
        "users": [{"name": user_name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user_name}}],
        "current-context": name,
    }


def _base64(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()
