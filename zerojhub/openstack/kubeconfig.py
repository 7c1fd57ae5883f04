"""A kubeconfig through Magnum's certificates API: the key is generated here and never leaves; Magnum signs a request for it."""

from __future__ import annotations

import base64
from typing import Any, TypeAlias

from zerojhub.openstack import magnum
from zerojhub.openstack.session import Cloud

Kubeconfig: TypeAlias = dict[str, Any]
"""A kubeconfig, as client-go reads it."""


async def make(cloud: Cloud, cluster: magnum.Cluster) -> Kubeconfig:
    """An administrator's kubeconfig for the cluster."""
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
        "users": [
            {
                "name": f"{name}-admin",
                "user": {"client-certificate-data": _base64(certificate), "client-key-data": _base64(private.decode())},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-admin"}}],
        "current-context": name,
    }


def _base64(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()
