"""The keypair whose private half logs in to the master: an existing one of the user's, or one made for this hub."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack import magnum
from zerojhub.openstack.roads import is_cluster_api, road_of
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.preflight import Preflight
from zerojhub.stages.template import expected
from zerojhub.text import nearest


@dataclass(frozen=True)
class Key:
    """A keypair in the cloud and where its private half is: a file here, or (None) the agent."""

    name: str
    private_key: Path | None


class Keypair(Stage):
    """A keypair in the cloud whose private key is here.

    Looks for `cluster.keypair` and its private key, in `~/.ssh` and the SSH agent. When the file names none, it makes
    `zerojhub-NAME`, which `down` takes away; for machines that nobody logs in to (Cluster API), it needs none.
    """

    name = "keypair"
    needs = (Preflight,)

    async def check(self, hub) -> list[ZeroJHubError]:
        given = hub.deployment.access.private_key
        try:
            if name := await chosen(hub):
                await usable(hub, name)
            elif given and not given.exists():
                raise no_such_file(given)
        except UserError as error:
            return [error]
        return []

    async def look(self, hub) -> Found | Missing | Wrong:
        if name := await chosen(hub):
            key = await usable(hub, name)
            return Found(f"{name}, private key {key.private_key or 'in the SSH agent'}", key)
        template = await expected(hub)
        if template and is_cluster_api(template):
            return Found("not needed: nobody logs in to the machines", None)
        there = await find(hub, own_name(hub))
        path = own_path(hub)
        if there is None:
            return Missing(f"there is no keypair {own_name(hub)}")
        try:
            given = path if path.exists() and public_part(path) == key_material(there["public_key"]) else None
            key = Key(own_name(hub), locate(there["public_key"], own_name(hub), given))
        except UserError:
            return Wrong(f"keypair {own_name(hub)} is in the cloud, its private key is not at {path}")
        return Found(f"{key.name}, private key {key.private_key or 'in the SSH agent'}", key)

    async def do(self, hub, state: Missing | Wrong) -> None:
        name, path = own_name(hub), own_path(hub)
        if isinstance(state, Wrong):
            raise ZeroJHubError(
                state.how, hint=f"put the key back, or remove the keypair: openstack keypair delete {name}"
            )
        if not path.exists():  # access.private_key does: a keypair is made of its public half
            make_private_key(path)
        public = public_part(path)
        if public is None:
            raise UserError(f"{path} is no private key that can be read", hint="is its .pub file beside it?")
        body = {"keypair": {"name": name, "public_key": f"{public} {name}"}}
        await hub.cloud.compute.post("/os-keypairs", body)

    async def undo(self, hub) -> None:
        if await chosen(hub) is None:
            await hub.cloud.compute.delete(f"/os-keypairs/{own_name(hub)}")
            made_path(hub).unlink(missing_ok=True)


async def chosen(hub) -> str | None:
    """The keypair that is used as it is: the deployment's, or that of the cluster it adopts; None for one of our own."""
    if hub.deployment.cluster.keypair:
        return hub.deployment.cluster.keypair
    cluster = await magnum.find_one(hub.cloud, "clusters", hub.deployment.cluster.name)
    name = cluster and cluster["keypair"]
    return None if name == own_name(hub) else name


async def usable(hub, name: str) -> Key:
    """The keypair and where its private half is. UserError when either is not to be found and the road needs it."""
    there, given = await find(hub, name), hub.deployment.access.private_key
    adopted = hub.deployment.cluster.keypair is None
    if there is None and not adopted:
        raise await unknown(hub, name)
    if there is None and given and given.exists():  # keypairs are a person's own: another person made the cluster
        return Key(name, given)
    try:
        if there is None:
            hint = "name the file of its private key in access.private_key"
            raise UserError(f"the cluster's keypair {name!r} is none of yours in cloud {hub.cloud.name}", hint=hint)
        return Key(name, locate(there["public_key"], name, given))
    except UserError:
        template = await expected(hub)
        if template and road_of(hub.deployment, template) == "api":
            return Key(name, None)
        raise


async def unknown(hub, name: str) -> UserError:
    names = [each["keypair"]["name"] for each in (await hub.cloud.compute.get("/os-keypairs"))["keypairs"]]
    meant = nearest(name, names)
    there = f"there are: {', '.join(names) or 'none'}; leave it out to have one made"
    hint = f"did you mean {meant!r}?" if meant else there
    return UserError(f"no keypair named {name!r} in cloud {hub.cloud.name}", hint=hint)


async def find(hub, name: str) -> dict | None:
    answer = await hub.cloud.compute.find(f"/os-keypairs/{name}")
    return answer and answer["keypair"]


def own_name(hub) -> str:
    return f"zerojhub-{hub.deployment.name}"


def own_path(hub) -> Path:
    """The private half of our own keypair: the key that the deployment names, or one made here."""
    return hub.deployment.access.private_key or made_path(hub)


def made_path(hub) -> Path:
    return hub.state / "id_ed25519"


def no_such_file(path: Path) -> UserError:
    return UserError(f"no private key at {path}", hint="correct access.private_key")


def locate(public_key: str, name: str, given: Path | None) -> Path | None:
    """Where the private half of `public_key` is: the given file, one of ~/.ssh, or None for the agent.

    Raises UserError when it is nowhere, or the given file is another key.
    """
    material = key_material(public_key)
    if given is not None:
        if not given.exists():
            raise no_such_file(given)
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
