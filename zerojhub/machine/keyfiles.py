"""Private key files: OpenSSH's own format, PEM (PKCS#1, PKCS#8, SEC 1), PuTTY's, and what people mistake for a private key."""

from __future__ import annotations

import base64
import re
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from zerojhub.errors import UserError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    Loaded: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

NAME_IT = "name its file: -i FILE, or access.private_key in hub.yaml"
MOST = 1 << 20
"""Bytes of a file that can be a private key."""
BLOCK = re.compile(rb"-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----(.*?)-----END \1-----", re.S)
PUBLIC = re.compile(rb"(ssh-|ecdsa-|sk-|-----BEGIN (CERTIFICATE|[A-Z ]*PUBLIC KEY)|---- BEGIN SSH2 PUBLIC)")
TYPES = re.compile(r"ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp(256|384|521)")
"""Key types that can log in from a file."""


@dataclass(frozen=True)
class KeyFile:
    """A private key file, as far as it can be read without a passphrase."""

    path: Path
    public: str | None
    """The type and Base64 of its public half; None when that is encrypted, too, and no .pub file is beside it."""
    pem: bytes = field(default=b"", repr=False)
    """The private key, without what surrounds it in the file."""
    encrypted: bool = False
    problem: UserError | None = None
    """Why it cannot log in, although it is a private key."""


def read(path: Path) -> KeyFile:
    """The private key in the file. UserError when there is none, or it is damaged."""
    data = _contents(path)
    if data.startswith(b"PuTTY-User-Key-File"):
        return _putty(path, data)
    found = BLOCK.search(data)
    if found is None:
        raise _not_private(path, data)
    pem = found[0] + b"\n"
    if found[1] == b"ENCRYPTED PRIVATE KEY" or b"4,ENCRYPTED" in found[2]:
        return KeyFile(path, _beside(path), pem, encrypted=True)
    if found[1] != b"OPENSSH PRIVATE KEY":
        return KeyFile(path, public_half(unlock(path, pem, None)), pem)
    try:
        return _openssh(path, pem, base64.b64decode(found[2]))
    except (ValueError, struct.error):
        raise UserError("damaged private key", where=str(path)) from None


def unlock(path: Path, pem: bytes, passphrase: str | None) -> Loaded:
    """The private key itself. ValueError for a wrong passphrase, UserError when it cannot be used at all."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    password = passphrase.encode() if passphrase else None
    try:
        if b"OPENSSH" in pem:
            key: PrivateKeyTypes = serialization.load_ssh_private_key(pem, password)
        else:
            # Validation takes half a second for each RSA key in ~/.ssh.
            key = serialization.load_pem_private_key(pem, password, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
            public_half(key)
            return key
        reason, hint = "a key of this type cannot log in", None
    except UnsupportedAlgorithm:
        reason, hint = "a private key of an unsupported kind", f"add it to the SSH agent: ssh-add {path}"
    except ValueError:
        if passphrase:
            raise
        reason, hint = "damaged private key", None
    raise UserError(reason, where=str(path), hint=hint)


def public_half(key: Loaded) -> str:
    """The type and Base64 of an OpenSSH public key line. ValueError for an elliptic curve that SSH does not have."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def openssh_format(key: Loaded) -> bytes:
    """The private key in OpenSSH's format, not encrypted."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def key_material(line: str) -> str:
    """The type and Base64 of an OpenSSH public key line, without its comment."""
    return " ".join(line.split()[:2])


def _contents(path: Path) -> bytes:
    """The file's bytes; UTF-16, as PowerShell writes it, and Windows line ends are made what they would be on Linux."""
    try:
        there = path.stat()
        if stat.S_ISDIR(there.st_mode):
            raise UserError("a directory, not a private key", where=str(path))
        if not stat.S_ISREG(there.st_mode):  # reading a pipe could take forever
            raise UserError("not a file", where=str(path))
        if there.st_size > MOST:
            raise UserError("too large for a private key", where=str(path))
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"no private key at {path}", hint=NAME_IT) from None
    except OSError as error:
        raise UserError(f"cannot read the private key: {error.strerror}", where=str(path)) from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", errors="replace").encode()
    return b"\n".join(line.strip() for line in data.removeprefix(b"\xef\xbb\xbf").splitlines())


def _not_private(path: Path, data: bytes) -> UserError:
    """What the file is instead."""
    where = str(path)
    if not data.strip():
        return UserError("the file is empty", where=where)
    if b"PRIVATE KEY-----" in data:
        return UserError("damaged private key", where=where, hint="its last lines are missing")
    if not PUBLIC.match(data.lstrip()):
        return UserError("not a private key", where=where)
    kind = "certificate" if b"-cert-v01@" in data or b"CERTIFICATE" in data else "public key"
    private = path.with_name(path.name.removesuffix(".pub").removesuffix("-cert"))
    hint = f"the private key is {private}" if private != path and private.exists() else None
    return UserError(f"a {kind}, not a private key", where=where, hint=hint)


def _openssh(path: Path, pem: bytes, data: bytes) -> KeyFile:
    """OpenSSH's format has the public half in clear (PROTOCOL.key in its source)."""
    cipher, rest = _string(data.removeprefix(b"openssh-key-v1\0"))
    _, rest = _string(rest)  # the key derivation and its options
    _, rest = _string(rest)
    blob, _ = _string(rest[4:])  # after the number of keys
    public = _line(blob)
    kind, problem = public.split()[0], None
    if kind.startswith("sk-"):
        hint = f"add it to the SSH agent: ssh-add {path}"
        problem = UserError("a FIDO key, which only the SSH agent can use", where=str(path), hint=hint)
    elif not TYPES.fullmatch(kind):
        problem = UserError(f"a key of type {kind} cannot log in", where=str(path))
    return KeyFile(path, public, pem, encrypted=cipher != b"none", problem=problem)


def _putty(path: Path, data: bytes) -> KeyFile:
    lines = data.decode(errors="replace").splitlines()
    try:
        at = next(number for number, line in enumerate(lines) if line.startswith("Public-Lines:"))
        count = int(lines[at].partition(":")[2])
        public = _line(base64.b64decode("".join(lines[at + 1 : at + 1 + count])))
    except (ValueError, StopIteration, struct.error):
        raise UserError("damaged PuTTY key", where=str(path)) from None
    target = path.with_suffix("") if path.suffix == ".ppk" else path.with_name(f"{path.name}.openssh")
    hint = f"convert it: puttygen {path} -O private-openssh -o {target}"
    return KeyFile(path, public, problem=UserError("a PuTTY key", where=str(path), hint=hint))


def _beside(path: Path) -> str | None:
    """The public half in the .pub file beside it."""
    try:
        line = path.with_name(f"{path.name}.pub").read_text(errors="replace")
    except OSError:
        return None
    return key_material(line) or None


def _string(data: bytes) -> tuple[bytes, bytes]:
    """An SSH string (RFC 4251) and what follows it."""
    (length,) = struct.unpack_from(">I", data)
    if len(data) < 4 + length:
        raise ValueError("it ends too early")
    return data[4 : 4 + length], data[4 + length :]


def _line(blob: bytes) -> str:
    """The type and Base64 of a public key."""
    return f"{_string(blob)[0].decode()} {base64.b64encode(blob).decode()}"
