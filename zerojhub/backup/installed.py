"""The backups as they are installed in a cluster, and what can be done with them from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zerojhub.backup import state, work
from zerojhub.backup.night import HUB_NAME, ONLY, Owner, owner_of, owners
from zerojhub.backup.pod import HOME, NAME, Settings, Volume
from zerojhub.backup.state import Noted
from zerojhub.backup.work import Result, WorkFailed, perform, settings_of
from zerojhub.backup.worker import COPY
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import follow
from zerojhub.kube.follow import JobFailed
from zerojhub.kube.kinds import PERSISTENT_VOLUME_CLAIM
from zerojhub.tasks import gather
from zerojhub.text import nearest

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.crons import Crons
    from zerojhub.text import Say

PAUSED = "zerojhub.io/paused"
"""The annotation of a cron job that was suspended because its hub has moved."""
SAMPLE = 20
"""Files of each owner that `verify` restores."""


@dataclass(frozen=True)
class Snapshot:
    """A backup of one owner. Times are RFC 3339."""

    owner: str
    time: str
    id: str
    files: int | None
    bytes: int | None
    """The files' sizes."""
    added: int | None
    """Bytes that it added to the store."""
    tags: Sequence[str]


@dataclass(frozen=True)
class Verified:
    """What became of checking an owner's backups."""

    owner: str
    time: str | None
    """Of the backup from which files were restored."""
    read: str
    """Which part of what is stored was read."""
    sample: int
    """Files that were restored."""
    same: int
    """Those that were compared with the user's own, which have not changed since."""
    problem: str


@dataclass(frozen=True)
class Installed:
    """The backups of a deployment."""

    crons: Crons
    settings: Settings
    noted: Noted
    there: Sequence[Owner]
    """Those who have a volume, and the hub."""

    @property
    def kube(self) -> Kube:
        return self.crons.kube

    def everyone(self) -> list[Owner]:
        """Also those who have backups, but no volume any more."""
        current = {each.name for each in self.there}
        gone = [
            replace(owner_of(str(each["user"]), each.get("server", "")), size=each.get("size"))
            for name, each in self.noted.get("owners", {}).items()
            if name not in current and each.get("user")
        ]
        return [*self.there, *gone]

    def of(self, user: str, server: str = "") -> Owner:
        """The owner. UserError if there is no such one, neither with a volume nor with a backup."""
        every = [each for each in self.everyone() if each.user is not None and each.server == server]
        for name in (user, user.lower()):
            if found := next((each for each in every if each.user == name), None):
                return found
        close = nearest(user, [str(each.user) for each in every])
        what = f"{user} has neither a volume nor a backup{f' of server {server}' if server else ''}"
        raise UserError(what, hint=f"did you mean {close}?" if close else "zerojhub backup status")

    def hub(self) -> Owner:
        return next(each for each in self.there if each.name == HUB_NAME)

    def all_of(self, user: str) -> list[Owner]:
        """The user's default server and named ones. UserError if there are none."""
        every = self.everyone()
        for name in (user, user.lower()):
            if found := [each for each in every if each.user == name]:
                return found
        return [self.of(user)]

    async def run(self, of: Sequence[Owner], say: Say) -> None:
        """Make a backup now, of all if none are named. ZeroJHubError if somebody has no new one."""
        environment = {ONLY: ",".join(each.name for each in of)} if of else {}
        job = await self.crons.run(NAME, environment)
        lines: list[str] = []

        def log(source: str, line: str) -> None:
            lines.append(line)
            say(line)

        try:
            await follow.wait(self.kube, job, lambda text: None if lines else say(text), log)
        except JobFailed as failed:
            raise ZeroJHubError(
                f"not everybody was backed up: job {failed.job.name} has failed",
                details=[f"  {line}" for line in lines[-20:]],
                hint="zerojhub backup status",
            ) from None

    async def snapshots(self, of: Sequence[Owner], say: Say) -> list[Snapshot]:
        """Their backups, oldest first."""
        found: list[Snapshot] = []

        def take(line: Any) -> None:
            label = str(line["owner"]["host"])
            found.extend(Snapshot(owner=label, **each) for each in line["snapshots"])

        named = [{"name": each.name, "host": each.label} for each in of]
        task = {"action": "list", "name": HUB_NAME, "host": HUB_NAME, "owners": named}
        await perform(self.kube, self.settings, task, say, doing="listing the backups", line=take)
        return found

    async def files(self, owner: Owner, at: str, path: str, say: Say) -> tuple[Result, list[Result]]:
        """A backup, and what is in a folder of it."""
        found: list[Result] = []
        task = _task("files", owner) | {"at": at, "path": path}
        chosen = await perform(self.kube, self.settings, task, say, doing="reading the backup", line=found.append)
        return chosen, found

    async def verify(self, owner: Owner, *, everything: bool, say: Say) -> Verified:
        """Check the owner's repository, restore a sample of it, and compare that with the volume."""
        task = _task("verify", owner) | {"all": everything, "sample": SAMPLE}
        volume = None
        if owner.user is None:
            task |= {"root": COPY}
        elif owner.claim:
            volume, task = Volume(owner.claim, HOME), task | {"home": HOME}
        try:
            found = await perform(
                self.kube, self.settings, task, say, doing=f"checking the backups of {owner.label}", volume=volume
            )
        except WorkFailed as error:
            return Verified(owner.label, None, "", 0, 0, error.problem)
        return Verified(owner.label, found["time"], found["read"], found["sample"], found["same"], "")

    async def prune(self, owner: Owner, say: Say) -> Result:
        """Remove the owner's backups that are not to be kept. The numbers `before` and `after`."""
        task = _task("prune", owner) | {"keep": dict(self.settings.keep)}
        doing = f"pruning the backups of {owner.label}"
        return {"owner": owner.label} | await perform(self.kube, self.settings, task, say, doing=doing)

    async def restore(
        self, owner: Owner, *, claim: str, at: str, path: str, into: str | None, over: bool, say: Say
    ) -> Result:
        """Restore the owner's files on the volume of that claim."""
        return await work.restore(
            self.kube, self.settings, owner.name, owner.label, claim, say, at=at, path=path, into=into, over=over
        )

    async def restore_hub(self, claim: str, at: str, say: Say) -> Result:
        """Replace the database on the hub's volume. The hub must not run."""
        return await work.restore_hub(self.kube, self.settings, claim, say, at=at)


async def find(crons: Crons) -> Installed:
    """How they are installed. ZeroJHubError if they are not."""
    settings, noted, claims = await gather(
        settings_of(crons.kube, crons.namespace),
        state.read(crons.kube, crons.namespace),
        crons.kube.list(PERSISTENT_VOLUME_CLAIM, crons.namespace),
    )
    there, _ = owners([dict(each) for each in claims], database=settings.database)
    return Installed(crons, settings, noted, there)


async def pause(crons: Crons, say: Say) -> None:
    """Have no backup be made by itself until `resume`, and end one that is being made. Repeatable."""
    there = await crons.kube.get(crons.kind, NAME, crons.namespace)
    if there is None:
        return
    if not there["spec"].get("suspend"):
        change = {"metadata": {"annotations": {PAUSED: "true"}}, "spec": {"suspend": True}}
        await crons.kube.merge(crons.kind, NAME, crons.namespace, change)
    await crons.end(NAME, say)


async def resume(crons: Crons) -> None:
    """Have backups be made on schedule again, if it was `pause` that suspended them."""
    there = await crons.kube.get(crons.kind, NAME, crons.namespace)
    if there and PAUSED in there["metadata"].get("annotations", {}):
        change = {"metadata": {"annotations": {PAUSED: None}}, "spec": {"suspend": None}}
        await crons.kube.merge(crons.kind, NAME, crons.namespace, change)


def _task(action: str, owner: Owner) -> Result:
    return {"action": action, "name": owner.name, "host": owner.label}
