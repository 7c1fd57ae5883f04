"""Pinned SSH host keys: a known_hosts file that ssh reads, each line with the UUID of the server that the key is of."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from zerojhub import files


class HostKeys:
    """The pins of one deployment.

    The comment of a line is the server's UUID: another server that later has the same address has keys of its own.
    """

    def __init__(self, path: Path):
        self.path = path

    def pinned(self, address: str, server: str) -> list[str]:
        """The key lines of the server with that UUID at the address; empty before the first connection."""
        return [
            line.split(None, 1)[1].rsplit(None, 1)[0]
            for line in self._lines()
            if line.startswith(f"{address} ") and line.endswith(f" {server}")
        ]

    def pin(self, address: str, server: str, keys: list[str]) -> None:
        """Pin these keys for the server at the address, in place of all earlier pins of the address."""
        others = [line for line in self._lines() if not line.startswith(f"{address} ")]
        pins = [f"{address} {key} {server}" for key in keys]
        files.write(self.path, "".join(f"{line}\n" for line in [*others, *pins]).encode())

    def removal(self, address: str) -> str:
        """The command that removes the pins of the address."""
        return f"ssh-keygen -R {address} -f {self.path}"

    def _lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []


def only_fingerprints(keys: list[str]) -> bool:
    """Whether these are fingerprints, not keys: enough to verify a server, but an ssh client cannot read them."""
    return all(key.startswith("SHA256:") for key in keys)


def fingerprint(key: str) -> str:
    """`SHA256:…` of an OpenSSH public key line."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
