"""Designate in the practice cloud, with its name server, as zerojhub and people use them."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import anyio
import dns.flags
import dns.message
import dns.query
import dns.rcode
import httpx
import pytest

from tests.contract.clouds import Site, until
from zerojhub import lookup
from zerojhub.deployment import Deployment
from zerojhub.errors import CloudError
from zerojhub.openstack import designate
from zerojhub.openstack.session import Cloud
from zerojhub.practice import daemon, nameserver
from zerojhub.practice.cloud.designate import records
from zerojhub.run import Run, Silent
from zerojhub.stages import dns_credential


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PUBLISHED_AFTER", 0.02)


@pytest.fixture
def cloud(site: Site, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(site.clouds))
    return Cloud("practice")


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    """The API. Afterwards every zone is deleted."""
    with site.client("/dns/v2") as client:
        yield client
        for zone in sorted(site.store.zones.values(), key=lambda zone: -len(zone["name"])):
            client.delete(f"/zones/{zone['id']}").raise_for_status()
            until(partial(is_gone, site, zone["id"]))
        assert (dict(site.store.recordsets), site.store.published) == ({}, {})


def is_gone(site: Site, zone: str) -> bool:
    return zone not in site.store.zones


def zone(client: httpx.Client, name: str = "hubs.example.") -> str:
    made = client.post("/zones", json={"name": name, "email": "me@hubs.example"})
    assert made.status_code == 202, made.text
    until(lambda: client.get(f"/zones/{made.json()['id']}").json()["status"] == "ACTIVE")
    return str(made.json()["id"])


def test_a_record_is_created_changed_described_and_deleted(cloud, client):
    ident = zone(client)

    async def life() -> list[Any]:
        (found,) = await designate.zones(cloud)
        made = await designate.create_recordset(
            cloud, ident, "hub.hubs.example.", "A", ["192.0.2.1"], ttl=60, description="zerojhub:hub"
        )
        await designate.set_records(cloud, made, ["192.0.2.2"])
        await designate.describe_recordset(cloud, made, "zerojhub:other")
        listed = await designate.recordsets(cloud, ident, name="hub.hubs.example.")
        servers = await designate.name_servers(cloud, ident)
        await designate.delete_recordset(cloud, made)
        while now := await designate.get_recordset(cloud, made):
            assert now["status"] == "PENDING"
            await anyio.sleep(0.02)
        return [found["name"], servers, [(each["records"], each["description"]) for each in listed]]

    expected = ["hubs.example.", ["10.221.0.1"], [(["192.0.2.2"], "zerojhub:other")]]
    assert anyio.run(life) == expected


def test_every_zone_is_found_on_as_many_pages_as_there_are(cloud, client):
    for number in range(10):
        zone(client, f"z{number}.example.")

    async def ask() -> list[str]:
        ident = (await designate.zones(cloud))[0]["id"]
        for number in range(40):
            await designate.create_recordset(cloud, ident, f"n{number}.z0.example.", "A", ["192.0.2.1"], description="")
        return [each["name"] for each in await designate.recordsets(cloud, ident, type="A")]

    assert sorted(anyio.run(ask)) == sorted(f"n{number}.z0.example." for number in range(40))
    refused = client.post("/zones", json={"name": "z10.example.", "email": "me@hubs.example"})
    assert (refused.status_code, refused.json()["message"]) == (413, "Quota exceeded for zones.")


@pytest.mark.parametrize(
    ("name", "records", "said"),
    [
        ("hub.hubs.example.", ["hub"], "'hub' is not a 'A' Record"),
        ("hub.example.org.", ["192.0.2.1"], "RecordSet is not contained within it's parent zone"),
    ],
)
def test_refusals_are_in_the_words_of_designate(cloud, client, name, records, said):
    ident = zone(client)
    with pytest.raises(CloudError, match=rf"^dns req-\S+: {said}"):
        anyio.run(lambda: designate.create_recordset(cloud, ident, name, "A", records, description=""))


# -- the name server ----------------------------------------------------------------------------------------------------


def told(site: Site, ask: Callable[[int], dns.message.Message]) -> dns.message.Message:
    """The name server's answer to a query to its port."""

    async def work() -> dns.message.Message:
        async with nameserver.served(site.store.published, "127.0.0.1", 0) as port:
            return await asyncio.to_thread(ask, port)

    return asyncio.run(work())


def asked(site: Site, name: str, kind: str = "A", query: Callable[..., Any] = dns.query.udp) -> dns.message.Message:
    return told(site, lambda port: query(dns.message.make_query(name, kind), "127.0.0.1", port=port, timeout=5))


def seen(site: Site, name: str, kind: str) -> set[str] | None:
    """What zerojhub finds at the name server."""

    async def work() -> set[str] | None:
        async with nameserver.served(site.store.published, "127.0.0.1", 0) as port:
            with pytest.MonkeyPatch.context() as monkeypatch:
                monkeypatch.setattr(lookup, "PORT", port)
                return await lookup.at_server("127.0.0.1", name, kind)

    return asyncio.run(work())


def test_the_name_server_has_what_designate_has_published(site, client):
    ident = zone(client)
    assert asked(site, "hub.hubs.example").rcode() == dns.rcode.NXDOMAIN
    for name, kind, data in (
        ("hub", "A", ["192.0.2.1"]),
        ("hub", "AAAA", ["2001:db8::1"]),
        ("www", "CNAME", ["hub.hubs.example."]),
        ("*.labs", "A", ["192.0.2.9"]),
        ("out", "CNAME", ["example.org."]),
        ("many", "A", [f"192.0.2.{number}" for number in range(20)]),
    ):
        body = {"name": f"{name}.hubs.example.", "type": kind, "records": data, "ttl": 60}
        client.post(f"/zones/{ident}/recordsets", json=body).raise_for_status()
    until(lambda: client.get(f"/zones/{ident}").json()["status"] == "ACTIVE")

    assert seen(site, "hub.hubs.example.", "A") == {"192.0.2.1"}
    assert seen(site, "hub.hubs.example.", "TXT") == set()
    found = asked(site, "HUB.hubs.example")
    assert [each.to_text() for each in found.answer] == ["HUB.hubs.example. 60 IN A 192.0.2.1"]
    assert found.flags & dns.flags.AA
    assert [each.to_text() for each in asked(site, "www.hubs.example", "AAAA", dns.query.tcp).answer] == [
        "www.hubs.example. 60 IN CNAME hub.hubs.example.",
        "hub.hubs.example. 60 IN AAAA 2001:db8::1",
    ]
    assert [each.to_text() for each in asked(site, "out.hubs.example").answer] == [
        "out.hubs.example. 60 IN CNAME example.org."
    ]
    assert asked(site, "a.labs.hubs.example").answer[0][0].to_text() == "192.0.2.9"
    nothing = asked(site, "hub.hubs.example", "TXT")
    assert (nothing.rcode(), nothing.answer) == (dns.rcode.NOERROR, [])
    assert nothing.authority[0].to_text().startswith("hubs.example. 3600 IN SOA 10.221.0.1. me.hubs.example. ")
    assert asked(site, "labs.hubs.example").rcode() == dns.rcode.NOERROR, "there is something below it"
    for other in ("example.org", "hub.name-servers.example", "::1.name-servers.example"):
        assert asked(site, other).rcode() == dns.rcode.REFUSED
    (server,) = asked(site, "hubs.example", "NS").answer[0]
    assert [str(address) for address in asked(site, str(server)).answer[0]] == [site.store.gateway]


def test_an_answer_that_is_too_long_comes_over_tcp(site, client):
    ident = zone(client)
    body = {"name": "t.hubs.example.", "type": "TXT", "records": [f'"{letter * 200}"' for letter in "abc"]}
    client.post(f"/zones/{ident}/recordsets", json=body).raise_for_status()
    until(lambda: client.get(f"/zones/{ident}").json()["status"] == "ACTIVE")
    short = asked(site, "t.hubs.example", "TXT")
    assert (short.answer, bool(short.flags & dns.flags.TC)) == ([], True)
    assert len(asked(site, "t.hubs.example", "TXT", dns.query.tcp).answer[0]) == 3


def test_the_practice_cloud_starts_without_a_name_server_if_the_port_is_taken(monkeypatch, caplog):
    async def start() -> None:
        async with nameserver.served({}, "127.0.0.1", 0) as port:
            monkeypatch.setattr(nameserver, "PORT", port)
            async with daemon.named({}, "127.0.0.1"):
                pass

    asyncio.run(start())
    assert "no name server at 127.0.0.1" in caplog.text


@pytest.mark.parametrize("noise", [b"", b"\0" * 11, b"\xff" * 40])
def test_what_is_no_query_has_no_answer(noise):
    assert nameserver.answer({}, noise) is None


def test_a_credential_for_challenges_can_write_records_and_nothing_else(site, cloud, client, tmp_path, monkeypatch):
    """What Traefik's DNS provider requests, as lego does, and what it must not be able to."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ident = zone(client)
    hub = {"host": "hub.hubs.example", "https": {"contact": "me@hubs.example", "challenge": "dns"}}
    document = {"name": "class", "cloud": "practice", "cluster": {"template": "t"}, "hub": hub}
    run = Run(Deployment.model_validate(document), Silent(), cloud)
    assert anyio.run(dns_credential.problems, run) == [], "whoever logs in with a password may create one"

    async def create() -> Any:
        with run.step("kept-certificate"):
            return (await dns_credential.create(run, "class"))["data"]

    held = {key: b64decode(value).decode() for key, value in anyio.run(create).items()}
    identity = {"methods": ["application_credential"], "application_credential": held}
    token = site.token(identity=identity, scope=None).headers["X-Subject-Token"]
    with httpx.Client(base_url=site.at("/dns/v2"), headers={"X-Auth-Token": token}, timeout=60) as traefik:
        name = "_acme-challenge.hub.hubs.example."
        assert [each["id"] for each in traefik.get("/zones", params={"name": "hubs.example."}).json()["zones"]] == [
            ident
        ]
        made = traefik.post(
            f"/zones/{ident}/recordsets", json={"name": name, "type": "TXT", "ttl": 60, "records": ['"proof"']}
        )
        assert (made.status_code, made.json()["ttl"]) == (202, 60)
        found = traefik.get(f"/zones/{ident}/recordsets", params={"name": name, "type": "TXT"}).json()["recordsets"]
        assert [each["records"] for each in found] == [['"proof"']]
        assert traefik.delete(f"/zones/{ident}/recordsets/{made.json()['id']}").status_code == 202
        assert traefik.delete(f"/zones/{ident}").status_code == 401
        assert traefik.get(site.at("/compute/v2.1/servers")).status_code == 401
    anyio.run(dns_credential.delete, run)
    assert site.token(identity=identity, scope=None).status_code == 404, "Keystone does not know it any more"
