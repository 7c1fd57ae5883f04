"""The lock of a deployment: one command at a time changes it, whoever runs the command, and on whichever machine.

It is kept in the cloud, which everybody who works on a deployment shares, and which is there before the cluster is: a subnet
pool of Neutron's. Every member of a project may create one, Neutron's default quota does not limit them, and by itself a
pool does nothing.

Neutron would take a second one of the same name. So a command creates its pool, and then lists those of the name. It has the
lock if there is no other. If there is one, it deletes its own and waits. Of two commands that create theirs at the same time,
the one that lists later sees both: never do both have the lock. It may be that neither has; both try again after a pause of
random length.

The command that has the lock changes the pool's description every half a minute. A pool that has not changed for three
minutes is that of a command that was killed, and is deleted by the next one. How long ago it changed is the difference of two
times of Neutron's, or of two readings of this machine's monotonic clock: no clock has to be right.

On the machine where the command was killed, nobody waits for that. There, a command locks a file as well, which the system
unlocks when it ends. The random word in its pool's description is also in a file: whoever can lock the one file deletes the
pools with the words in the other.

A command that did not report for so long although it lives, as on a laptop that slept, finds its pool gone, and ends.
"""

from __future__ import annotations

import getpass
import json
import os
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import anyio
from typing_extensions import TypedDict

from zerojhub import files
from zerojhub.answers import checked
from zerojhub.errors import CloudError, Unavailable, ZeroJHubError
from zerojhub.openstack import neutron
from zerojhub.openstack.neutron import SubnetPool
from zerojhub.openstack.session import Cloud, if_allowed
from zerojhub.retry import reported
from zerojhub.tasks import task_group
from zerojhub.text import Say, elapsed, one_line
from zerojhub.waiting import NotYet, wait_until

BEAT = 30.0
"""Seconds between two reports of the command that has the lock."""
SILENCE = 180.0
"""Seconds without a report after which the command was killed."""
PAUSE = (1.0, 5.0)
"""The first and the longest pause, in seconds, between two looks whether the lock is free."""
GIVING_BACK = 10.0
"""Seconds that giving the lock back may take at the end of a command."""
ADDRESSES = "192.0.2.0/24"
"""What the pool consists of, because it must consist of something: addresses that are for documentation only (RFC 5737)."""
LONGEST = 80
"""Letters of a user and a host; Neutron takes a description of 255."""

PREFIX = "zerojhub-lock-"
"""What the names of the pools begin with; the deployment's name follows."""
HERE = "another command on this machine has just been started"
"""Who has the lock, before its command has created a pool."""

clock = time.monotonic
sleep = anyio.sleep


class Report(TypedDict):
    """What is in the description of a pool, as JSON."""

    by: str
    """The user and the machine."""
    pid: int
    command: str
    word: str
    """A random one, to tell this command from all others."""
    beat: int


@dataclass(frozen=True)
class Claim:
    """A command's pool. `report` is None if somebody has changed its description to something else."""

    id: str
    description: str
    report: Report | None
    created: datetime | None
    updated: datetime | None
    """Times of Neutron's clock; None where it does not tell them."""

    @classmethod
    def of(cls, pool: SubnetPool) -> Claim:
        description = pool.get("description") or ""
        report: Report | None = None
        with suppress(ValueError):
            report = checked(json.loads(description), Report)
        created, updated = (
            text and datetime.fromisoformat(text) for text in (pool.get("created_at"), pool.get("updated_at"))
        )
        return cls(pool["id"], description, report, created or None, updated or None)

    @property
    def word(self) -> str:
        return self.report["word"] if self.report else ""

    @property
    def command(self) -> str:
        return f"`zerojhub {one_line(self.report['command'])}`" if self.report else "a command"

    @property
    def person(self) -> str:
        return one_line(self.report["by"]) if self.report else "somebody"

    def __str__(self) -> str:
        """As in: anna@host (process 4711) has been running `zerojhub up` for 2 min 30 s."""
        process = f" (process {self.report['pid']})" if self.report else ""
        # It reports so often that its last report was just now.
        seconds = (self.updated - self.created).total_seconds() if self.updated and self.created else 0.0
        duration = f" for {elapsed(seconds)}" if seconds >= BEAT else ""
        return f"{self.person}{process} has been running {self.command}{duration}"

    def silence(self, now: datetime | None) -> float:
        """Seconds since its last report, at this time of Neutron's clock; 0 where Neutron does not tell times."""
        return (now - self.updated).total_seconds() if now and self.updated else 0.0


class Lock:
    """The lock of one deployment, for one command."""

    def __init__(
        self,
        cloud: Cloud,
        name: Callable[[], Awaitable[str]],
        folder: Path,
        command: str,
        *,
        note: Say,
        patient: bool = True,
    ):
        """`name` finds out the name of the deployment to lock; `folder` is for the files on this machine.

        `command`: what the user called, such as `up`. `note` reports a line that stays. `patient`: wait while another command
        has the lock.
        """
        from filelock import FileLock

        self._cloud, self._name_of, self._command, self._note, self._patient = cloud, name, command, note, patient
        self._name = ""
        self._here = FileLock(folder / "lock", timeout=0)
        self._words = folder / "lock.words"
        self._word = secrets.token_hex(8)
        self._mine: Claim | None = None
        self._silent: set[str] = set()
        """The descriptions of pools that have not changed for too long, while this command was looking."""
        self._trying = anyio.Lock()
        self._taken = anyio.Event()

    @property
    def held(self) -> bool:
        """Whether this command has the lock."""
        return self._taken.is_set()

    async def take(self, say: Say) -> bool:
        """Have the lock when this returns. True if it had to wait: then another command may have changed anything.

        `say` reports who is waited for. ZeroJHubError instead of waiting, for a command that is not `patient`.
        """
        async with self._trying:  # several stages at the same time
            waited = False
            while not self.held and (other := await self._attempt()):
                if not self._patient:
                    raise ZeroJHubError(f"{other} on {self._name}", hint="to wait for it, leave out --no-wait")
                if not waited:
                    self._note(f"{other} on {self._name}: waiting (Ctrl-C to stop)")
                waited = True
                await self._wait(say)
            return waited

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Within: the lock stays taken, once it is. It is given back at the end, whatever ends it.

        Raises ZeroJHubError if another command has taken it over all the same.
        """
        try:
            async with task_group() as tasks:
                tasks.start_soon(self._keep)
                yield
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(GIVING_BACK) as scope, reported(self._note):
                await self._give_back()
            if scope.cancelled_caught:
                self._note(
                    f"warning: network: the lock of {self._name} could not be given back within {elapsed(GIVING_BACK)}:"
                    f" the next command on this machine takes it over, one on another in {elapsed(SILENCE)}"
                )

    async def _attempt(self) -> str | None:
        """Take the lock if it is free. Otherwise who has it, as in `Claim`."""
        self._name = self._name or await self._name_of()
        try:
            if not self._lock_here():
                claims, here = await self._claims(), self._left()
                # One of another machine, created in the same second, may be there for a moment: it only asks.
                return str(next((each for each in claims if each.word in here), claims[0] if claims else HERE))
            if other := await self._claim():
                return str(other)
        except Unavailable:
            raise
        except CloudError as error:
            self._note(
                f"warning: {self._name} cannot be locked in this cloud, so take care that nobody else works on it: {error}"
            )
        self._taken.set()
        return None

    def _lock_here(self) -> bool:
        """Whether this command is the only one on this machine that has the lock or waits for it; it stays that then."""
        from filelock import Timeout

        if not self._here.is_locked:
            with suppress(Timeout):
                self._here.acquire()
        return self._here.is_locked

    async def _claim(self) -> Claim | None:
        """Create a pool, which is the lock if there is no other. The oldest of the others if there are."""
        # All words but this command's own are of commands that have ended: only one at a time gets here.
        left = self._left()
        files.write(self._words, " ".join({*left, self._word}).encode())
        mine = Claim.of(
            await neutron.create_subnet_pool(self._cloud, PREFIX + self._name, ADDRESSES, self._report(beat=0))
        )
        claims, working = await self._claims(), []
        if mine.id not in [each.id for each in claims]:
            raise CloudError("Neutron does not list the subnet pool that it has created")
        for each in claims:
            if each.id == mine.id:
                continue
            if each.word in left or each.description in self._silent or each.silence(mine.created) > SILENCE:
                await neutron.delete_subnet_pool(self._cloud, each.id)
                self._note(f"{each.person} did not finish {each.command} on {self._name}: taking over")
            else:
                working.append(each)
        if working:
            await neutron.delete_subnet_pool(self._cloud, mine.id)
            return working[0]
        files.write(self._words, self._word.encode())
        self._mine = mine
        return None

    def _left(self) -> set[str]:
        """The words of commands on this machine that have not given the lock back."""
        return set(self._words.read_text().split()) if self._words.exists() else set()

    async def _claims(self) -> list[Claim]:
        """All claims, the oldest first; none where the project may not see any."""
        claims: list[Claim] = []
        with if_allowed():
            claims = [Claim.of(pool) for pool in await neutron.subnet_pools(self._cloud, PREFIX + self._name)]
        return sorted(claims, key=lambda each: (str(each.created), each.id))

    async def _wait(self, say: Say) -> None:
        """Wait until nobody has the lock, or those who have it have not reported for too long."""
        reports: dict[str, tuple[str, float]] = {}

        async def look() -> bool | NotYet:
            claims, now = await self._claims(), clock()
            for each in claims:
                if reports.get(each.id, ("", 0))[0] != each.description:
                    reports[each.id] = each.description, now
            if talking := [each for each in claims if now - reports[each.id][1] <= SILENCE]:
                return NotYet(str(talking[0]))
            if not self._lock_here():
                return NotYet(HERE)
            self._silent |= {each.description for each in claims}
            return True

        await wait_until(look, pause=PAUSE, say=say)
        await sleep(random.uniform(0, PAUSE[0]))

    async def _keep(self) -> None:
        """Report from when the lock is taken on. ZeroJHubError if another command has taken it over."""
        await self._taken.wait()
        beat = 0
        while self._mine:
            await sleep(BEAT)
            beat += 1
            try:
                await neutron.describe_subnet_pool(self._cloud, self._mine.id, self._report(beat=beat))
            except CloudError as error:
                if error.status == 404:
                    raise ZeroJHubError(
                        f"another command has taken over the lock of {self._name}: this one did not report for"
                        f" {elapsed(SILENCE)}",
                        hint="run it again",
                    ) from None

    def _report(self, *, beat: int) -> str:
        report: Report = {
            "by": person()[:LONGEST],
            "pid": os.getpid(),
            "command": self._command[:LONGEST],
            "word": self._word,
            "beat": beat,
        }
        return json.dumps(report, ensure_ascii=False)

    async def _give_back(self) -> None:
        """Delete this command's pool. Where that fails, the next command on this machine does it: it finds the word.

        So does one that has had nothing to change.
        """
        if not self._here.is_locked and not (self._words.exists() and self._lock_here()):
            return
        with suppress(ZeroJHubError):
            ended = {self._word, *self._left()}
            self._name = self._name or await self._name_of()
            # Creating one may have been interrupted: then only Neutron knows whether there is one.
            for each in [self._mine] if self._mine else await self._claims():
                if each.word in ended:
                    await neutron.delete_subnet_pool(self._cloud, each.id)
            self._words.unlink(missing_ok=True)
        self._here.release()


def person() -> str:
    """Who runs this command, and on which machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container, the user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
