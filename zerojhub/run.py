"""A run: one command at work on one deployment, with its cloud, its progress and its connections."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

import anyio

from zerojhub import files, retry, tls
from zerojhub.deployment import Deployment
from zerojhub.lock import Lock
from zerojhub.machine.keys import AskPassphrase
from zerojhub.openstack.session import Cloud
from zerojhub.text import Say

T = TypeVar("T")
P = ParamSpec("P")

CLOSING = 10
"""Seconds that closing all connections may take."""

_step: ContextVar[str] = ContextVar("step")


class Progress(Protocol):
    """Shows the steps of a run (zerojhub.report.progress)."""

    def start(self, name: str) -> None: ...
    def say(self, name: str, detail: str) -> None: ...
    def warn(self, name: str, detail: str) -> None: ...
    def note(self, text: str) -> None: ...
    def end(self, name: str, outcome: str, detail: str = "") -> object: ...


class Silent:
    """Progress that nobody sees, except notes where somebody takes them."""

    def __init__(self, take_note: Callable[[str], None] = lambda text: None):
        self._take_note = take_note

    def start(self, name: str) -> None:
        pass

    def say(self, name: str, detail: str) -> None:
        pass

    def warn(self, name: str, detail: str) -> None:
        pass

    def note(self, text: str) -> None:
        self._take_note(text)

    def end(self, name: str, outcome: str, detail: str = "") -> None:
        pass


class Provides(Generic[T]):
    """A class that stands for a value of type T in a run: `run[TheClass]` is a T, and the type checker knows it."""


class Run:
    """What stages are handed: the cloud, the deployment, and the values of the stages before them."""

    def __init__(
        self,
        deployment: Deployment,
        progress: Progress,
        cloud: Cloud | None = None,
        ask_passphrase: AskPassphrase = lambda question: None,
    ):
        self.deployment = deployment
        self.progress = progress
        self.cloud = cloud or Cloud(deployment.cloud)
        self.ask_passphrase = ask_passphrase
        self._values: dict[type[Provides[Any]], Any] = {}
        self._answers: dict[Hashable, _Answer] = {}
        self._closers: list[Callable[[], Awaitable[object]]] = []
        self.lock: Lock | None = None
        """The deployment's lock, for a command that changes something; whoever sets it has it given back at the end."""
        https = deployment.hub.https
        if https and (authority := tls.readable_authority(https.ca_file)) is not None:
            tls.trust_for_hubs(authority)

    @property
    def folder(self) -> Path:
        """This deployment's own folder (0700): secrets, known hosts, lock, journal."""
        return folder_of(self.deployment)

    def __getitem__(self, key: type[Provides[T]]) -> T:
        """The value that the stage found. KeyError when it found none."""
        value: T = self._values[key]
        return value

    def __setitem__(self, key: type[Provides[T]], value: T) -> None:
        self._values[key] = value

    def __contains__(self, key: type[Provides[Any]]) -> bool:
        return key in self._values

    def get(self, key: type[Provides[T]]) -> T | None:
        """The value that the stage found, if it did."""
        return self._values.get(key)

    async def once(self, question: Callable[P, Awaitable[T]], *arguments: P.args, **options: P.kwargs) -> T:
        """The answer to `await question(*arguments)`, asked once for all stages until one of them has changed something."""
        answer = self._answers.setdefault((question, arguments, tuple(sorted(options.items()))), _Answer())
        async with answer.lock:
            if not answer.given:
                answer.value = await question(*arguments, **options)
                answer.given = True
        value: T = answer.value
        return value

    def forget_answers(self) -> None:
        """Ask everything again from now on: something was changed."""
        self._answers.clear()

    def forget_everything(self) -> None:
        """Ask everything again and find every value again: another command may have changed anything."""
        self.forget_answers()
        self._values.clear()

    @property
    def may_change(self) -> bool:
        """Whether no other command changes the deployment: this one has the lock, or runs as part of one that has it."""
        return self.lock is None or self.lock.held

    async def take_lock(self, say: Say) -> bool:
        """Have the deployment's lock when this returns. True if it had to wait (see `Lock.take`)."""
        return self.lock is not None and await self.lock.take(say)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Within: `say` and faults that are retried are reported for the step of that name."""
        token = _step.set(name)
        try:
            # A silent run is part of a command that reports faults itself.
            with (
                nullcontext()
                if isinstance(self.progress, Silent)
                else retry.reported(partial(self.progress.warn, name))
            ):
                yield
        finally:
            _step.reset(token)

    def say(self, text: str) -> None:
        """Report what the current step is doing now."""
        self.progress.say(_step.get(), text)

    def note(self, text: str) -> None:
        """Report something that the user should know after the step, too."""
        self.progress.note(text)

    def on_close(self, close: Callable[[], Awaitable[object]]) -> None:
        """Call this async function when the command ends (connections)."""
        self._closers.append(close)

    async def close(self) -> None:
        """Close every connection, the last one opened first, even when one of them fails or the run was cancelled."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSING):
            while self._closers:
                close = self._closers.pop()
                try:
                    await close()
                except Exception as error:
                    self.write_journal("close", detail=f"{type(error).__name__}: {error}")

    def write_journal(self, event: str, stage: str = "", detail: str = "") -> None:
        """Add a line to the journal: for people, never read back, and no reason to stop if it cannot be written."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, "stage": stage, "detail": detail}
        with suppress(OSError), (self.folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(line, ensure_ascii=False) + "\n")


class _Answer:
    """One question's answer; the lock has concurrent stages wait for the first one's request."""

    def __init__(self) -> None:
        self.lock, self.given = anyio.Lock(), False
        self.value: Any = None


def folder_of(deployment: Deployment) -> Path:
    """The deployment's own folder, created if needed (0700). Raises OSError if somebody else could have changed it."""
    import platformdirs

    cloud = (deployment.cloud or os.environ.get("OS_CLOUD") or "environment").replace("/", "_")
    folder = platformdirs.user_state_path("zerojhub") / "deployments" / f"{cloud}--{deployment.name}"
    return files.private_folder(folder)
