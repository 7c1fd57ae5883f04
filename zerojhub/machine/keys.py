"""SSH keys on this machine: which private key, in a file or in the agent, belongs to a public key; and making one."""

from __future__ import annotations

import os
from pathlib import Path

from zerojhub.errors import UserError


def locate(public_key: str, keypair: str, given: Path | None) -> Path | None:
    """The file with the private half of `public_key`: `given`, or one in ~/.ssh; None when the SSH agent has it.

    `keypair` is the name for messages. UserError when there is no such private key, or `given` is a different one.
    """
    material = key_material(public_key)
    if given is not None:
        if not given.exists():
            raise no_such_file(given)
        if public_half(given) != material:
            raise UserError(
                f"private key {given} does not match keypair {keypair!r}",
                hint="set access.private_key to the key that does",
            )
        return given
    candidates = sorted(
        path for path in (Path.home() / ".ssh").glob("*") if path.with_name(path.name + ".pub").exists()
    )
    for path in candidates:
        if public_half(path) == material:
            return path
    if material in agent_keys():
        return None
    tried = ", ".join(str(path) for path in candidates) or "none in ~/.ssh"
    raise UserError(
        f"no private key on this machine matches keypair {keypair!r} (tried {tried} and the SSH agent)",
        hint="set access.private_key to its file",
    )


def no_such_file(path: Path) -> UserError:
    """The error for a private key that is not where the deployment says."""
    return UserError(f"no private key at {path}", hint="correct access.private_key")


def key_material(line: str) -> str:
    """The type and Base64 of an OpenSSH public key line, without its comment."""
    return " ".join(line.split()[:2])


def public_half(path: Path) -> str | None:
    """The public half of a private key file as a key line, from its .pub file when the private key has a passphrase.

    None when neither can be read.
    """
    from cryptography.hazmat.primitives import serialization

    try:
        data = path.read_bytes()
        load = serialization.load_ssh_private_key if b"OPENSSH" in data else serialization.load_pem_private_key
        encoding, layout = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        return load(data, password=None).public_key().public_bytes(encoding, layout).decode()
    except (ValueError, TypeError, OSError):
        beside = path.with_name(path.name + ".pub")
        return key_material(beside.read_text()) if beside.exists() else None


def make_private_key(path: Path) -> None:
    """Write a new ed25519 private key to `path`, which must not exist, with mode 0600 from the first byte on."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    data = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def agent_keys() -> set[str]:
    """The key lines of all keys in the SSH agent; empty without an agent."""
    if not os.environ.get("SSH_AUTH_SOCK"):
        return set()
    import paramiko

    try:
        return {f"{key.get_name()} {key.get_base64()}" for key in paramiko.Agent().get_keys()}
    except paramiko.SSHException:
        return set()
