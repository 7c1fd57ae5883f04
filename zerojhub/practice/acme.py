"""The practice cloud's ACME server: Pebble, that of Let's Encrypt's developers for tests.

It issues certificates for the names that the practice cloud's name server knows, after the same challenges as Let's
Encrypt. Its own certificate, and the root of those that it issues, are new at each start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import ssl
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from zerojhub.practice.machines import pki

log = logging.getLogger(__name__)

PORT = 14000
"""Where ACME clients find it."""
BLOCKED = "blocked.example"
"""The domain that it issues no certificate for, nor for any name in it."""
LIFETIME = 90 * 24 * 3600
"""Seconds for which a certificate is valid, as with Let's Encrypt."""
AUTHORITIES = "acme-ca.pem"
"""The file with the authorities of its own certificate and of those that it issues, in the practice cloud's state folder."""
FOLDER, LOG = "acme", "pebble.log"
START_TIMEOUT = 60
ENVIRONMENT = {
    # Up to four seconds before each challenge. Let's Encrypt also takes some time, in which a client becomes reachable.
    "PEBBLE_VA_SLEEPTIME": "5",
    "PEBBLE_WFE_NONCEREJECT": "0",  # else a twentieth of the requests has to be repeated
    "PEBBLE_AUTHZREUSE": "0",  # else a name that does not lead to the client any more gets a certificate now and then
}


def directory(address: str, port: int = PORT) -> str:
    """The URL that ACME clients are given."""
    return f"https://{address}:{port}/dir"


@dataclass(frozen=True)
class Ports:
    """What Pebble listens on, and what it connects to. 0 is none."""

    acme: int = PORT
    http: int = 80
    """Of the challenge http-01, at the addresses of the name in question."""
    tls: int = 443
    dns: int = 53
    """The name server's, at Pebble's own address."""


@contextlib.asynccontextmanager
async def served(program: Path, state: Path, address: str, ports: Ports = Ports()) -> AsyncIterator[None]:
    """Run Pebble at the address until the block ends. Its authorities are in `state` some moments later.

    Nothing waits for it, and without it everything else works, so that its errors are only logged.
    """
    task = asyncio.create_task(_run(program, state, address, ports))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        (state / AUTHORITIES).unlink(missing_ok=True)


async def _run(program: Path, state: Path, address: str, ports: Ports) -> None:
    (state / AUTHORITIES).unlink(missing_ok=True)  # a killed one's
    folder = state / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    authority = pki.Authority("practice cloud")
    own = authority.issue("acme", alternatives=(address, "127.0.0.1", "localhost"), strict=True)
    management = await _free_port()
    settings = {
        "listenAddress": f"{address}:{ports.acme}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": _write(folder / "server.crt", own.certificate),
        "privateKey": _write(folder / "server.key", own.key),
        "httpPort": ports.http,
        "tlsPort": ports.tls,
        "certificateValidityPeriod": LIFETIME,
        "domainBlocklist": [BLOCKED],
    }
    config = _write(folder / "pebble.json", json.dumps({"pebble": settings}))
    # It must not outlive this process, not even a killed one.
    argv = ["setpriv", "--pdeathsig=KILL", str(program), f"-config={config}", f"-dnsserver={address}:{ports.dns}"]
    environment = {**os.environ, **ENVIRONMENT}
    with (folder / LOG).open("ab") as out:
        process = await asyncio.create_subprocess_exec(*argv, stdin=DEVNULL, stdout=out, stderr=STDOUT, env=environment)
    try:
        trusted = pki.trusting(authority.pair.certificate)
        root = await _root(f"https://127.0.0.1:{management}/roots/0", trusted, process)
        scratch = folder / AUTHORITIES
        scratch.write_text(authority.pair.certificate + root)
        scratch.rename(state / AUTHORITIES)
        log.warning("the ACME server ended with code %s", await process.wait())
    except (OSError, TimeoutError) as error:
        log.warning("no ACME server at %s port %s: %s (log: %s)", address, ports.acme, error, folder / LOG)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _root(url: str, trusted: ssl.SSLContext, process: Process) -> str:
    """The root of the certificates that it issues, once it answers. OSError if it has ended, TimeoutError if it is silent."""
    import httpx

    async with asyncio.timeout(START_TIMEOUT), httpx.AsyncClient(verify=trusted, trust_env=False) as client:
        while process.returncode is None:
            with contextlib.suppress(httpx.TransportError):
                answer = await client.get(url)
                answer.raise_for_status()
                return answer.text
            await asyncio.sleep(0.05)
    raise OSError(f"it ended with code {process.returncode}")


async def _free_port() -> int:
    """A free port on the loopback address."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


def _write(path: Path, text: str) -> str:
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)
