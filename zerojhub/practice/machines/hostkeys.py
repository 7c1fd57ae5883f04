"""New SSH host keys for a machine, and the lines that announce them in its console log."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519


@dataclass(frozen=True)
class HostKey:
    kind: str
    """As in the file name: ed25519, ecdsa."""
    bits: int
    private: bytes
    """OpenSSH private key file."""
    public: str
    """OpenSSH public key line, without a comment."""

    @property
    def fingerprint(self) -> str:
        blob = base64.b64decode(self.public.split()[1])
        return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def generate() -> list[HostKey]:
    keys = (
        ("ecdsa", 256, ec.generate_private_key(ec.SECP256R1())),
        ("ed25519", 256, ed25519.Ed25519PrivateKey.generate()),
    )
    return [
        HostKey(
            kind,
            bits,
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
            ),
            key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode(),
        )
        for kind, bits, key in keys
    ]


def console(name: str, keys: list[HostKey]) -> str:
    """What cloud-init prints on the console when it generates host keys (its tools/write-ssh-key-fingerprints)."""
    stamp = f"<14>{time.strftime('%b %e %H:%M:%S')} cloud-init: "
    return "\n".join(
        [
            stamp + "#" * 61,
            stamp + "-----BEGIN SSH HOST KEY FINGERPRINTS-----",
            *(f"{stamp}{key.bits} {key.fingerprint} root@{name} ({key.kind.upper()})" for key in keys),
            stamp + "-----END SSH HOST KEY FINGERPRINTS-----",
            stamp + "#" * 61,
            "-----BEGIN SSH HOST KEY KEYS-----",
            *(f"{key.public} root@{name}" for key in keys),
            "-----END SSH HOST KEY KEYS-----",
            "",
        ]
    )
