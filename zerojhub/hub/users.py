"""What administrators do to users: add and remove them, make them administrators, start and stop their servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.hub.client import HubClient, HubError
from zerojhub.hub.names import escape
from zerojhub.kube import volumes
from zerojhub.kube.kinds import PERSISTENT_VOLUME_CLAIM
from zerojhub.tasks import gather
from zerojhub.text import nearest, one_line, plural

if TYPE_CHECKING:
    from zerojhub.hub.client import User
    from zerojhub.kube.client import Kube
    from zerojhub.kube.volumes import Volume
    from zerojhub.text import Say

FAILED = "failed"
"""The outcome of what was not done."""
AT_ONCE = 10
"""Users at whom the hub works at the same time: by default it starts no more than 64 servers at once."""
START_TIMEOUT = 600
"""Seconds for a server to start: its node may have to pull the image."""


@dataclass(frozen=True)
class UserRow:
    """What became of one user."""

    name: str
    outcome: str
    """`added`, `already a user`, …, or FAILED."""
    detail: str = ""
    volumes: list[Volume] = field(default_factory=list)
    """Kept or deleted with the user."""


@dataclass(frozen=True)
class Leaving:
    """A user who is about to be removed. `user` is None if only volumes are left of them, or nothing at all."""

    name: str
    given: str
    """The name as the command was given it."""
    user: User | None
    volumes: list[Volume]


class UnknownUser(ZeroJHubError):
    """The hub has no such user (exit code 1)."""

    def __init__(self, name: str, known: Iterable[str]):
        close = nearest(name, known)
        super().__init__("no such user", hint=f"did you mean {close}?" if close else "zerojhub hub users add")


class Users:
    """The hub's users, and what can be done to each. `client` has the token of our service.

    Methods that take several names give a row for each, in their order: a failure does not stop the others.
    """

    def __init__(self, client: HubClient, known: Iterable[User], say: Say):
        self._client, self._say = client, say
        self._known = {user.name: user for user in known}

    @classmethod
    async def of(cls, client: HubClient, say: Say) -> Users:
        """With all users that the hub has now. Raises HubError."""
        return cls(client, await client.users(), say)

    def with_servers(self) -> list[str]:
        """Those who have a server that runs or starts."""
        return sorted(user.name for user in self._known.values() if user.servers)

    async def add(self, names: Sequence[str]) -> list[UserRow]:
        """Add users. The hub decides how their names are written."""

        async def add(name: str) -> UserRow:
            added = await self._client.add_user(name)
            user = added or self._find(name)
            outcome = "added" if added else "already a user"
            return UserRow(user.name if user else name, outcome, _renamed(name, user))

        return await self._each(names, add)

    async def set_admin(self, names: Sequence[str], admin: bool) -> list[UserRow]:
        """Make users administrators, or administrators users."""

        async def change(name: str) -> UserRow:
            user = self._require(name)
            if user.admin == admin:
                return UserRow(user.name, f"already {ROLES[admin]}", _renamed(name, user))
            await self._client.set_admin(user.name, admin)
            return UserRow(user.name, f"now {ROLES[admin]}", _renamed(name, user))

        return await self._each(names, change)

    async def start(self, names: Sequence[str]) -> list[UserRow]:
        """Start users' default servers, and wait until they are ready."""

        async def start(name: str) -> UserRow:
            user = self._require(name)
            if "" in user.servers and not user.servers[""].pending:
                return UserRow(user.name, "already running", _renamed(name, user))
            await self._client.start_server(user.name)
            async for _ in self._client.progress(user.name, timeout=START_TIMEOUT):
                pass
            return UserRow(user.name, "started", _renamed(name, user))

        return await self._each(names, start)

    async def stop(self, names: Sequence[str]) -> list[UserRow]:
        """Stop all servers of users, and wait until they have stopped."""

        async def stop(name: str) -> UserRow:
            user = self._require(name)
            await self._stop(user)
            return UserRow(user.name, "stopped" if user.servers else "not running", _renamed(name, user))

        return await self._each(names, stop)

    async def leaving(self, kube: Kube, namespace: str, names: Sequence[str]) -> list[Leaving]:
        """What removing them is about. Changes nothing."""
        claimed = await volumes.claimed(kube, namespace)
        found = []
        for given in names:
            user = self._find(given)
            name = user.name if user else given if any(_is_of(each, given) for each in claimed) else given.lower()
            found.append(Leaving(name, given, user, [each for each in claimed if _is_of(each, name)]))
        return found

    async def remove(self, kube: Kube, namespace: str, leaving: Sequence[Leaving], *, with_data: bool) -> list[UserRow]:
        """Stop users' servers and delete the users. Their volumes stay, with their claims, unless `with_data`."""
        known = {each.name: each for each in leaving}

        async def remove(name: str) -> UserRow:
            person = known[name]
            if person.user:
                await self._stop(person.user)
            theirs = person.volumes
            if with_data:
                await self._delete(kube, namespace, person)
            elif person.user:
                # Once more: a server that they have started meanwhile may have got a volume.
                theirs = [each for each in await volumes.claimed(kube, namespace) if _is_of(each, name)]
                await self._delete_but(kube, namespace, theirs, name)
            done = "removed" if person.user else "not a user"
            fate = "deleted" if with_data else "kept"
            fates = [f"{fate} volume {each.id or each.name} ({each.size_gb} GB)" for each in theirs]
            detail = ", ".join(filter(None, [_renamed(person.given, person.user), *fates]))
            return UserRow(name, done, detail, theirs)

        return await self._each(list(known), remove)

    async def _delete_but(self, kube: Kube, namespace: str, theirs: Sequence[Volume], name: str) -> None:
        """Delete the user but not their volumes.

        KubeSpawner deletes a deleted user's claim by its name, and with it the volume, unless that is to be retained.
        """
        claims = []
        for volume in theirs:
            await volumes.set_policy(kube, volume.name, "Retain")
            claims.append(await kube.get(PERSISTENT_VOLUME_CLAIM, volume.claim, namespace))
        await self._client.delete_user(name)
        for claim in filter(None, claims):
            there = await kube.get(PERSISTENT_VOLUME_CLAIM, claim["metadata"]["name"], namespace)
            if there is not None and "deletionTimestamp" not in there["metadata"]:
                continue
            try:
                await volumes.claim_again(kube, claim)
            except ZeroJHubError as error:
                kept = f"volume {claim['spec']['volumeName']} is kept, but without a claim"
                raise ZeroJHubError(f"removed; {kept}: {error}") from None

    async def _delete(self, kube: Kube, namespace: str, person: Leaving) -> None:
        """Delete the user, their claims and volumes, and wait until the volumes are gone. TimedOut if they stay."""
        for volume in person.volumes:
            await volumes.set_last_policy(kube, volume.name, "Delete")
        await self._client.delete_user(person.name)
        await volumes.delete_claims(kube, namespace, person.volumes)

    async def _stop(self, user: User) -> None:
        for server in user.servers:
            await self._client.stop_server(user.name, server)

    async def _each(self, names: Sequence[str], act: Callable[[str], Awaitable[UserRow]]) -> list[UserRow]:
        rows: dict[str, UserRow] = {}
        at_once = anyio.CapacityLimiter(AT_ONCE)

        async def one(name: str) -> None:
            async with at_once:
                try:
                    rows[name] = await act(name)
                except ZeroJHubError as error:
                    if isinstance(error, HubError) and error.status == 403:
                        error.hint = "zerojhub up gives zerojhub's own service in the hub the rights that it lacks"
                    rows[name] = UserRow(name, FAILED, one_line(str(error)))
            self._say(f"{len(rows)} of {plural(len(names), 'user')}")

        await gather(*(one(name) for name in names))
        return [rows[name] for name in names]

    def _find(self, name: str) -> User | None:
        """The user of that name. JupyterHub writes names in lower case, if the authenticator does not decide otherwise."""
        return self._known.get(name) or self._known.get(name.lower())

    def _require(self, name: str) -> User:
        if user := self._find(name):
            return user
        raise UnknownUser(name, self._known)


ROLES: Mapping[bool, str] = {True: "an administrator", False: "a user"}


def _renamed(given: str, user: User | None) -> str:
    return f"given as {given}" if user and user.name != given else ""


def _is_of(volume: Volume, name: str) -> bool:
    """Whether the volume is the user's, by the annotation of its claim or, without one, the name KubeSpawner gives it."""
    return volume.owner == name or volume.owner == volume.claim == f"claim-{escape(name)}"
