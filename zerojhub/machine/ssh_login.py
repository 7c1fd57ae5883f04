"""Logging in over SSH: the server has a pinned host key and accepts the user's key."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zerojhub.errors import MachineError
from zerojhub.machine.host_keys import fingerprint
from zerojhub.machine.keys import PrivateKey

if TYPE_CHECKING:
    import paramiko

CONNECT = 10
"""Seconds for one attempt to connect or to open a session."""


class Refused(Exception):
    """The machine responds, but does not accept the key for this user."""

    def __init__(self, message: str, hint: str | None = None):
        super().__init__(message)
        self.hint = hint


class NoAnswer(Exception):
    """SSH does not respond (yet)."""


@dataclass(frozen=True)
class Pins:
    """The host keys that a server may have."""

    fingerprints: frozenset[str]
    types: list[str] = field(default_factory=list)
    """The signature algorithms of those pins that are keys."""

    @classmethod
    def of(cls, host_keys: list[str]) -> Pins:
        """From lines that contain an OpenSSH public key, or `SHA256:…` fingerprints."""
        fingerprints, types = set(), []
        for line in host_keys:
            words = line.split()
            if words[0].startswith("SHA256:"):
                fingerprints.add(words[0].rstrip("="))
                continue
            kind = next(i for i, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-")))
            fingerprints.add(fingerprint(" ".join(words[kind:])))
            types += ["rsa-sha2-512", "rsa-sha2-256"] if words[kind] == "ssh-rsa" else [words[kind]]
        return cls(frozenset(fingerprints), types)


def log_in(address: str, port: int, user: str, pins: Pins, key: PrivateKey, forget: str) -> paramiko.Transport:
    """One attempt with the key; blocks. `forget` is the command that removes a pin.

    Raises NoAnswer, Refused, or MachineError for a host key that is not pinned.
    """
    import paramiko

    try:
        transport = paramiko.Transport(socket.create_connection((address, port), timeout=CONNECT))
    except OSError as error:
        raise NoAnswer(error.strerror or str(error)) from None
    try:
        # A server has several host keys and presents one: ask for a pinned one.
        options = transport.get_security_options()
        options.key_types = sorted(options.key_types, key=lambda kind: kind not in pins.types)
        try:
            transport.start_client(timeout=CONNECT)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise NoAnswer(str(error) or "closed the connection") from None
        host_key = transport.get_remote_server_key()
        if host_key.fingerprint.rstrip("=") not in pins.fingerprints:
            raise MachineError(
                f"its {host_key.get_name()} host key {host_key.fingerprint} does not match the pinned one",
                where=f"{user}@{address}",
                hint=f"another machine may be responding; if this one was rebuilt, remove its old key: {forget}",
            )
        _authenticate(transport, user, key, f"{user}@{address}")
        transport.set_keepalive(15)
        return transport
    except BaseException:
        transport.close()
        raise


def _authenticate(transport: paramiko.Transport, user: str, key: PrivateKey, name: str) -> None:
    import paramiko

    # sshd ends a connection that offers more than a few keys: only the one that fits is offered.
    agent = paramiko.Agent() if key.loaded is None else None
    try:
        signer = key.signer(agent)
        if signer is None:
            raise Refused("the SSH agent does not have the private key any more", "add it with ssh-add")
        transport.auth_publickey(user, signer)
    except paramiko.AuthenticationException:
        hint = "is that the user of this image? --user, or access.user in hub.yaml, names another"
        raise Refused(f"it does not accept the key for {user}: private key {key}", hint) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        if "signing" in str(error):  # asking again would ask the person again, at whom the agent has just asked
            raise MachineError("the SSH agent refuses to use the private key", where=name) from None
        raise NoAnswer(str(error) or "closed the connection") from None
    finally:
        if agent:
            agent.close()
