"""Prepare, start, stop and inspect the practice cloud. Raises GroundError."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerojhub.errors import Problems, UserError
from zerojhub.practice import daemon
from zerojhub.practice.ground import GroundError

if TYPE_CHECKING:
    from zerojhub.practice.build import More, Progress
    from zerojhub.practice.faults import Breakage, Fault

START_TIMEOUT = 60
STOP_TIMEOUT = 60


def running() -> daemon.Running | None:
    """The user's running daemon, if any. Raises GroundError if one with another state folder runs on this machine."""
    found = daemon.running()
    if found and found.state != str(daemon.state_folder()):
        raise GroundError(
            f"another practice cloud runs on this machine (process {found.pid}, state in {found.state}): stop it first"
        )
    return found


def require_running(hint: str = "zerojhub practice start") -> daemon.Running:
    """The running daemon. UserError, with the hint, if none runs."""
    if found := running():
        return found
    raise UserError("the practice cloud is not running", hint=hint)


def require_same(found: daemon.Running, *, port: int | None, profile: str | None) -> None:
    """UserError if the running daemon has another port or profile than the given ones."""
    if port not in (None, found.port):
        raise UserError(f"the practice cloud is already running on port {found.port}", hint="zerojhub practice stop")
    if profile not in (None, found.profile):
        raise UserError(
            f"the practice cloud is already running with profile {found.profile}", hint="zerojhub practice stop"
        )


def require_host(port: int | None, *, built: bool) -> None:
    """Problems with everything that keeps the practice cloud from running on this machine.

    `built`: the build is done, which installs programs that are missing. `port`: where the APIs will listen, if known.
    """
    from zerojhub.practice import build
    from zerojhub.practice.machines import requirements

    host = requirements.look(daemon.state_folder(), port)
    if not built and shutil.which("apt-get"):
        host = replace(host, tools_missing=())
    disk = requirements.DISK_ONCE_BUILT if build.Parts(build.cache()).there() else requirements.DISK
    if missing := requirements.missing(host, disk=disk):
        raise Problems([UserError(line) for line in missing])


def prepare(progress: Progress, port: int | None, *, more: Collection[More] = ()) -> None:
    """Build what is missing of the required parts and of `more`. Problems if this machine is not suitable."""
    from zerojhub.practice import build

    require_host(port, built=False)
    build.build(progress, in_use=daemon.running, more=more)
    require_host(port, built=True)


def environment() -> dict[str, str]:
    """The variables that point OpenStack clients to the practice cloud."""
    return {"OS_CLIENT_CONFIG_FILE": str(daemon.state_folder() / "clouds.yaml"), "OS_CLOUD": daemon.CLOUD}


def in_zones(found: daemon.Running, command: Sequence[str]) -> list[str]:
    """The command line that runs the command with a resolver of its own, which also knows the project's zones.

    It sees other files in place of `/etc/resolv.conf` and `/etc/nsswitch.conf`. Everyone else on this machine does not.
    """
    folder = Path(found.state) / "resolver"
    folder.mkdir(exist_ok=True)
    ours = {"resolv.conf": f"nameserver {found.gateway}\n", "nsswitch.conf": "hosts: files dns\n"}
    theirs = {name: file.read_text() if (file := Path("/etc", name)).exists() else "" for name in ours}
    # The C library takes the first line of hosts, and asks the name servers in turn: ours refuses other names.
    for name, text in ours.items():
        (folder / name).write_text(text + re.sub(r"^hosts:.*\n?", "", theirs[name], flags=re.MULTILINE))
    mounts = "".join(f'mount --bind "$1/{name}" /etc/{name} && ' for name in ours if Path("/etc", name).exists())
    script = f'{mounts}shift && exec "$@"'
    return ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh", str(folder), *command]


def audit_log() -> Path:
    """The log of API requests, a JSON object per line."""
    return daemon.state_folder() / "audit.jsonl"


def faults(
    found: daemon.Running, method: str = "GET", *, add: Fault | Breakage | None = None, clear: Sequence[int] = ()
) -> list[Any]:
    """The faults of the running practice cloud, after adding one (POST) or clearing some or all (DELETE).

    UserError if there is no resource that could break so.
    """
    import httpx

    from zerojhub.practice.faults import PATH

    password = daemon.read_password(Path(found.state) / "clouds.yaml")
    url = f"http://127.0.0.1:{found.port}{PATH}"
    body = asdict(add) if add else None
    headers = {"Authorization": f"Bearer {password}"}
    answer = httpx.request(method, url, json=body, params={"id": clear}, headers=headers, trust_env=False)
    if answer.status_code == 400:
        raise UserError(answer.json()["error"])
    answer.raise_for_status()
    return answer.json()


def reset(found: daemon.Running) -> None:
    """Delete everything in the running practice cloud; its port and profile stay."""
    stop(forget=False)
    start(found.port, found.profile)


def start(port: int, profile: str) -> daemon.Running:
    """Start the daemon with a profile (name or file); returns when the APIs respond."""
    state = daemon.state_folder()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = state / "daemon.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", daemon.MODULE, "--port", str(port), "--profile", profile],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        found = daemon.running()
        if found and _answers(found.port):
            return found
        if process.poll() is not None:
            raise GroundError(f"the practice cloud failed to start: {_last_line(log)} (log: {log})")
        time.sleep(0.1)
    process.terminate()
    raise GroundError(f"the practice cloud does not respond after {START_TIMEOUT} s (log: {log})")


def stop(*, forget: bool = True) -> bool:
    """Stop the daemon and delete everything that it, or a killed daemon, created. Returns whether it was running.

    `forget` also deletes the state folder.
    """
    state, found = daemon.state_folder(), running()
    if found:
        os.kill(found.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        while daemon.lives(found) and time.monotonic() < deadline:
            time.sleep(0.05)
        if daemon.lives(found):
            os.kill(found.pid, signal.SIGKILL)
    if state.exists():
        with daemon.alone():
            asyncio.run(_sweep(state))
        if forget:
            shutil.rmtree(state)
    return found is not None


def status() -> dict[str, Any]:
    """The daemon's state and its machines, for `practice status`."""
    found = running()
    if not found:
        return {"running": False}
    from zerojhub.practice import acme

    authorities = Path(found.state) / acme.AUTHORITIES
    about = {"url": acme.directory(found.gateway), "ca": str(authorities)} if authorities.exists() else None
    machines = [json.loads(file.read_text()) for file in sorted(Path(found.state).glob("machines/*/machine.json"))]
    return {"running": True, "answers": _answers(found.port), **asdict(found), "acme": about, "machines": machines}


def issues_certificates(found: daemon.Running) -> bool:
    """Whether the running practice cloud has an ACME server."""
    from zerojhub.practice import acme

    return (Path(found.state) / acme.FOLDER).exists()


def logs(machine: str | None) -> list[Path]:
    """The log files of the daemon, or of a machine (name or UUID)."""
    state = daemon.state_folder()
    if machine is None:
        return [state / "daemon.log"]
    for file in state.glob("machines/*/machine.json"):
        about = json.loads(file.read_text())
        if machine in (about["name"], about["id"]):
            services = sorted(file.parent.glob("upper/var/log/*.log"))
            return [file.parent / "console.log", *services]
    raise GroundError(f"no machine {machine}")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/identity/v3")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


async def _sweep(state: Path) -> None:
    from zerojhub.practice.machines.linux import sweep
    from zerojhub.practice.machines.network import Network

    await sweep(state)
    await Network(state, 0).down()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"
