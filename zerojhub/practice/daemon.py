"""The practice cloud's process: the OpenStack APIs, the image registry, a name server and an ACME server, on this machine's
ground.

`python -m zerojhub.practice.daemon --port PORT --profile PROFILE` runs until SIGTERM, then cleans up after itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub import yamlfile
from zerojhub.errors import ZeroJHubError
from zerojhub.practice.ground import GroundError

if TYPE_CHECKING:
    from filelock import FileLock

    from zerojhub.practice.cloud.designate.records import Published
    from zerojhub.practice.cloud.store import Store
    from zerojhub.practice.machines.linux import LinuxGround
    from zerojhub.practice.profile import Profile

log = logging.getLogger(__name__)

MODULE = "zerojhub.practice.daemon"
PORT = 9580
RECORD = Path("/run/zerojhub-practice.json")
"""The running daemon's record. The bridge has a fixed name, so a machine runs only one daemon, whichever user's."""
LOCK = Path("/run/zerojhub-practice.lock")
"""Held while the daemon runs, and during a cleanup after a killed one."""
CLOUD = "practice"
"""Name of the entry in clouds.yaml, and of the user and project."""


def state_folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("zerojhub") / "practice"


@dataclass(frozen=True)
class Running:
    """A running daemon."""

    pid: int
    state: str
    """State folder."""
    port: int
    started: float
    """Seconds since the epoch."""
    network: str
    gateway: str
    public_network: str
    kubernetes: tuple[str, ...]
    profile: str
    """Name or file of its profile."""


def running() -> Running | None:
    """The daemon running on this machine, if any."""
    try:
        found = Running(**json.loads(RECORD.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if lives(found) else None


def lives(found: Running) -> bool:
    """Whether its process is there. When it ends, it deletes its record first."""
    try:
        return MODULE.encode() in Path(f"/proc/{found.pid}/cmdline").read_bytes()
    except OSError:
        return False


def alone() -> FileLock:
    """The lock for the machine's single practice cloud. Raises GroundError if another process holds it."""
    from filelock import FileLock, Timeout

    lock = FileLock(LOCK, timeout=2)
    try:
        lock.acquire()
    except Timeout:
        raise GroundError(
            f"another practice cloud is starting, running or stopping on this machine (lock: {LOCK})"
        ) from None
    return lock


async def serve(port: int, wanted: str) -> None:
    """Serve until the process is stopped. Raises GroundError if the ground fails, UserError for an unknown profile."""
    import uvicorn

    from zerojhub.practice import acme, build, profile, registry
    from zerojhub.practice.cloud.app import build_app
    from zerojhub.practice.cloud.settings import Settings
    from zerojhub.practice.machines.front import listen
    from zerojhub.practice.machines.linux import SNAPSHOT, LinuxGround

    chosen = profile.load(wanted)
    state, built = state_folder(), build.built()
    lock = alone()
    ground, kept = await started(lambda: LinuxGround(state, built, port), state / SNAPSHOT, chosen)
    try:
        password = write_clouds(state / "clouds.yaml", port)
        images = registry.app(built.images, build_images_on_demand)
        app = build_app(ground, Settings(password, state / "audit.jsonl", images, state / SNAPSHOT, chosen), kept)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
            server_header=False,
        )
        sockets = [listen(address, port) for address in ("127.0.0.1", ground.gateway)]
        about = Running(
            os.getpid(),
            str(state),
            port,
            time.time(),
            ground.network,
            ground.gateway,
            ground.public_network,
            ground.versions,
            wanted,
        )
        RECORD.write_text(json.dumps(asdict(about)))
        async with contextlib.AsyncExitStack() as beside:
            await beside.enter_async_context(named(app.state.store.published, ground.gateway))
            if built.pebble.exists():
                await ground.admit(acme.PORT)
                await beside.enter_async_context(acme.served(built.pebble, state, ground.gateway))
            await uvicorn.Server(config).serve(sockets)
    finally:
        await ground.down()
        RECORD.unlink(missing_ok=True)
        lock.release()


async def started(new: Callable[[], LinuxGround], path: Path, wanted: Profile) -> tuple[LinuxGround, Store | None]:
    """The ground, and the records of a practice cloud with this profile whose process was killed, if it can go on with it."""
    from zerojhub.practice.cloud import snapshot
    from zerojhub.practice.machines import linux

    ground, found = new(), snapshot.load(path)
    if found and isinstance(found.ground, linux.Kept) and found.store.profile == wanted:
        try:
            await ground.resume(found.ground)
            return ground, found.store
        except Exception:
            log.exception("the practice cloud starts empty: it cannot go on with what was there")
            await ground.down()
            ground = new()
    await ground.up()
    return ground, None


@contextlib.asynccontextmanager
async def named(zones: Mapping[str, Published], address: str) -> AsyncIterator[None]:
    """Answer DNS queries at the address meanwhile. Without it everything else works, so that a taken port is only logged."""
    from zerojhub.practice import nameserver

    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(nameserver.served(zones, address, nameserver.PORT))
        except OSError as error:
            log.warning("no name server at %s port %s: %s", address, nameserver.PORT, error)
        yield


async def build_images_on_demand() -> None:
    """Build the images that are on demand in a process of its own, which ends with this one. Raises GroundError."""
    from zerojhub.practice.machines.command import run

    await run(sys.executable, "-m", "zerojhub.practice.images", timeout=900)


def write_clouds(path: Path, port: int) -> str:
    """Write the user's clouds.yaml; returns the password, which stays the same after a reset."""
    password = read_password(path) or secrets.token_urlsafe(16)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    auth = {
        "auth_url": f"http://127.0.0.1:{port}/identity/v3",
        "username": CLOUD,
        "password": password,
        "project_name": CLOUD,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    entry = {"auth": auth, "region_name": CLOUD, "identity_api_version": "3", "interface": "public"}
    path.write_text(yamlfile.dump({"clouds": {CLOUD: entry}}))
    return password


def read_password(path: Path) -> str | None:
    """The password in the user's clouds.yaml, if there is one."""
    return str(yamlfile.read_yaml(path)["clouds"][CLOUD]["auth"]["password"]) if path.exists() else None


def main() -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--profile", required=True)
    given = parser.parse_args()
    # uvicorn re-raises the signal after its shutdown, which must not prevent the cleanup of the ground.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        asyncio.run(serve(given.port, given.profile))
    except (GroundError, OSError, ZeroJHubError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


if __name__ == "__main__":
    main()
