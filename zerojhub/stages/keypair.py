"""The keypair whose private half logs in to the master: an existing one of the user's, or one made for this hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.machine import keyfiles, keys
from zerojhub.machine.keys import PrivateKey
from zerojhub.openstack import magnum, nova
from zerojhub.openstack.names import unknown
from zerojhub.openstack.roads import is_cluster_api, road_of
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.preflight import Preflight
from zerojhub.stages.template import expected


@dataclass(frozen=True)
class Key:
    """A keypair in the cloud and its private half; None where nobody logs in, and it is not looked for."""

    name: str
    private_key: PrivateKey | None

    def __str__(self) -> str:
        return f"{self.name}, private key {self.private_key}" if self.private_key else self.name


class Keypair(Stage[Key | None]):
    """A keypair in the cloud whose private key is on this machine.

    Looks for `cluster.keypair` and its private key, in `~/.ssh` and the SSH agent. Without `cluster.keypair`, it creates
    `zerojhub-NAME`, which `down` deletes. Clusters without SSH access (Cluster API) need none.
    """

    name = "keypair"
    needs = (Preflight,)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        given = run.deployment.access.private_key
        try:
            if name := await chosen(run):
                await usable(run, name)
            elif given and not await unused(run):
                keys.usable(keyfiles.read(given), run.ask_passphrase)
        except UserError as error:
            return [error]
        return []

    async def look(self, run: Run) -> Found[Key | None] | Missing[Key | None] | Wrong[Key | None]:
        if name := await chosen(run):
            key = await usable(run, name)
            return Found(str(key), key)
        if await unused(run):
            return Found("not needed: nobody logs in to the machines", None)
        name = own_name(run)
        keypair = await run.once(nova.find_keypair, run.cloud, name)
        path = own_path(run)
        if keypair is None:
            return Missing(f"there is no keypair {name}")
        try:
            given = path if path.exists() else None
            key = Key(name, keys.locate(keypair["public_key"], name, given, run.ask_passphrase))
        except UserError:
            if run.deployment.access.private_key:
                raise
            return Wrong(f"keypair {name} is in the cloud, but its private key is not at {path}")
        return Found(str(key), key)

    async def do(self, run: Run, state: Missing[Key | None] | Wrong[Key | None]) -> None:
        name, path = own_name(run), own_path(run)
        if isinstance(state, Wrong):
            hint = f"restore the key, or delete the keypair: openstack keypair delete {name}"
            raise ZeroJHubError(state.detail, hint=hint)
        if not path.exists():  # access.private_key does: the keypair is made from its public half
            keys.make_private_key(path)
        key = keys.usable(keyfiles.read(path), run.ask_passphrase)
        await nova.create_keypair(run.cloud, name, f"{key.public} {name}")

    async def undo(self, run: Run, teardown: Teardown) -> None:
        if await chosen(run) is None:
            await nova.delete_keypair(run.cloud, own_name(run))
            generated_path(run).unlink(missing_ok=True)


async def unused(run: Run) -> bool:
    """Whether nobody logs in to the machines, and Magnum asks for no keypair either."""
    template = await expected(run)
    return template is not None and is_cluster_api(template) and road_of(run.deployment, template) == "api"


async def chosen(run: Run) -> str | None:
    """The keypair to use as it is: the deployment's, or that of the cluster it adopts. None: one of our own."""
    if run.deployment.cluster.keypair:
        return run.deployment.cluster.keypair
    cluster = await run.once(magnum.find_cluster, run.cloud, run.deployment.cluster_name)
    name = cluster and cluster["keypair"]
    return None if name == own_name(run) else name


async def usable(run: Run, name: str) -> Key:
    """The keypair and, where the road to the cluster needs it, its private half. UserError when either cannot be found."""
    keypair, given = await run.once(nova.find_keypair, run.cloud, name), run.deployment.access.private_key
    adopted = run.deployment.cluster.keypair is None
    if keypair is None and not adopted:
        there = [each["name"] for each in await nova.keypairs(run.cloud)]
        raise unknown("keypair", name, there, run.cloud.name)
    template = await expected(run)
    if template and road_of(run.deployment, template) == "api":
        return Key(name, None)
    if keypair is not None:
        return Key(name, keys.locate(keypair["public_key"], name, given, run.ask_passphrase))
    if given is None:  # another user made the cluster, and Nova hides their keypairs
        raise UserError(f"the cluster's keypair {name!r} belongs to another user", hint=keyfiles.NAME_IT)
    return Key(name, keys.usable(keyfiles.read(given), run.ask_passphrase))


def own_name(run: Run) -> str:
    return f"zerojhub-{run.deployment.name}"


def own_path(run: Run) -> Path:
    """The private half of our own keypair: the key that the deployment names, or a generated one."""
    return run.deployment.access.private_key or generated_path(run)


def generated_path(run: Run) -> Path:
    return run.folder / "id_ed25519"
