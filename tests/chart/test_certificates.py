"""Certificates from the practice cloud's ACME server: a real Pebble, and a real Traefik as the chart configures it."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.chart.rendering import render
from tests.kubernetes.conftest import free_ports
from zerojhub import tls
from zerojhub.hub import own_certificate
from zerojhub.hub.acme import HTTP_RESOLVER, Store
from zerojhub.hub.traefik import UNTRUSTED, last_failure
from zerojhub.practice import acme, build, nameserver
from zerojhub.practice.cloud.designate.records import Published
from zerojhub.stages.certificate import port_80_problem

pytestmark = pytest.mark.certificates

PEBBLE, TRAEFIK = (build.cache() / "programs" / name for name in ("pebble", "traefik"))
ZONE, HOST = "class.example.", "hub.class.example"
ADDRESS = "127.0.0.1"
SOA = "ns.class.example. ada.class.example. 1 3600 600 86400 60"
TIMEOUT = 60


def zones(*names: str) -> dict[str, Published]:
    """The zone, in which these names lead here; and that of the domain without certificates."""
    there: dict[str, dict[str, tuple[int, tuple[str, ...]]]] = {f"{name}.": {"A": (60, (ADDRESS,))} for name in names}
    return {zone: Published(zone, 60, {zone: {"SOA": (60, (SOA,))}, **there}) for zone in (ZONE, f"{acme.BLOCKED}.")}


@dataclass
class Traefik:
    """Traefik with the chart's configuration, on this machine's own address."""

    folder: Path
    http: int
    https: int
    lines: list[str] = field(default_factory=list)

    async def start(self, directory: str, authorities: Path | None, *hosts: str) -> Process:
        services = {"default": {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:9/"}]}}}
        static = {
            "entryPoints": {
                "http": {"address": f"{ADDRESS}:{self.http}"},
                "https": {"address": f"{ADDRESS}:{self.https}"},
            },
            "certificatesResolvers": {"default": {"acme": {"storage": str(self.folder / "acme.json")}}},
            "providers": {"file": {"filename": str(self.folder / "dynamic.yaml")}},
        }
        https = {"enabled": True, "hosts": list(hosts)}
        letsencrypt = {"contactEmail": "ada@class.example", "acmeServer": directory}
        traefik = {"extraStaticConfig": static, "extraDynamicConfig": {"http": {"services": services}}}
        resources = render({"proxy": {"https": {**https, "letsencrypt": letsencrypt}, "traefik": traefik}})
        for name, text in resources["ConfigMap", "autohttps"]["data"].items():
            (self.folder / name).write_text(text)
        environment = {**os.environ, **({"LEGO_CA_CERTIFICATES": str(authorities)} if authorities else {})}
        argv = [str(TRAEFIK), f"--configFile={self.folder / 'traefik.yaml'}"]
        return await asyncio.create_subprocess_exec(*argv, stdout=PIPE, stderr=STDOUT, env=environment)

    async def log(self, process: Process) -> None:
        assert process.stdout
        async for line in process.stdout:
            self.lines.append(line.decode())

    async def says(self, words: str) -> str:
        """The first line of its log with these words."""
        async with asyncio.timeout(TIMEOUT):
            while not (found := next((line for line in self.lines if words in line), None)):
                await asyncio.sleep(0.05)
        return found

    async def certificate(self, host: str, trusted: ssl.SSLContext) -> dict[str, object]:
        """What it shows for the host, once that is there and trusted."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                try:
                    _, writer = await asyncio.open_connection(ADDRESS, self.https, ssl=trusted, server_hostname=host)
                except (OSError, ssl.SSLError):
                    await asyncio.sleep(0.1)
                    continue
                found: dict[str, object] = writer.get_extra_info("peercert")
                writer.close()
                return found


@asynccontextmanager
async def requested(
    folder: Path, *hosts: str, names: tuple[str, ...] = (), shut: bool = False, trusting: bool = True
) -> AsyncIterator[tuple[Traefik, Path]]:
    """Traefik, which requests certificates for the hosts, and the file with the authorities.

    `shut`: its port 80 is. `trusting`: it trusts these authorities.
    """
    http, https, port, other = free_ports(4)
    traefik = Traefik(folder, http, https)
    async with nameserver.served(zones(*names), ADDRESS, 0) as dns:
        ports = acme.Ports(acme=port, http=other if shut else http, tls=https, dns=dns)
        async with acme.served(PEBBLE, folder, ADDRESS, ports):
            authorities = folder / acme.AUTHORITIES
            async with asyncio.timeout(TIMEOUT):
                while not authorities.exists():
                    await asyncio.sleep(0.05)
            process = await traefik.start(acme.directory(ADDRESS, port), authorities if trusting else None, *hosts)
            reads = asyncio.create_task(traefik.log(process))
            try:
                yield traefik, authorities
            finally:
                process.terminate()
                await process.wait()
                await reads
    assert not authorities.exists(), "they are of no use to the next one"


def strict(authorities: Path) -> ssl.SSLContext:
    """As from Python 3.13 on."""
    context = ssl.create_default_context(cafile=authorities)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    asyncio.run(main())


def test_a_name_that_leads_here_gets_a_certificate(tmp_path: Path):
    async def work() -> None:
        async with requested(tmp_path, HOST, names=(HOST,)) as (traefik, authorities):
            found = await traefik.certificate(HOST, strict(authorities))
            assert found["subjectAltName"] == (("DNS", HOST),)
            days = (ssl.cert_time_to_seconds(str(found["notAfter"])) - time.time()) / 86400
            assert 89 < days < 90.1
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(f"http://{ADDRESS}:{traefik.http}/hub/", headers={"Host": HOST})
            assert (answer.status_code, answer.headers["location"]) == (301, f"https://{HOST}/hub/")

    run(work)


def test_what_zerojhub_looks_at_is_what_traefik_and_an_authority_make(tmp_path: Path):
    """A name that is not there yet, port 80, the handshake, and the store that is kept over `down`."""

    async def work() -> None:
        async with requested(tmp_path, HOST, names=(HOST,)) as (traefik, authorities):
            trusted = authorities.read_text()

            async def shown(host: str) -> tls.Handshake:
                return await asyncio.to_thread(tls.handshake, ADDRESS, traefik.https, host, trusted)

            await traefik.certificate(HOST, strict(authorities))
            assert await port_80_problem(ADDRESS, HOST, traefik.http) is None
            assert (await shown(HOST)).state == "verified"
            assert (await shown("lab.class.example")).state == "none"
            assert (await asyncio.to_thread(tls.handshake, ADDRESS, traefik.https, HOST)).state == "objection"
            issued = Store.of((tmp_path / "acme.json").read_bytes()).issued(HOST)
            assert issued
            assert issued.resolver == HTTP_RESOLVER
            assert issued.is_from(acme.directory(ADDRESS, _port(tmp_path)))
            assert not issued.is_from("https://acme.example/dir")
            assert own_certificate.lacking(issued.chain, own_certificate.roots(trusted)) is None
            assert own_certificate.lacking(issued.chain, own_certificate.roots(None))

    run(work)


@pytest.mark.parametrize(
    ("host", "names", "given", "kind", "words"),
    [
        (f"hub.{acme.BLOCKED}", (f"hub.{acme.BLOCKED}",), {}, "rejectedIdentifier", "policy"),
        (HOST, (), {}, "connection", "could not resolve"),
        (HOST, (HOST,), {"shut": True}, "connection", "connection refused"),
        (HOST, (HOST,), {"trusting": False}, UNTRUSTED, "certificate signed by unknown authority"),
    ],
)
def test_why_a_name_gets_none_is_read_from_traefiks_log(
    tmp_path: Path, host: str, names: tuple[str, ...], given: dict[str, bool], kind: str, words: str
):
    async def work() -> None:
        async with requested(tmp_path, host, names=names, **given) as (traefik, _):
            await traefik.says("Unable to obtain ACME certificate for domains")
            failure = last_failure("".join(traefik.lines), host)
            assert failure and failure.kind == kind and words in failure.said.lower(), failure
            assert failure.time and abs(time.time() - failure.time.timestamp()) < TIMEOUT

    run(work)


def test_a_client_that_does_not_trust_the_server_says_so(tmp_path: Path):
    async def work() -> None:
        async with requested(tmp_path, HOST, names=(HOST,)) as (_, authorities):
            directory = f"https://{ADDRESS}:{_port(tmp_path)}/dir"
            async with httpx.AsyncClient(verify=strict(authorities), trust_env=False) as client:
                assert "newOrder" in (await client.get(directory)).json()
            async with httpx.AsyncClient(trust_env=False) as client:
                with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                    await client.get(directory)

    run(work)


def test_a_program_that_cannot_run_is_logged_only(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async def work() -> None:
        async with acme.served(Path("/bin/false"), tmp_path, ADDRESS):
            async with asyncio.timeout(TIMEOUT):
                while "no ACME server at 127.0.0.1 port 14000: it ended with code 1" not in caplog.text:
                    await asyncio.sleep(0.05)

    run(work)


def _port(folder: Path) -> int:
    address: str = json.loads((folder / "acme" / "pebble.json").read_text())["pebble"]["listenAddress"]
    return int(address.rpartition(":")[2])
