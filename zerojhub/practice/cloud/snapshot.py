"""What the practice cloud is, in a file: its process can be killed at any moment, and the next one goes on with it.

The file is written before the answer to each request that changes something, and every second for what happens without one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zerojhub.practice.cloud.store import Store
from zerojhub.practice.ground import Ground

log = logging.getLogger(__name__)

PERIOD = 1.0
"""Seconds between two looks whether something has changed."""


@dataclass(frozen=True)
class Snapshot:
    """The records of all services, and what the ground needs to go on."""

    store: Store
    ground: object


def load(path: Path) -> Snapshot | None:
    """The snapshot of a practice cloud whose process was killed; None without one that can be read."""
    try:
        # In the practice cloud's own folder, which is its user's alone.
        found = pickle.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except Exception as error:  # of another version, or damaged
        log.warning("%s cannot be read, so the practice cloud starts empty: %s: %s", path, type(error).__name__, error)
        return None
    return found if isinstance(found, Snapshot) else None


class Keeper:
    """Keeps the snapshot of a store and its ground in a file."""

    def __init__(self, store: Store, ground: Ground, path: Path):
        self._store, self._ground, self._path = store, ground, path
        self._written = b""

    def save(self) -> None:
        """Write the file, if something has changed. A snapshot that cannot be written is no reason to refuse a request."""
        try:
            content = pickle.dumps(Snapshot(self._store, self._ground.state()))
            if content == self._written:
                return
            part = self._path.with_suffix(".part")
            part.touch(mode=0o600)
            part.write_bytes(content)
            part.replace(self._path)
            self._written = content
        except Exception:
            log.exception("no snapshot")

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Within: save what changes without a request. The file is gone afterwards: so is what it describes."""

        async def watch() -> None:
            while True:
                self.save()
                await asyncio.sleep(PERIOD)

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()
            self._path.unlink(missing_ok=True)


class KeepAnswers:
    """ASGI middleware that saves what a request has changed before it is answered."""

    def __init__(self, app: ASGIApp, keeper: Keeper):
        self.app, self.keeper = app, keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return

        async def save_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.keeper.save()
            await send(message)

        await self.app(scope, receive, save_and_send)
