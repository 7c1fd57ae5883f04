"""The DNS record of a hub's host name: created, corrected, waited for, left alone when it is somebody else's, deleted."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from tests.unit.fakecloud import Answer, FakeCloud, Request
from tests.unit.kubernetes import Cluster as FakeKube
from zerojhub import lookup
from zerojhub.deployment import load
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.moving import names
from zerojhub.run import Run, Silent
from zerojhub.stage import Found, Missing, Teardown, Wrong
from zerojhub.stages import dns
from zerojhub.stages.access import Access
from zerojhub.stages.address import Address, HubAddress
from zerojhub.stages.chart import Chart
from zerojhub.stages.dns import Dns
from zerojhub.stages.endpoint import Endpoint
from zerojhub.stages.host_name import host_of

IP, OTHER = "203.0.113.7", "203.0.113.9"
MARK = "zerojhub:class"
pytestmark = pytest.mark.usefixtures("short_pauses")


class Designate:
    """A project's zones and recordsets in a fake cloud. What is written is published two looks later."""

    def __init__(self, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud, self.canned = cloud, cloud.handle
        self.zones = {"z1": "example.org.", "z2": "hubs.example.org."}
        self.records: dict[str, dict[str, Any]] = {}
        self.looks, self.count = 2, 0
        self.refusal: Answer | None = None
        """The answer to the next POST."""
        self.servers: list[set[str] | None] = []
        """What the zone's name server has, one look after the other; then what Designate has. None: no answer."""
        self.here: list[set[str]] = []
        """What this machine finds, likewise."""
        cloud.catalog["dns"] = "/dns"
        monkeypatch.setattr(cloud, "handle", self.handle)
        monkeypatch.setattr(lookup, "at_server", self.at_server)
        monkeypatch.setattr(lookup, "here", self.found_here)

    async def at_server(self, server: str, name: str, kind: str) -> set[str] | None:
        assert server == "ns1.example.net"
        return self.servers.pop(0) if self.servers else self._data(name, kind)

    async def found_here(self, name: str) -> set[str]:
        return self.here.pop(0) if self.here else self._data(f"{name}.", "A") | self._data(f"{name}.", "AAAA")

    def _data(self, name: str, kind: str) -> set[str]:
        staying = [each for each in self.records.values() if each["action"] != "DELETE"]
        found = [each["records"] for each in staying if (each["name"], each["type"]) == (name, kind)]
        return set(found[0]) if found else set()

    def add(self, name: str, kind: str, *data: str, description: str | None = None, zone: str = "z2") -> dict[str, Any]:
        self.count += 1
        ident = f"r{self.count}"
        given = {"id": ident, "zone_id": zone, "name": name, "type": kind, "records": list(data), "status": "ACTIVE"}
        self.records[ident] = {**given, "description": description, "ttl": None, "action": "NONE"}
        return self.records[ident]

    def handle(self, request: Request) -> Answer:
        if not request.path.startswith("/dns/v2"):
            return self.canned(request)
        self.cloud.requests.append(request)
        parts = request.path.removeprefix("/dns/v2/").split("/")
        match request.method, parts:
            case "GET", ["zones"]:
                listed = [{"id": each, "name": name, "status": "ACTIVE"} for each, name in self.zones.items()]
                return Answer(200, {"zones": listed, "links": {"self": ""}})
            case "GET", ["zones", _, "nameservers"]:
                return Answer(200, {"nameservers": [{"hostname": "ns1.example.net.", "priority": 1}]})
            case "GET", ["zones", zone, "recordsets"]:
                asked = request.query | {"zone_id": zone}
                found = [each for each in self.records.values() if all(each[key] == asked[key] for key in asked)]
                self.publish(found)
                return Answer(200, {"recordsets": found, "links": {"self": ""}})
            case "POST", ["zones", zone, "recordsets"]:
                if self.refusal:
                    answer, self.refusal = self.refusal, None
                    return answer
                body = request.body
                made = self.add(
                    body["name"], body["type"], *body["records"], description=body["description"], zone=zone
                )
                return Answer(202, made | {"status": "PENDING"})
            case "GET", ["zones", _, "recordsets", ident]:
                self.looks -= 1
                status = "ACTIVE" if self.looks < 1 else "PENDING"
                return Answer(200, self.records[ident] | {"status": status})
            case "PUT", ["zones", _, "recordsets", ident]:
                self.records[ident] |= request.body
                return Answer(202, self.records[ident])
            case "DELETE", ["zones", _, "recordsets", ident]:
                self.records[ident] |= {"action": "DELETE", "status": "PENDING"}
                return Answer(202, self.records[ident])
        return Answer(405, {"code": 405})

    def publish(self, shown: list[dict[str, Any]]) -> None:
        """What is being deleted has been shown for the last time."""
        for each in shown:
            if each["action"] == "DELETE":
                del self.records[each["id"]]

    def said(self) -> list[str]:
        staying = [each for each in self.records.values() if each["action"] != "DELETE"]
        return [f"{each['name']} {each['type']} {' '.join(each['records'])}" for each in staying]


class Told(Silent):
    """Progress of which only what is done now is kept."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, name: str, detail: str) -> None:
        self.said.append(detail)


@pytest.fixture
def designate(fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, tmp_path) -> Designate:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Designate(fake_cloud, monkeypatch)


def at_work(*addresses: str, name: str = "class", zone: str | None = None, **hub: Any) -> Run:
    document = {"name": name, "cloud": "fake", "cluster": {"template": "t"}}
    document |= {"hub": {"host": "hub.hubs.example.org", **hub}} | ({"dns": {"zone": zone}} if zone else {})
    Path("hub.yaml").write_text(json.dumps(document))
    run = Run(load(Path("hub.yaml")), Silent())
    run[Address] = HubAddress("LoadBalancer", addresses[0] if addresses else "lb", 80, False, tuple(addresses))
    reach: Any = SimpleNamespace(kube=FakeKube(), address=None)
    release: Any = SimpleNamespace(name=name, namespace=name, values={})
    run[Access], run[Chart] = reach, release
    return run


def look(run: Run) -> Any:
    return anyio.run(Dns().look, run)


def up(run: Run) -> Any:
    """What the stage finds after it has done what was missing."""

    async def work() -> Any:
        with run.step("dns"):
            state = await Dns().look(run)
            if not isinstance(state, Found):
                await Dns().do(run, state)
                state = await Dns().look(run)
        return state

    return anyio.run(work)


def test_a_record_is_created_in_the_nearest_zone_and_kept_as_it_is(designate):
    state = look(at_work(IP))
    assert isinstance(state, Missing)
    assert state.detail == f"hub.hubs.example.org. A {IP} is not in zone hubs.example.org."
    assert up(at_work(IP)).detail == f"hub.hubs.example.org. A {IP}, in zone hubs.example.org."
    (record,) = designate.records.values()
    assert (record["zone_id"], record["description"]) == ("z2", MARK)
    written = len([each for each in designate.cloud.requests if each.method != "GET"])
    assert up(at_work(IP)).value.ready
    assert len([each for each in designate.cloud.requests if each.method != "GET"]) == written


def test_both_families_have_a_record_each(designate):
    up(at_work(IP, "2001:db8::7"))
    assert designate.said() == [f"hub.hubs.example.org. A {IP}", "hub.hubs.example.org. AAAA 2001:db8::7"]
    up(at_work("2001:db8::8"))
    assert designate.said() == ["hub.hubs.example.org. AAAA 2001:db8::8"]


def test_a_record_follows_the_address_and_the_name(designate):
    up(at_work(OTHER))
    assert isinstance(look(at_work(IP)), Wrong)
    up(at_work(IP))
    assert designate.said() == [f"hub.hubs.example.org. A {IP}"]
    up(at_work(IP, host="lab.hubs.example.org"))
    assert designate.said() == [f"lab.hubs.example.org. A {IP}"]
    up(at_work(IP, host="lab.example.org"))  # in another zone
    assert designate.said() == [f"lab.example.org. A {IP}"]
    anyio.run(Dns().undo, at_work(), Teardown())
    assert designate.said() == []


def test_a_cloud_that_allows_no_short_ttl_gives_the_record_that_of_its_zone(designate):
    designate.refusal = Answer(400, {"code": 400, "type": "invalid_ttl", "message": "TTL is below the minimum: 3600"})
    up(at_work(IP))
    ttls = [each.body["ttl"] for each in designate.cloud.requests if each.method == "POST"]
    assert ttls == [dns.TTL, None]


@pytest.mark.parametrize("kind", ["A", "CNAME"])
def test_a_record_of_somebody_else_is_left_alone(designate, kind):
    theirs = {"A": OTHER, "CNAME": "proxy.example.net."}[kind]
    designate.add("hub.hubs.example.org.", kind, theirs, description="ours")
    found = up(at_work(IP))
    assert found.detail == f"hub.hubs.example.org. {kind} {theirs}: somebody else has created that, so it is left alone"
    assert found.value.ready
    with pytest.raises(
        ZeroJHubError, match=r"somebody else has created.*openstack recordset delete hubs\.example\.org\. r1"
    ):
        up(at_work(IP, zone="hubs.example.org"))
    anyio.run(Dns().undo, at_work(IP), Teardown())
    assert designate.said() == [f"hub.hubs.example.org. {kind} {theirs}"]


def test_a_record_of_somebody_else_that_is_right_is_right(designate):
    designate.add("hub.hubs.example.org.", "A", IP)
    assert isinstance(up(at_work(IP, zone="hubs.example.org")), Found)


def test_the_record_of_another_hub_is_an_error(designate):
    designate.add("hub.hubs.example.org.", "A", OTHER, description="zerojhub:lab")
    with pytest.raises(ZeroJHubError, match=r"has hub\.hubs\.example\.org\. A 203\.0\.113\.9, of deployment lab"):
        up(at_work(IP))


def test_down_deletes_the_record_unless_the_address_is_kept(designate):
    designate.add("else.hubs.example.org.", "A", OTHER, description="zerojhub:lab")
    up(at_work(IP))
    anyio.run(Dns().undo, at_work(address="keep"), Teardown())
    assert len(designate.said()) == 2
    anyio.run(Dns().undo, at_work(), Teardown())
    assert designate.said() == [f"else.hubs.example.org. A {OTHER}"]


def test_a_record_that_is_being_deleted_is_waited_for_before_it_is_created_again(designate):
    up(at_work(IP))
    anyio.run(Dns().undo, at_work(), Teardown())
    assert len(designate.records) == 1, "it is still there, as in a real Designate"
    assert isinstance(up(at_work(OTHER)), Found)
    assert designate.said() == [f"hub.hubs.example.org. A {OTHER}"]


def test_a_record_is_corrected_even_if_somebody_else_has_one_of_the_other_family(designate):
    up(at_work(OTHER))
    designate.add("hub.hubs.example.org.", "AAAA", "2001:db8::1")
    designate.here = [{IP}]
    up(at_work(IP))
    assert designate.said()[0] == f"hub.hubs.example.org. A {IP}"


# -- waiting ------------------------------------------------------------------------------------------------------------


def test_a_record_is_waited_for_at_designate_the_name_servers_and_here(designate):
    designate.looks = 3
    designate.servers, designate.here = [set(), {OTHER}, {IP}], [set(), {OTHER}, {IP}]
    run = at_work(IP)
    run.progress = told = Told()
    up(run)
    assert list(dict.fromkeys(told.said))[1:] == [
        "waiting for Designate: hub.hubs.example.org. A is PENDING",
        f"waiting until ns1.example.net has hub.hubs.example.org. A {IP}",
        "waiting until this machine finds hub.hubs.example.org; it finds nothing",
        f"waiting until this machine finds hub.hubs.example.org; it finds {OTHER}",
    ]


def test_a_name_server_that_does_not_answer_from_here_is_not_waited_for(designate):
    designate.servers = [None]
    assert isinstance(up(at_work(IP)), Found)


@pytest.mark.parametrize(
    ("timeout", "late", "said"),
    [
        ("ACTIVE_TIMEOUT", "looks", r"Designate: hub\.hubs\.example\.org\. A is PENDING.*operators of the cloud"),
        ("SERVERS_TIMEOUT", "servers", r"ns1\.example\.net has hub\.hubs\.example\.org\. A 203\.0\.113\.7 \(waited"),
        (
            "HERE_TIMEOUT",
            "here",
            r"this machine finds hub\.hubs\.example\.org; it finds nothing.*delegate to ns1\.example\.net",
        ),
    ],
)
def test_what_is_late_is_told(designate, monkeypatch, timeout, late, said):
    monkeypatch.setattr(dns, timeout, 0)
    setattr(designate, late, {"looks": 9, "servers": [set()] * 9, "here": [set()] * 9}[late])
    with pytest.raises(ZeroJHubError, match=said):
        up(at_work(IP))


def test_a_name_without_its_record_is_not_looked_up_too_early(designate, monkeypatch):
    run = at_work(IP)
    state = look(run)
    run[Dns] = state.value
    found: Any = anyio.run(Endpoint().look, run)
    assert found.detail == "http://hub.hubs.example.org/: hub.hubs.example.org has no DNS record yet"


# -- zones and names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zones", "hub", "zone", "host"),
    [
        ({"z1": "cis230085.projects.jetstream-cloud.org."}, "hub", None, "hub.cis230085.projects.jetstream-cloud.org"),
        ({"z1": "a.org.", "z2": "b.org."}, "hub", "b.org", "hub.b.org"),
        ({}, "hub", None, "hub"),
        ({"z1": "a.org."}, "localhost", None, "localhost"),
        ({"z1": "a.org."}, "hub.example.org", None, "hub.example.org"),
        ({"z1": "a.org."}, "192.0.2.7", None, "192.0.2.7"),
    ],
)
def test_the_first_part_of_a_name_is_in_the_projects_zone(designate, zones, hub, zone, host):
    designate.zones = zones
    assert anyio.run(host_of, at_work(IP, host=hub, zone=zone)) == host


def test_a_name_that_could_be_in_several_zones_is_refused(designate):
    with pytest.raises(UserError, match=r"hub\.yaml:1: hub\.host: hub could be in example\.org or hubs\.example\.org"):
        anyio.run(Dns().check, at_work(IP, host="hub"))


def test_a_zone_that_the_project_does_not_have_is_refused(designate):
    with pytest.raises(UserError, match=r"the project has no DNS zone b\.org\. \(zones: example\.org\., hubs\.example"):
        anyio.run(Dns().check, at_work(IP, host="hub", zone="b.org"))


def test_without_a_zone_the_record_to_create_is_told(designate):
    found = look(at_work(IP, host="hub.elsewhere.net"))
    assert found.detail == f"no zone of this project has it; the record is: hub.elsewhere.net. A {IP}"
    del designate.cloud.catalog["dns"]
    found = look(at_work(IP))
    assert (found.detail, found.value.ready) == (
        f"no zone of this project has it; the record is: hub.hubs.example.org. A {IP}",
        True,
    )


def test_an_address_that_is_not_known_needs_no_record(designate):
    assert isinstance(look(at_work()), Found)


def test_a_deployment_without_a_name_asks_designate_nothing(designate):
    run = at_work(IP, host=None)
    assert not Dns.applies(run.deployment)
    assert anyio.run(host_of, run) is None
    anyio.run(Dns().undo, run, Teardown())
    assert not [each for each in designate.cloud.requests if each.path.startswith("/dns")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hub: {host: hub.a.org}, dns: {zone: b.org.}", "dns: hub.host, hub.a.org, is not in the zone b.org."),
        ("dns: {zone: b.org.}", "dns: the record is for hub.host, which has to be a name"),
        ("hub: {host: 192.0.2.7}, dns: {zone: b.org.}", "dns: the record is for hub.host, which has to be a name"),
        ("hub: {host: hub}, dns: {zone: org}", "dns.zone: must be the name of a zone, such as example.org., not 'org'"),
    ],
)
def test_a_section_that_contradicts_the_host(tmp_path, text, said):
    (path := tmp_path / "hub.yaml").write_text(f"{{name: a, cluster: {{template: t}}, {text}}}\n")
    with pytest.raises(UserError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:1: {said}"


# -- a hub that moves ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "owner"), [("hub.hubs.example.org", "zerojhub:class2"), ("new.example.org", MARK)])
def test_the_record_of_a_name_that_moves_is_handed_over(designate, host, owner):
    up(at_work(IP))
    source: Any = SimpleNamespace(run=at_work(IP))
    target: Any = SimpleNamespace(run=at_work(OTHER, name="class2", host=host))
    anyio.run(names.hand_over, source, target)
    assert [each["description"] for each in designate.records.values()] == [owner]


# -- asking -------------------------------------------------------------------------------------------------------------


def test_names_are_found_as_by_other_programs():
    assert anyio.run(lookup.here, "localhost") & {"127.0.0.1", "::1"}
    assert anyio.run(lookup.here, "a" * 64) == set()


def test_a_name_server_that_is_none_does_not_answer(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(lookup, "PORT", taken.getsockname()[1])
        monkeypatch.setattr(lookup, "ANSWER_TIMEOUT", 0.05)
        assert anyio.run(lookup.at_server, "127.0.0.1", "hub.example.org.", "A") is None
