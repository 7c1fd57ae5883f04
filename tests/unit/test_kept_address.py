"""The address of a hub that is kept: allocated once, given to the load balancer, and left when that is deleted."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from tests.unit.fakecloud import Answer, FakeCloud, Request, record
from tests.unit.kubernetes import Cluster as FakeKube
from zerojhub.deployment import load
from zerojhub.errors import ZeroJHubError
from zerojhub.openstack.magnum import Cluster
from zerojhub.openstack.neutron import FloatingIP
from zerojhub.openstack.octavia import LoadBalancer
from zerojhub.run import Run, Silent
from zerojhub.stage import Found, Missing, Teardown, Wrong
from zerojhub.stages.access import Access
from zerojhub.stages.address import Address
from zerojhub.stages.chart import Chart
from zerojhub.stages.kept_address import KeptAddress
from zerojhub.stages.template import Template

MARK = "zerojhub:class: the hub's address"
ALLOCATED = "Floating IP for Kubernetes external service class/proxy-public from cluster c1"
IPS = "/network/v2.0/floatingips"


class Project:
    """The floating IPs and the load balancers of a fake cloud's project. The hub's load balancer has the port `vip`."""

    def __init__(self, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud, self.canned = cloud, cloud.handle
        self.ips: dict[str, dict[str, Any]] = {}
        monkeypatch.setattr(cloud, "handle", self.handle)
        cluster = record(Cluster, uuid="c1", name="class")
        cloud.answer("GET /container-infra/v1/clusters", Answer(200, {"clusters": [cluster]}))
        cloud.answer("GET /container-infra/v1/clusters/c1", Answer(200, cluster))
        cloud.answer("GET /network/v2.0/networks", Answer(200, {"networks": [{"id": "public", "name": "public"}]}))
        self.has_balancers("kube_service_c1_class_proxy-public", "kube_service_c1_lab_proxy-public")

    def has_balancers(self, *names: str) -> None:
        listed = [record(LoadBalancer, id=name, name=name, vip_port_id=f"vip {name}") for name in names]
        if listed:
            listed[0]["vip_port_id"] = "vip"
        self.cloud.answer("GET /load-balancer/v2.0/lbaas/loadbalancers", Answer(200, {"loadbalancers": listed}))

    def add(self, address: str, description: str = "", port: str | None = None) -> None:
        given = {"floating_ip_address": address, "description": description, "port_id": port}
        self.ips[address] = record(FloatingIP, id=address, **given)

    def handle(self, request: Request) -> Answer:
        if not request.path.startswith(IPS):
            return self.canned(request)
        ident = request.path.removeprefix(IPS).lstrip("/")
        match request.method:
            case "GET":
                asked = request.query
                found = [each for each in self.ips.values() if all(each[key] == asked[key] for key in asked)]
                return Answer(200, {"floatingips": found})
            case "POST":
                self.add("203.0.113.50", request.body["floatingip"]["description"])
                return Answer(201, {"floatingip": self.ips["203.0.113.50"]})
            case "PUT":
                self.ips[ident] |= request.body["floatingip"]
                return Answer(200, {"floatingip": self.ips[ident]})
            case _:
                del self.ips[ident]
                return Answer(204)

    def said(self) -> list[tuple[str, str, str | None]]:
        return [(each["floating_ip_address"], each["description"], each["port_id"]) for each in self.ips.values()]


@pytest.fixture
def project(fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, tmp_path) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Project(fake_cloud, monkeypatch)


class Notes(Silent):
    """Progress of which only the notes are kept."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def note(self, text: str) -> None:
        self.noted.append(text)


def at_work(address: str | None) -> Run:
    document = {"name": "class", "cloud": "fake", "cluster": {"template": "t"}, "hub": {"address": address}}
    Path("hub.yaml").write_text(json.dumps(document))
    run = Run(load(Path("hub.yaml")), Notes())
    template: Any = {"external_network_id": "public"}
    run[Template] = template
    return run


def up(run: Run, stage: Any = KeptAddress) -> Any:
    """What the stage finds, after it has done what was missing."""

    async def work() -> Any:
        with run.step(stage.name):
            state = await stage().look(run)
            if isinstance(state, Found):
                return state
            await stage().do(run, state)
            run.forget_answers()
            return await stage().look(run)

    return anyio.run(work)


def down(run: Run) -> list[str]:
    """What `down` notes."""
    anyio.run(KeptAddress().undo, run, Teardown())
    progress: Any = run.progress
    return list(progress.noted)


def test_an_address_is_allocated_once_and_stays_after_down(project):
    assert up(at_work("keep")).value["floating_ip_address"] == "203.0.113.50"
    assert project.said() == [("203.0.113.50", MARK, None)]
    assert isinstance(anyio.run(KeptAddress().look, at_work("keep")), Found)
    note = "the address 203.0.113.50 is kept; to release it: openstack floating ip delete 203.0.113.50"
    assert down(at_work("keep")) == down(at_work("203.0.113.50")) == [note]
    assert project.said() == [("203.0.113.50", MARK, None)]


def test_down_releases_what_was_kept_once_the_file_no_longer_asks_for_it(project):
    project.add("203.0.113.7", MARK)
    project.add("203.0.113.8", "zerojhub:class")
    project.add("203.0.113.9", "zerojhub:class2: the hub's address")
    assert down(at_work(None)) == []
    assert [address for address, *_ in project.said()] == ["203.0.113.8", "203.0.113.9"]


def test_a_running_hub_keeps_the_address_that_it_has(project):
    project.add("203.0.113.9", ALLOCATED, "vip kube_service_c1_lab_proxy-public")
    project.add("203.0.113.7", ALLOCATED, "vip")
    run = at_work("keep")
    look: Any = anyio.run(KeptAddress().look, run)
    assert isinstance(look, Missing)
    assert look.value
    assert look.value["floating_ip_address"] == "203.0.113.7", "for the values that `plan` compares"
    assert up(run).value["floating_ip_address"] == "203.0.113.7"
    assert project.said()[1] == ("203.0.113.7", MARK, "vip")
    assert project.said()[0][1] == ALLOCATED, "another hub's is left alone"


def test_an_address_that_somebody_else_allocated_is_not_marked_as_the_hubs(project):
    project.add("203.0.113.7", "mine", "vip")
    with pytest.raises(
        ZeroJHubError, match=r"203\.0\.113\.7 was not allocated for the hub.*hub\.address: 203\.0\.113\.7"
    ):
        up(at_work("keep"))
    assert up(at_work("203.0.113.7")).value["description"] == "mine"


def test_an_address_must_be_the_projects_and_free(project):
    run = at_work("203.0.113.7")
    (problem,) = anyio.run(KeptAddress().check, run)
    assert str(problem).startswith(
        "hub.yaml:1: the project has no floating IP 203.0.113.7 (see: openstack floating ip list"
    )
    project.add("203.0.113.7", "", "the port of a server")
    run.forget_answers()
    assert anyio.run(KeptAddress().check, run) == []
    with pytest.raises(ZeroJHubError, match=r"attached to another port.*floating ip unset --port 203\.0\.113\.7"):
        up(run)


def test_a_quota_without_room_is_known_before_anything_is_created(project):
    full = {"quota": {"floatingip": {"limit": 1, "used": 1}}}
    project.cloud.answer("GET /network/v2.0/quotas/0a1b2c/details.json", Answer(200, full))
    (problem,) = anyio.run(KeptAddress().check, at_work("keep"))
    assert "1 floating IP needed, 0 of 1 free" in str(problem)
    project.add("203.0.113.7", ALLOCATED, "vip")
    assert anyio.run(KeptAddress().check, at_work("keep")) == []


# -- on a load balancer that has another one ----------------------------------------------------------------------------


class Controllers(FakeKube):
    """A cluster whose cloud controllers note the load balancer's address once its Service changes."""

    def __init__(self, project: Project, **status: Any) -> None:
        labels = {"release": "class", "component": "proxy-public"}
        meta = {"name": "proxy-public", "namespace": "class", "labels": labels}
        spec = {"type": "LoadBalancer", "ports": [{"name": "http", "port": 80}]}
        super().__init__(Service=[{"metadata": meta, "spec": spec, "status": {"loadBalancer": {"ingress": [status]}}}])
        self.project = project

    async def merge(self, kind, name, namespace, change):
        await super().merge(kind, name, namespace, change)
        (address,) = [each for each, _, port in self.project.said() if port == "vip"]
        (service,) = self.objects["Service"]
        service["status"]["loadBalancer"]["ingress"] = [{"ip": address}]
        return service


def exchanged(project: Project, kept: str, kube: Any) -> Any:
    run = at_work(kept)
    reach: Any = SimpleNamespace(kube=kube, address=None)
    release: Any = SimpleNamespace(name="class", namespace="class", values={})
    run[Access], run[Chart] = reach, release
    kept_ip: Any = project.ips[kept]
    run[KeptAddress] = kept_ip
    return up(run, Address)


@pytest.mark.parametrize(
    ("description", "left"), [(ALLOCATED, []), ("mine", [("203.0.113.9", "mine", None)])], ids=["its own", "another's"]
)
def test_the_load_balancer_of_a_running_hub_gets_it_in_place_of_its_own(project, description, left):
    project.add("203.0.113.9", description, "vip")
    project.add("203.0.113.7", "mine")
    found = exchanged(project, "203.0.113.7", Controllers(project, ip="203.0.113.9"))
    assert (type(found), found.value.host) == (Found, "203.0.113.7")
    assert project.said() == [*left, ("203.0.113.7", "mine", "vip")]


def test_an_exchange_continues_where_it_was_interrupted(project):
    project.add("203.0.113.7", MARK, "vip")
    found = exchanged(project, "203.0.113.7", Controllers(project, ip="203.0.113.9"))
    assert found.value.host == "203.0.113.7"
    requests = [each.method for each in project.cloud.requests]
    assert "DELETE" not in requests


def test_a_load_balancer_with_it_is_left_alone_even_if_its_service_has_a_name(project):
    project.add("203.0.113.7", MARK, "vip")
    kube = Controllers(project, hostname="203.0.113.7.nip.io")
    noted = {"loadbalancer.openstack.org/load-balancer-address": "203.0.113.7"}
    kube.objects["Service"][0]["metadata"]["annotations"] = noted
    assert exchanged(project, "203.0.113.7", kube).value.host == "203.0.113.7"
    assert kube.applied == []


def test_a_look_says_which_address_the_load_balancer_should_have(project):
    project.add("203.0.113.7", MARK)
    run = at_work("keep")
    reach: Any = SimpleNamespace(kube=Controllers(project, ip="203.0.113.9"), address=None)
    release: Any = SimpleNamespace(name="class", namespace="class", values={})
    run[Access], run[Chart] = reach, release
    kept_ip: Any = project.ips["203.0.113.7"]
    run[KeptAddress] = kept_ip
    state = anyio.run(Address().look, run)
    assert isinstance(state, Wrong)
    assert state.detail == "the load balancer has 203.0.113.9:80, not 203.0.113.7"
