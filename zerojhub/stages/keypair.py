"""The keypair whose private half logs in to the master: an existing one of the user's, or one made for this hub."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from zerojhub.deployment import nearest
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.preflight import Preflight


@dataclass(frozen=True)
class Key:
    """A keypair in the cloud and where its private half is: a file here, or (None) the agent."""

    name: str
    private_key: Path | None


class Keypair(Stage):
    """A keypair in the cloud whose private key is here."""

    name = "keypair"
    needs = (Preflight,)

    async def check(self, hub) -> list[ZeroJHubError]:
        wanted = hub.deployment.cluster.keypair
        if wanted is None:
            return []
        there = await find(hub, wanted)
        if there is None:
            listed = (await hub.cloud.compute.get("/os-keypairs"))["keypairs"]
            names = [each["keypair"]["name"] for each in listed]
            meant = nearest(wanted, names)
            hint = (
                f"did you mean {meant!r}?"
                if meant
                else f"there are: {', '.join(names) or 'none'}; leave it out to have one made"
            )
            return [UserError(f"no keypair named {wanted!r} in cloud {hub.cloud.name}", hint=hint)]
        try:
            locate(there["public_key"], wanted, hub.deployment.access.private_key)
        except UserError as error:
            return [error]
        return []

    async def look(self, hub) -> Found | Missing | Wrong:
        wanted = hub.deployment.cluster.keypair
        there = await find(hub, wanted or own_name(hub))
        if wanted:
            key = locate(there["public_key"], wanted, hub.deployment.access.private_key)
            return Found(f"{wanted}, private key {key or 'in the SSH agent'}", Key(wanted, key))
        path = own_path(hub)
        if there is None:
            return Missing(f"there is no keypair {own_name(hub)}")
        if not path.exists() or public_part(path) != key_material(there["public_key"]):
            return Wrong(f"keypair {own_name(hub)} is in the cloud, its private key is not at {path}")
        return Found(f"{own_name(hub)}, private key {path}", Key(own_name(hub), path))

    async def do(self, hub, state: Missing | Wrong) -> None:
        name, path = own_name(hub), own_path(hub)
        if isinstance(state, Wrong):
            raise ZeroJHubError(
                state.how, hint=f"put the key back, or remove the keypair: openstack keypair delete {name}"
            )
        if not path.exists():
            make_private_key(path)
        body = {"keypair": {"name": name, "public_key": f"{public_line(path)} {name}"}}
        await hub.cloud.compute.post("/os-keypairs", body)

    async def undo(self, hub) -> None:
        if hub.deployment.cluster.keypair is None:
            await hub.cloud.compute.delete(f"/os-keypairs/{own_name(hub)}")
            own_path(hub).unlink(missing_ok=True)


async def find(hub, name: str) -> dict | None:
    answer = await hub.cloud.compute.find(f"/os-keypairs/{name}")
    return answer and answer["keypair"]


def own_name(hub) -> str:
    return f"zerojhub-{hub.deployment.name}"


def own_path(hub) -> Path:
    return hub.state / "id_ed25519"


def locate(public_key: str, name: str, given: Path | None) -> Path | None:
    """Where the private half of `public_key` is: the given file, one of ~/.ssh, or None for the agent.

    Raises UserError when it is nowhere, or the given file is another key.
    """
    material = key_material(public_key)
    if given is not None:
        if not given.exists():
            raise UserError(f"no private key at {given}", hint="correct access.private_key")
        if public_part(given) != material:
            raise UserError(
                f"private key {given} does not fit the keypair {name!r}", hint="name its own in access.private_key"
            )
        return given
    candidates = sorted(
        path for path in (Path.home() / ".ssh").glob("*") if path.with_name(path.name + ".pub").exists()
    )
    for path in candidates:
        if public_part(path) == material:
            return path
    if material in agent_keys():
        return None
    tried = ", ".join(str(path) for path in candidates) or "none in ~/.ssh"
    raise UserError(
        f"no private key here fits the keypair {name!r} (tried {tried} and the SSH agent)",
        hint="name its file in access.private_key",
    )


def key_material(line: str) -> str:
    """The type and base64 of an OpenSSH public key line, without its comment."""
    return " ".join(line.split()[:2])


def public_part(path: Path) -> str | None:
    """The public half of a private key file as a key line; from its .pub when the private one has a passphrase."""
    try:
        return public_line(path)
    except (ValueError, TypeError, OSError):
        beside = path.with_name(path.name + ".pub")
        return key_material(beside.read_text()) if beside.exists() else None


def public_line(path: Path) -> str:
    from cryptography.hazmat.primitives import serialization

    data = path.read_bytes()
    load = serialization.load_ssh_private_key if b"OPENSSH" in data else serialization.load_pem_private_key
    encoding, layout = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return load(data, password=None).public_key().public_bytes(encoding, layout).decode()


def make_private_key(path: Path) -> None:
    """A new ed25519 key, in a file that only its owner can read from its first byte on."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    data = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def agent_keys() -> set[str]:
    """Key lines of the keys that the SSH agent holds; none without an agent."""
    if not os.environ.get("SSH_AUTH_SOCK"):
        return set()
    import paramiko

    try:
        return {f"{key.get_name()} {key.get_base64()}" for key in paramiko.Agent().get_keys()}
    except paramiko.SSHException:
        return set()
