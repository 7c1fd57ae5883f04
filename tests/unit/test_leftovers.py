"""What is deleted after a cluster is its own: nothing of another cluster, and nothing that somebody else made."""

from __future__ import annotations

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer, FakeCloud, record
from zerojhub.openstack import leftovers
from zerojhub.openstack.magnum import Cluster
from zerojhub.openstack.neutron import FloatingIP, Port
from zerojhub.openstack.octavia import LoadBalancer
from zerojhub.openstack.session import Cloud

UUID, OTHER = "6f5d1c1e-0000-4000-8000-000000000001", "6f5d1c1e-0000-4000-8000-000000000002"
VOLUMES = f"/volume/v3/{PROJECT}/volumes"


def cluster(uuid: str = UUID, name: str = "hub") -> Cluster:
    return {
        "uuid": uuid,
        "name": name,
        "cluster_template_id": "t",
        "keypair": None,
        "node_count": 1,
        "master_count": 1,
        "labels": {},
        "flavor_id": None,
        "master_flavor_id": None,
        "status": "DELETE_COMPLETE",
        "health_status": None,
        "cluster_id": "hub-x1y2z3",
    }


def balancer(name: str) -> dict:
    return record(LoadBalancer, id=f"id of {name}", name=name, vip_port_id=f"port of {name}", vip_address="10.0.0.9")


def volume(name: str, metadata: dict[str, str]) -> dict:
    return {"id": f"id of {name}", "name": name, "size": 10, "status": "available", "metadata": metadata} | {
        "availability_zone": "nova",
        "created_at": "2026-11-28T10:00:00.000000",
        "attachments": [],
    }


@pytest.fixture
def project(fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """A project without anything in it."""
    monkeypatch.setattr(leftovers, "DETACH_TIMEOUT", 0)
    for path, key in (
        ("/container-infra/v1/clusters", "clusters"),
        ("/load-balancer/v2.0/lbaas/loadbalancers", "loadbalancers"),
        ("/network/v2.0/floatingips", "floatingips"),
        ("/network/v2.0/ports", "ports"),
        (f"{VOLUMES}/detail", "volumes"),
    ):
        fake_cloud.answer(f"GET {path}", Answer(200, {key: []}))
    return fake_cloud


def deleted(project: FakeCloud) -> list[str]:
    """The last part of each path that was deleted."""
    return [each.path.rpartition("/")[2].replace("%20", " ") for each in project.requests if each.method == "DELETE"]


def allow(project: FakeCloud, base: str, *ids: str) -> None:
    for each in ids:
        project.answer(f"DELETE {base}/{each}".replace(" ", "%20"), Answer(204))


def test_load_balancers_of_its_services(project):
    own = [f"kube_service_{UUID}_hub_proxy-public", "kube_service_hub_hub_proxy-public"]
    others = [f"kube_service_{OTHER}_hub_proxy-public", "kube_service_hub2_hub_proxy-public", "my-balancer"]
    listed = [balancer(name) for name in own + others]
    project.answer("GET /load-balancer/v2.0/lbaas/loadbalancers", Answer(200, {"loadbalancers": listed}))
    anyio.run(leftovers.delete_rest, Cloud("fake"), cluster())
    assert deleted(project) == [f"id of {name}" for name in own]
    [first, _] = [each for each in project.requests if each.method == "DELETE"]
    assert first.query == {"cascade": "true"}
    asked = [each.query.get("port_id") for each in project.requests if each.path.endswith("/floatingips")]
    assert asked == [*(f"port of {name}" for name in own), None]


def test_a_name_that_another_cluster_has_too_tells_nothing(project):
    clusters = [record(Cluster, uuid=uuid, name="hub") for uuid in (UUID, OTHER)]
    project.answer("GET /container-infra/v1/clusters", Answer(200, {"clusters": clusters}))
    listed = [balancer(f"kube_service_{UUID}_hub_proxy-public"), balancer("kube_service_hub_hub_proxy-public")]
    project.answer("GET /load-balancer/v2.0/lbaas/loadbalancers", Answer(200, {"loadbalancers": listed}))
    anyio.run(leftovers.delete_rest, Cloud("fake"), cluster())
    assert deleted(project) == [f"id of kube_service_{UUID}_hub_proxy-public"]


def test_floating_ips_by_their_description(project):
    text = "Floating IP for Kubernetes external service hub/proxy-public from cluster {}"
    described = {
        "a": text.format(UUID),
        "b": text.format("hub"),
        "c": text.format(OTHER),
        "d": "zerojhub:hub",
        "e": None,
    }
    listed = [record(FloatingIP, id=each, description=description) for each, description in described.items()]
    project.answer("GET /network/v2.0/floatingips", Answer(200, {"floatingips": listed}))
    anyio.run(leftovers.delete_rest, Cloud("fake"), cluster())
    assert deleted(project) == ["a", "b"]


def test_the_address_of_a_load_balancer_that_somebody_keeps_is_detached(project):
    name = f"kube_service_{UUID}_hub_proxy-public"
    project.answer("GET /load-balancer/v2.0/lbaas/loadbalancers", Answer(200, {"loadbalancers": [balancer(name)]}))
    kept = [record(FloatingIP, id="kept", description="zerojhub:hub: the hub's address")]
    project.answer("GET /network/v2.0/floatingips", Answer(200, {"floatingips": kept}))
    project.answer("PUT /network/v2.0/floatingips/kept", Answer(200, {}))
    anyio.run(leftovers.delete_rest, Cloud("fake"), cluster())
    assert deleted(project) == [f"id of {name}"]
    assert [each.body for each in project.requests if each.method == "PUT"] == [{"floatingip": {"port_id": None}}]


def test_ports_that_no_server_has(project):
    ports = [
        record(Port, id="a", name="hub-x1y2z3-node-0-port"),
        record(Port, id="b", name="hub-x1y2z3-node-1-port", device_id="a server"),
        record(Port, id="c", name="hub-x9y9z9-node-0-port"),
        record(Port, id="d"),
    ]
    project.answer("GET /network/v2.0/ports", Answer(200, {"ports": ports}))

    async def run() -> None:
        cloud = Cloud("fake")
        await leftovers.delete_ports(cloud, await leftovers.prefixes_of(cloud, cluster()))

    anyio.run(run)
    assert deleted(project) == ["a"]


def test_volumes_are_listed_and_deleted_only_on_request(project):
    listed = [
        volume("pvc-1", {leftovers.CLUSTER_METADATA: UUID, leftovers.CLAIM_METADATA: "claim-ada"}),
        volume("pvc-2", {leftovers.CLUSTER_METADATA: UUID, leftovers.CLAIM_METADATA: "claim-ben"}),
        volume("pvc-3", {leftovers.CLUSTER_METADATA: OTHER}),
        volume("data", {}),
    ]
    project.answer(f"GET {VOLUMES}/detail", Answer(200, {"volumes": listed}))
    kept = anyio.run(leftovers.delete_rest, Cloud("fake"), cluster())
    assert [(each.name, each.owner) for each in kept] == [("pvc-1", "claim-ada"), ("pvc-2", "claim-ben")]
    assert deleted(project) == []

    allow(project, VOLUMES, "id of pvc-1")
    project.answer(f"DELETE {VOLUMES}/id%20of%20pvc-2", Answer(400, {"badRequest": {"message": "it is attached"}}))
    kept = anyio.run(lambda: leftovers.delete_rest(Cloud("fake"), cluster(), volumes_too=True))
    assert [each.name for each in kept] == ["pvc-2"]
    assert set(deleted(project)) == {"id of pvc-1", "id of pvc-2"}


@pytest.mark.usefixtures("short_pauses")
def test_a_volume_is_deleted_once_it_is_detached(project, monkeypatch):
    monkeypatch.setattr(leftovers, "DETACH_TIMEOUT", 30)
    busy = Answer(400, {"badRequest": {"message": "Volume status must be available"}})
    project.answer(f"DELETE {VOLUMES}/v", busy, Answer(202))
    assert anyio.run(leftovers.delete_volume, Cloud("fake"), "v") is True
    assert deleted(project) == ["v", "v"]


def test_a_refusal_that_does_not_pass_is_not_waited_for(project, monkeypatch):
    monkeypatch.setattr(leftovers, "DETACH_TIMEOUT", 30)
    project.answer(f"DELETE {VOLUMES}/v", Answer(403, {"forbidden": {"message": "Policy does not allow it"}}))
    assert anyio.run(leftovers.delete_volume, Cloud("fake"), "v") is False
    assert deleted(project) == ["v"]


def test_a_project_without_load_balancers_and_volumes(project):
    del project.catalog["load-balancer"], project.catalog["block-storage"]
    assert anyio.run(leftovers.delete_rest, Cloud("fake"), cluster()) == []
    assert deleted(project) == []
