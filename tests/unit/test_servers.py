"""The servers of a cluster, on clouds with Heat and without, and which of them is the first master."""

from __future__ import annotations

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer, FakeCloud, record
from zerojhub.errors import ZeroJHubError
from zerojhub.openstack import masters, servers
from zerojhub.openstack.heat import Stack, StackResource
from zerojhub.openstack.magnum import Cluster
from zerojhub.openstack.session import Cloud

STACKS = f"/orchestration/v1/{PROJECT}/stacks"


def server(name: str, *addresses: str, status: str = "ACTIVE", **more: object) -> dict:
    listed = [{"addr": address, "version": 4} for address in addresses]
    flavor = {"original_name": "m1.small", "vcpus": 1}
    return {"id": f"id-{name}", "name": name, "status": status, "addresses": {"net": listed}, "flavor": flavor, **more}


MASTERS = [server("hub-x1-master-1", "10.0.0.6"), server("hub-x1-master-0", "10.0.0.5", "192.0.2.5")]
WORKER = server("hub-x1-node-0", "10.0.0.7", status="ERROR", fault={"message": "No valid host\nwas found."})
OTHERS = [server("hub2-x2-master-0", "10.0.0.55"), server("someones", "10.0.1.5")]


@pytest.fixture
def cluster() -> Cluster:
    return {
        "uuid": "c1",
        "name": "hub",
        "cluster_template_id": "t",
        "keypair": None,
        "node_count": 1,
        "master_count": 2,
        "labels": {},
        "flavor_id": None,
        "master_flavor_id": None,
        "status": "CREATE_COMPLETE",
        "health_status": None,
        "cluster_id": "s1",
        "master_addresses": ["10.0.0.5", "10.0.0.6"],
        "node_addresses": ["10.0.0.7"],
    }


@pytest.fixture
def cloud(fake_cloud: FakeCloud) -> Cloud:
    """A project with servers of two clusters and one that nobody's cluster has; no Heat answers in it."""
    listed = [*OTHERS, *MASTERS, WORKER]
    fake_cloud.answer("GET /compute/v2.1/servers/detail", Answer(200, {"servers": listed}))
    for each in listed:
        fake_cloud.answer(f"GET /compute/v2.1/servers/{each['id']}", Answer(200, {"server": each}))
    fake_cloud.answer("GET /container-infra/v1/clusters/c1/nodegroups", Answer(200, {"nodegroups": []}))
    return Cloud("fake")


def with_heat(fake_cloud: FakeCloud, *names: str) -> None:
    """Have Heat know these servers as resources of the cluster's stack."""
    stack = record(Stack, id="s1", stack_name="hub-x1", stack_status="CREATE_COMPLETE")
    kinds = {name: "kube-master" if "master" in name else "kube-minion" for name in names}
    resources = [
        record(StackResource, resource_name=kind, physical_resource_id=f"id-{name}") for name, kind in kinds.items()
    ]
    fake_cloud.answer(f"GET {STACKS}/s1", Answer(200, {"stack": stack}))
    fake_cloud.answer(f"GET {STACKS}/hub-x1/s1/resources", Answer(200, {"resources": resources}))


def test_servers_by_the_clusters_stack(fake_cloud, cloud, cluster):
    with_heat(fake_cloud, "hub-x1-master-0", "hub-x1-node-0")
    assert [each["name"] for each in anyio.run(servers.of, cloud, cluster)] == ["hub-x1-master-0", "hub-x1-node-0"]
    [asked] = [each for each in fake_cloud.requests if each.path.endswith("/resources")]
    assert asked.query == {"nested_depth": "3", "type": "OS::Nova::Server"}


def test_servers_by_their_addresses_without_heat(cloud, cluster):
    found = anyio.run(servers.of, cloud, cluster)
    assert [each["name"] for each in found] == ["hub-x1-master-0", "hub-x1-master-1", "hub-x1-node-0"]


def test_servers_by_the_clusters_name_while_cluster_api_builds_it(cloud, cluster):
    cluster |= {"cluster_id": "hub-x1", "master_addresses": [], "node_addresses": []}
    found = anyio.run(servers.of, cloud, cluster)
    assert [each["name"] for each in found] == ["hub-x1-master-0", "hub-x1-master-1", "hub-x1-node-0"]


def test_the_first_master_by_its_name_and_address(fake_cloud, cloud, cluster):
    with_heat(fake_cloud)
    candidates = [*OTHERS[:1], *MASTERS]
    fake_cloud.answer("GET /compute/v2.1/servers/detail", Answer(200, {"servers": candidates}))
    assert anyio.run(masters.first_master, cloud, cluster)["name"] == "hub-x1-master-0"
    [asked] = [each for each in fake_cloud.requests if "identity" not in each.path]
    assert asked.query == {"name": "-master-"}


def test_the_first_master_by_the_clusters_stack_where_another_cluster_has_its_name_and_addresses(
    fake_cloud, cloud, cluster
):
    twins = [server("hub-a1-master-0", "10.0.0.5"), server("hub-a1-master-1", "10.0.0.6")]
    fake_cloud.answer("GET /compute/v2.1/servers/detail", Answer(200, {"servers": [*twins, *MASTERS]}))
    with_heat(fake_cloud, "hub-x1-node-0", "hub-x1-master-1", "hub-x1-master-0")
    assert anyio.run(masters.first_master, cloud, cluster)["name"] == "hub-x1-master-0"


def test_the_first_master_by_its_address_without_heat(fake_cloud, cloud, cluster):
    strange = [server("a-master-of-hub", "10.0.0.5"), server("b-master-of-hub", "10.0.0.6")]
    fake_cloud.answer("GET /compute/v2.1/servers/detail", Answer(200, {"servers": [*OTHERS[:1], *strange]}))
    assert anyio.run(masters.first_master, cloud, cluster)["name"] == "a-master-of-hub"


def test_a_cluster_without_a_master_server(fake_cloud, cloud, cluster):
    fake_cloud.answer("GET /compute/v2.1/servers/detail", Answer(200, {"servers": OTHERS}))
    with pytest.raises(
        ZeroJHubError, match=r"cluster hub has no master server in this project \(a Cluster API cloud\?"
    ):
        anyio.run(masters.first_master, cloud, cluster)


def test_what_is_being_built_and_what_failed(cloud, cluster):
    found = anyio.run(servers.of, cloud, cluster)
    found[0]["status"] = "BUILD"
    assert servers.progress(found) == "1 of 3 servers, now hub-x1-master-0"
    assert servers.failure(found) == "server hub-x1-node-0: No valid host was found."
    assert servers.row(found[2]) == {
        "name": "hub-x1-node-0",
        "status": "ERROR",
        "flavor": "m1.small",
        "addresses": "10.0.0.7",
        "fault": "No valid host\nwas found.",
        "id": "id-hub-x1-node-0",
    }
    assert (servers.progress([]), servers.failure(found[:2])) == ("", None)
