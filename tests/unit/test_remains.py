"""What `down` says is left: what the deployment or its cluster has created, and nothing else."""

from __future__ import annotations

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer, FakeCloud, record
from zerojhub.openstack import remains
from zerojhub.openstack.neutron import FloatingIP, Network, Port, Router, SecurityGroup
from zerojhub.openstack.nova import Server
from zerojhub.openstack.octavia import LoadBalancer
from zerojhub.openstack.remains import Traces
from zerojhub.openstack.session import Cloud

NETWORK = "/network/v2.0"
LISTS = {
    "/compute/v2.1/servers/detail": "servers",
    "/load-balancer/v2.0/lbaas/loadbalancers": "loadbalancers",
    f"/volume/v3/{PROJECT}/volumes/detail": "volumes",
    f"{NETWORK}/floatingips": "floatingips",
    f"{NETWORK}/ports": "ports",
    f"{NETWORK}/routers": "routers",
    f"{NETWORK}/networks": "networks",
    f"{NETWORK}/security-groups": "security_groups",
    f"{NETWORK}/security-group-rules": "security_group_rules",
}
TRACES = Traces(
    ids=frozenset({"s1", "v1", "n1"}),
    prefixes=("hub-x1y2z3-",),
    owners=("c1", "hub"),
    descriptions=("zerojhub:hub",),
)


@pytest.fixture
def project(fake_cloud: FakeCloud, short_pauses: None, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """A project in which only somebody else has something."""
    monkeypatch.setattr(remains, "GOING_TIMEOUT", 0)
    fake_cloud.catalog["identity"] = "/identity/v3"
    others = {
        "servers": [record(Server, id="s9", name="hub-x1y2z4-node-0")],
        "loadbalancers": [record(LoadBalancer, id="b9", name="kube_service_hub2_x_y")],
        "volumes": [volume("v9")],
        "floatingips": [record(FloatingIP, id="f9", description="zerojhub:hub2")],
        "ports": [record(Port, id="p9", name="hub")],
        "routers": [record(Router, id="r9", name="mine")],
        "networks": [record(Network, id="n9", name="public")],
        "security_groups": [record(SecurityGroup, id="g9", name="default", description="Service in cluster hub2")],
    }
    for path, key in LISTS.items():
        fake_cloud.answer(f"GET {path}", Answer(200, {key: others.get(key, [])}))
    return fake_cloud


def volume(ident: str, status: str = "available") -> dict:
    return {"id": ident, "name": ident, "size": 10, "status": status, "metadata": {}, "attachments": []} | {
        "availability_zone": "nova",
        "created_at": "2026-11-28T10:00:00.000000",
    }


def add(project: FakeCloud, key: str, *items: dict) -> None:
    path = next(path for path, each in LISTS.items() if each == key)
    [answer] = project.answers[f"GET {path}"]
    answer.body[key].extend(items)


def left(traces: Traces = TRACES) -> list[tuple[str, str]]:
    return [(each.kind, each.id) for each in anyio.run(remains.left, Cloud("fake"), traces)]


def test_nothing_of_anybody_else_is_mentioned(project):
    assert left() == []
    assert left(Traces()) == []


def test_everything_of_the_clusters_is_found_by_its_id_its_name_or_its_description(project):
    add(project, "servers", record(Server, id="s1", name="renamed"), record(Server, id="s2", name="hub-x1y2z3-node-1"))
    add(project, "loadbalancers", record(LoadBalancer, id="b1", name="kube_service_c1_hub_proxy-public"))
    add(project, "loadbalancers", record(LoadBalancer, id="b2", name="k8s-cluster-hub-x1y2z3-kubeapi"))
    add(project, "volumes", volume("v1"))
    add(project, "floatingips", record(FloatingIP, id="f1", description="zerojhub:hub"))
    add(project, "floatingips", record(FloatingIP, id="f2", description="Floating IP for x from cluster c1"))
    add(project, "ports", record(Port, id="p1", name="hub-x1y2z3-port"))
    add(project, "networks", record(Network, id="n1", name="private"))
    described = "Security Group for hub/proxy-public Service LoadBalancer in cluster c1"
    add(project, "security_groups", record(SecurityGroup, id="g1", name="lb-sg", description=described))
    assert left() == [
        ("server", "s1"),
        ("server", "s2"),
        ("load balancer", "b1"),
        ("load balancer", "b2"),
        ("volume", "v1"),
        ("floating IP", "f1"),
        ("floating IP", "f2"),
        ("port", "p1"),
        ("network", "n1"),
        ("security group", "g1"),
    ]


def test_each_comes_with_the_command_that_deletes_it(project):
    add(project, "loadbalancers", record(LoadBalancer, id="b1", name="kube_service_hub_hub_proxy-public"))
    [found] = anyio.run(remains.left, Cloud("fake"), TRACES)
    assert found.command == "openstack loadbalancer delete b1"


def test_what_is_being_deleted_is_waited_for(project, monkeypatch):
    monkeypatch.setattr(remains, "GOING_TIMEOUT", 30)
    there = Answer(200, {"servers": [record(Server, id="s1", name="hub-x1y2z3-node-0")]})
    project.answer("GET /compute/v2.1/servers/detail", there, there, Answer(200, {"servers": []}))
    assert left() == []


def test_a_trust_that_outlives_its_cluster(project):
    project.keystone["/identity/v3/OS-TRUST/trusts/t1"] = {"trust": {"id": "t1"}}
    assert left(Traces(trust="t1")) == [("trust", "t1")]


def test_a_cloud_without_load_balancers_and_volumes_has_none_left(project):
    del project.catalog["load-balancer"], project.catalog["block-storage"]
    assert left() == []
