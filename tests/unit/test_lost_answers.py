"""Writes to OpenStack whose answer is lost: what was done is found and not done twice, somebody else's is not taken for ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer, FakeCloud, record
from tests.unit.faulty import Proxy, proxy
from zerojhub.errors import CloudError
from zerojhub.openstack import heat, magnum, neutron, nova, octavia
from zerojhub.openstack.session import Cloud, NoService, Service

CLUSTERS = "/container-infra/v1/clusters"
TEMPLATES = "/container-infra/v1/clustertemplates"
STACKS = f"/orchestration/v1/{PROJECT}/stacks"
BALANCERS = "/load-balancer/v2.0/lbaas/loadbalancers"


@dataclass(frozen=True)
class Write:
    """A write, the path of the look after it, and what is there before, after, and made by somebody else."""

    do: Callable[[Cloud], Awaitable[Any]]
    method: str
    path: str
    answer: Any
    look: str
    before: Answer
    after: Answer
    foreign: Answer | None = None
    snapshot: bool = False
    """It looks before the request, too."""


def keypair(key: str) -> Answer:
    return Answer(200, {"keypair": {"name": "k", "public_key": f"ssh-ed25519 {key} somewhere"}})


def listed(key: str, *items: dict[str, Any]) -> Answer:
    return Answer(200, {key: list(items)})


def address(**changes: Any) -> dict[str, Any]:
    return record(neutron.FloatingIP, id="f1", description="zerojhub:mine", floating_ip_address="1.2.3.4") | changes


def rule(**changes: Any) -> dict[str, Any]:
    made = record(neutron.SecurityGroupRule, id="r1", description="mine", security_group_id="g1")
    return made | {"port_range_min": 80, "port_range_max": 80} | changes


def cluster(**changes: Any) -> dict[str, Any]:
    made = record(magnum.Cluster, uuid="c1", name="k8s", cluster_template_id="t1", labels={"a": "1", "added": "2"})
    return made | {"status": "CREATE_IN_PROGRESS", "node_count": 1} | changes


def template(**changes: Any) -> dict[str, Any]:
    return record(magnum.ClusterTemplate, uuid="t2", name="small", labels={"owner": "me"}) | changes


def stack(ident: str) -> dict[str, Any]:
    return record(heat.Stack, id=ident, stack_name="s", stack_status="CREATE_IN_PROGRESS")


def group(**changes: Any) -> dict[str, Any]:
    return record(magnum.NodeGroup, uuid="g1", name="gpu", role="worker") | changes


def balancer(status: str) -> dict[str, Any]:
    return record(octavia.LoadBalancer, id="l1", name="lb", provisioning_status=status)


IDLE, BUSY = (Answer(200, cluster(status=f"UPDATE_{status}")) for status in ("COMPLETE", "IN_PROGRESS"))
GONE = Answer(404)
CLUSTER: Any = {"name": "k8s", "cluster_template_id": "t1", "labels": {"a": "1"}}
OTHERS = cluster(uuid="c0")

WRITES = {
    "keypair": Write(
        lambda cloud: nova.create_keypair(cloud, "k", "ssh-ed25519 AAAA k"),
        "POST", "/compute/v2.1/os-keypairs", keypair("AAAA").body,
        "/compute/v2.1/os-keypairs/k", GONE, keypair("AAAA"), keypair("BBBB"),
    ),
    "floating IP": Write(
        lambda cloud: neutron.create_floating_ip(cloud, {"id": "n1", "name": "public"}, "zerojhub:mine"),
        "POST", "/network/v2.0/floatingips", {"floatingip": address()},
        "/network/v2.0/floatingips", listed("floatingips"), listed("floatingips", address()),
        listed("floatingips", address(description="zerojhub:theirs"), address(port_id="p1")),
    ),
    "security group rule": Write(
        lambda cloud: neutron.allow_tcp(cloud, "g1", 80, "mine"),
        "POST", "/network/v2.0/security-group-rules", {"security_group_rule": rule()},
        "/network/v2.0/security-group-rules", listed("security_group_rules"), listed("security_group_rules", rule()),
        listed("security_group_rules", rule(port_range_min=443), rule(description="theirs")),
    ),
    "stack": Write(
        lambda cloud: heat.create_stack(cloud, "s", heat.TemplateSource("{}"), {}, {}, 60),
        "POST", STACKS, {"stack": {"id": "s1"}},
        STACKS, listed("stacks"), listed("stacks", stack("s1")), snapshot=True,
    ),
    "cluster": Write(
        lambda cloud: magnum.create_cluster(cloud, CLUSTER),
        "POST", CLUSTERS, {"uuid": "c1"},
        CLUSTERS, listed("clusters", OTHERS), listed("clusters", OTHERS, cluster()),
        listed("clusters", OTHERS, cluster(cluster_template_id="t9"), cluster(labels={"a": "2"})), snapshot=True,
    ),
    "template": Write(
        lambda cloud: magnum.create_template(cloud, {"name": "small", "labels": {"owner": "me"}}),
        "POST", TEMPLATES, template(),
        TEMPLATES, listed("clustertemplates"), listed("clustertemplates", template()),
        listed("clustertemplates", template(labels={"owner": "you"})), snapshot=True,
    ),
    "node group": Write(
        lambda cloud: magnum.create_nodegroup(cloud, "c1", {"name": "gpu", "role": "worker", "node_count": 1, "min_node_count": 0}),
        "POST", f"{CLUSTERS}/c1/nodegroups", group(),
        f"{CLUSTERS}/c1/nodegroups", listed("nodegroups"), listed("nodegroups", group()),
    ),
    "resize": Write(
        lambda cloud: magnum.resize_cluster(cloud, "c1", 2, nodegroup="", remove=[]),
        "POST", f"{CLUSTERS}/c1/actions/resize", {"uuid": "c1"}, f"{CLUSTERS}/c1", IDLE, BUSY, snapshot=True,
    ),
    "upgrade": Write(
        lambda cloud: magnum.upgrade_cluster(cloud, "c1", "t2", batch=1),
        "POST", f"{CLUSTERS}/c1/actions/upgrade", {"uuid": "c1"}, f"{CLUSTERS}/c1", IDLE, BUSY, snapshot=True,
    ),
    "update": Write(
        lambda cloud: magnum.update_cluster(cloud, "c1", [{"op": "remove", "path": "/node_count"}]),
        "PATCH", f"{CLUSTERS}/c1", {"uuid": "c1"}, f"{CLUSTERS}/c1", IDLE, BUSY, snapshot=True,
    ),
    "CA": Write(
        lambda cloud: magnum.rotate_ca(cloud, "c1"),
        "PATCH", "/container-infra/v1/certificates/c1", {}, f"{CLUSTERS}/c1", IDLE, BUSY, snapshot=True,
    ),
    "deletion of a cluster": Write(
        lambda cloud: magnum.delete_cluster(cloud, "c1"),
        "DELETE", f"{CLUSTERS}/c1", None, f"{CLUSTERS}/c1", IDLE, GONE, BUSY,
    ),
    "deletion of a node group": Write(
        lambda cloud: magnum.delete_nodegroup(cloud, "c1", "g1"),
        "DELETE", f"{CLUSTERS}/c1/nodegroups/g1", None, f"{CLUSTERS}/c1/nodegroups/g1",
        Answer(200, group(status="UPDATE_COMPLETE")), Answer(200, group(status="DELETE_IN_PROGRESS")),
    ),
    "deletion of a load balancer": Write(
        lambda cloud: octavia.delete_load_balancer(cloud, "l1"),
        "DELETE", f"{BALANCERS}/l1", None, BALANCERS,
        listed("loadbalancers", balancer("ACTIVE")),
        listed("loadbalancers", balancer("PENDING_DELETE")),
        listed("loadbalancers", balancer("ERROR")),
    ),
}  # fmt: skip


@pytest.fixture
def behind(fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Cloud, Proxy]]:
    """A cloud whose services are behind a proxy that spoils requests."""
    monkeypatch.setattr(magnum, "BEGIN_TIMEOUT", 0.01)
    with proxy(int(fake_cloud.url.rpartition(":")[2])) as made:
        cloud = Cloud("fake")
        for service in [each for each in vars(cloud).values() if isinstance(each, Service)]:
            with suppress(NoService):
                service.endpoint = service.endpoint.replace(fake_cloud.url, made.url)
        yield cloud, made


def prepare(fake: FakeCloud, write: Write, found: Answer) -> str:
    """The write's request, after which a look finds this."""
    fake.answer(f"{write.method} {write.path}", Answer(200, write.answer))
    fake.answer(f"GET {write.look}", *([write.before] if write.snapshot else []), found)
    return f"{write.method} {write.path}"


def test_what_was_done_is_not_done_twice(fake_cloud, behind):
    cloud, made = behind
    for name, write in WRITES.items():
        request = prepare(fake_cloud, write, write.after)
        made.faults[write.method], made.seen[:] = ["reset after"], []
        found = anyio.run(write.do, cloud)
        assert made.seen.count(request) == 1, name
        prepare(fake_cloud, write, write.after)
        assert found == anyio.run(write.do, cloud), f"{name}: the result is another one than without the fault"


def times_sent(fake: FakeCloud, behind: tuple[Cloud, Proxy], write: Write, found: Answer) -> int:
    """How often the request is sent when it does not arrive at first, and a look then finds this."""
    cloud, made = behind
    request = prepare(fake, write, found)
    made.faults[write.method], made.seen[:] = ["reset before"], []
    anyio.run(write.do, cloud)
    return made.seen.count(request)


def test_what_was_not_done_is_done_again(fake_cloud, behind):
    for name, write in WRITES.items():
        assert times_sent(fake_cloud, behind, write, write.before) == 2, name


def test_what_others_made_is_not_taken_for_ours(fake_cloud, behind):
    for name, write in WRITES.items():
        if write.foreign:
            assert times_sent(fake_cloud, behind, write, write.foreign) == 2, name


def test_a_name_that_somebody_else_has_taken_meanwhile(fake_cloud, behind):
    cloud, made = behind
    taken = Answer(409, {"conflictingRequest": {"message": "Key pair 'k' already exists."}})
    fake_cloud.answer("POST /compute/v2.1/os-keypairs", taken)
    fake_cloud.answer("GET /compute/v2.1/os-keypairs/k", keypair("BBBB"))
    made.faults["POST"] = ["reset before"]
    with pytest.raises(CloudError, match="already exists") as refused:
        anyio.run(WRITES["keypair"].do, cloud)
    assert refused.value.status == 409


def test_a_stack_that_was_there_before_is_not_ours(fake_cloud, behind):
    cloud, made = behind
    fake_cloud.answer(f"GET {STACKS}", listed("stacks", stack("s0")))
    fake_cloud.answer(f"POST {STACKS}", Answer(409, {"error": {"message": "The Stack (s) already exists."}}))
    made.faults["POST"] = ["reset before"]
    with pytest.raises(Exception, match="already exists"):
        anyio.run(WRITES["stack"].do, cloud)
