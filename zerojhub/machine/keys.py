"""SSH keys on this machine: which private key, in a file or in the agent, belongs to a public key; and making one."""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from zerojhub import files, masking
from zerojhub.errors import UserError
from zerojhub.machine import keyfiles
from zerojhub.machine.keyfiles import KeyFile, key_material

if TYPE_CHECKING:
    import paramiko

    from zerojhub.machine.keyfiles import Loaded

AskPassphrase: TypeAlias = Callable[[str], str | None]
"""Asks at the terminal, without echo. Returns None where there is no terminal."""

ATTEMPTS = 3
"""At a passphrase, as with ssh."""


@dataclass(frozen=True)
class PrivateKey:
    """A private key that can log in: from a file, or in the SSH agent."""

    public: str
    """The type and Base64 of its public half."""
    file: Path | None
    """None: only the SSH agent has it."""
    loaded: Loaded | None = field(default=None, repr=False, compare=False)
    """None: the SSH agent signs."""

    def __str__(self) -> str:
        return str(self.file or "in the SSH agent")

    def signer(self, agent: paramiko.Agent | None) -> paramiko.PKey | None:
        """The key for paramiko; None when neither it is loaded nor the agent has it any more."""
        import paramiko
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        match self.loaded:
            case None:
                held = agent.get_keys() if agent else ()
                return next((key for key in held if _material(key) == self.public), None)
            case rsa.RSAPrivateKey():
                return paramiko.RSAKey(key=self.loaded)
            case ec.EllipticCurvePrivateKey():
                return paramiko.ECDSAKey(vals=(self.loaded, self.loaded.public_key()))
            case _:
                return paramiko.Ed25519Key(file_obj=io.StringIO(keyfiles.openssh_format(self.loaded).decode()))


def locate(public_key: str, keypair: str, given: Path | None, ask: AskPassphrase) -> PrivateKey:
    """The private half of `public_key`: the file `given`, or one in ~/.ssh, or one in the SSH agent.

    `keypair` is the name for messages. A passphrase is asked for only when it is needed, and once. UserError when there is
    no such private key, when it cannot be used, and when `given` is another one.
    """
    wanted = key_material(public_key)
    if given is not None:
        file = keyfiles.read(given)
        if file.public in (None, wanted) and (key := usable(file, ask)).public == wanted:
            return key
        raise UserError(f"private key {given} does not match keypair {keypair!r}", hint=keyfiles.NAME_IT)
    files = list(in_ssh_folder())
    fitting = [file for file in files if file.public == wanted]
    problems: list[UserError] = []
    for file in sorted(fitting, key=lambda file: (file.problem is not None, file.encrypted)):
        try:
            if (key := usable(file, ask)).public == wanted:  # a .pub file may be another key's
                return key
        except UserError as error:
            problems.append(error)
    if wanted in agent_keys():
        return PrivateKey(wanted, None)
    locked = [file for file in files if file.public is None]
    for file in locked:
        with contextlib.suppress(UserError):
            if (key := usable(file, ask)).public == wanted:
                return key
    if problems:
        raise problems[0]
    raise UserError(
        f"no private key on this machine matches keypair {keypair!r} "
        f"(tried {', '.join(str(file.path) for file in files) or 'none in ~/.ssh'} and the SSH agent)",
        hint=f"add it to the SSH agent: ssh-add {locked[0].path}" if locked else keyfiles.NAME_IT,
    )


def usable(file: KeyFile, ask: AskPassphrase) -> PrivateKey:
    """The key, from the SSH agent if it is there and the file needs a passphrase.

    UserError when it cannot be used: without a terminal to ask for the passphrase, or for a key such as PuTTY's.
    """
    if file.public and (file.encrypted or file.problem) and file.public in agent_keys():
        return PrivateKey(file.public, file.path)
    if file.problem:
        raise file.problem
    loaded = _unlocked(file, ask) if file.encrypted else keyfiles.unlock(file.path, file.pem, None)
    if isinstance(loaded, UserError):
        raise loaded
    return PrivateKey(keyfiles.public_half(loaded), file.path, loaded)


@functools.cache
def _unlocked(file: KeyFile, ask: AskPassphrase) -> Loaded | UserError:
    """The decrypted key, or why there is none: asked for once in a command, whatever comes of it."""
    for _ in range(ATTEMPTS):
        passphrase = ask(f"Passphrase of {file.path}: ")
        masking.remember(passphrase)
        if passphrase is None:
            hint = f"no terminal to ask on; add the key to the SSH agent: ssh-add {file.path}"
            return UserError("the private key has a passphrase", where=str(file.path), hint=hint)
        if not passphrase:
            break
        with contextlib.suppress(ValueError):
            return keyfiles.unlock(file.path, file.pem, passphrase)
    return UserError("wrong passphrase", where=str(file.path))


def in_ssh_folder() -> Iterator[KeyFile]:
    """The private keys in ~/.ssh; whatever else is there, or cannot be read, is passed over."""
    for path in sorted(Path(os.path.expanduser("~/.ssh")).glob("*")):
        with contextlib.suppress(UserError):
            yield keyfiles.read(path)


def make_private_key(path: Path) -> None:
    """Write a new ed25519 private key to `path`, which must not exist, with mode 0600 from the first byte on."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    files.create(path, keyfiles.openssh_format(Ed25519PrivateKey.generate()))


def agent_keys() -> set[str]:
    """The type and Base64 of all keys in the SSH agent; empty without an agent."""
    if not os.environ.get("SSH_AUTH_SOCK"):
        return set()
    import paramiko

    with contextlib.suppress(paramiko.SSHException, OSError):
        agent = paramiko.Agent()
        try:
            return {_material(key) for key in agent.get_keys()}
        finally:
            agent.close()
    return set()


def _material(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"
