"""Resizing the masters: what Magnum's drivers can, and the reason where they cannot."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.unit.fakecloud import Answer, FakeCloud, record
from zerojhub.cluster import lifecycle, resize
from zerojhub.deployment import ClusterSpec, Deployment
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.openstack import magnum, nova
from zerojhub.openstack.session import Cloud
from zerojhub.run import Run, Silent

ROOT = "GET /container-infra/v1"
CLUSTER = record(
    magnum.Cluster, uuid="u", name="k8s", cluster_template_id="t", master_count=1, status="CREATE_COMPLETE", labels={}
)
MASTERS = record(
    magnum.NodeGroup, uuid="g", name="default-master", role="master", node_count=1, flavor_id="1", is_default=True
)
FLAVOR = record(nova.Flavor, id="1", name="m1", vcpus=2, ram=2048)
CAPI = "k8s_capi_helm_v1"


@pytest.fixture
def cloud(fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    monkeypatch.setattr(lifecycle, "PAUSE", (0.01, 0.01))
    fake_cloud.answer(f"{ROOT}/clusters", Answer(200, {"clusters": [CLUSTER]}))
    fake_cloud.answer(f"{ROOT}/clusters/u/nodegroups", Answer(200, {"nodegroups": [MASTERS]}))
    fake_cloud.answer(f"{ROOT}/clusters/u/nodegroups/g", Answer(200, MASTERS))
    fake_cloud.answer("GET /compute/v2.1/flavors/detail", Answer(200, {"flavors": [FLAVOR]}))
    limits = {"maxTotalInstances": 6, "totalInstancesUsed": 3}
    fake_cloud.answer("GET /compute/v2.1/limits", Answer(200, {"limits": {"absolute": limits}}))
    fake_cloud.answer("POST /container-infra/v1/clusters/u/actions/resize", Answer(202, {"uuid": "u"}))
    of_driver(fake_cloud, CAPI)
    becomes(fake_cloud, 3)
    return fake_cloud


def of_driver(cloud: FakeCloud, driver: str | None) -> None:
    template = record(magnum.ClusterTemplate, uuid="t", name="k8s", labels={}, driver=driver)
    cloud.answer(f"{ROOT}/clustertemplates", Answer(200, {"clustertemplates": [template]}))


def becomes(cloud: FakeCloud, masters: int) -> None:
    """What the cluster is like before the request and after it."""
    after = CLUSTER | {"master_count": masters, "status": "UPDATE_COMPLETE", "updated_at": "2026-01-01T00:00:00"}
    cloud.answer(f"{ROOT}/clusters/u", Answer(200, CLUSTER), Answer(200, after))


def resized(count: int, *leaving: str, asked: list[str] | None = None) -> Any:
    run = Run(Deployment(name="k8s", cluster=ClusterSpec(template="k8s")), Silent(), Cloud("fake"))

    async def connect() -> Any:
        raise AssertionError("masters are not drained")

    def ask(question: str) -> None:
        (asked if asked is not None else []).append(question)

    return anyio.run(resize.resize, run, connect, count, "default-master", list(leaving), lambda text: None, ask)


def requests(cloud: FakeCloud) -> list[Any]:
    return [each.body for each in cloud.requests if each.method != "GET"]


def test_an_odd_number_of_masters(cloud):
    assert resized(3)["master_count"] == 3
    assert requests(cloud) == [{"node_count": 3, "nodegroup": "g"}]


def test_a_number_that_magnum_has_only_noted_is_waited_for(cloud):
    noted = CLUSTER | {"master_count": 3, "node_count": 4}
    begun = noted | {"status": "UPDATE_IN_PROGRESS", "updated_at": "2026-01-01T00:00:00"}
    steps = [CLUSTER, CLUSTER, noted, begun, begun | {"status": "UPDATE_COMPLETE"}]
    cloud.answer(f"{ROOT}/clusters/u", *(Answer(200, step) for step in steps))
    assert resized(3)["status"] == "UPDATE_COMPLETE"


def test_fewer_masters_are_asked_about(cloud):
    three = Answer(200, MASTERS | {"node_count": 3})
    cloud.answer(f"{ROOT}/clusters/u/nodegroups/g", three)
    becomes(cloud, 1)
    asked: list[str] = []
    assert resized(1, asked=asked)["master_count"] == 1
    assert asked == ["Remove 2 masters of cluster k8s? Its API may fail meanwhile."]


def test_the_number_that_there_is_changes_nothing(cloud):
    assert resized(1)["master_count"] == 1
    assert requests(cloud) == []


@pytest.mark.parametrize(
    ("driver", "count", "leaving", "said"),
    [
        ("k8s_fedora_coreos_v1", 3, [], "Heat drivers fix the number of masters"),
        (CAPI, 2, [], r"must be odd, not 2 \(1 or 3: "),
        (CAPI, 0, [], r"must be odd, not 0"),
        (CAPI, 3, ["node"], "the driver chooses the masters that leave"),
    ],
)
def test_what_cannot_be_is_refused_before_magnum_is_asked(cloud, driver, count, leaving, said):
    of_driver(cloud, driver)
    with pytest.raises(UserError, match=said):
        resized(count, *leaving)
    assert requests(cloud) == []


def test_quotas_are_looked_at_first(cloud):
    with pytest.raises(Problems, match="quota: 4 instances needed, 3 of 6 free"):
        resized(5)
    assert requests(cloud) == []


def test_a_driver_that_refuses_says_why(cloud):
    of_driver(cloud, None)
    detail = "Resizing the master nodegroup is not supported by this driver."
    refusal = Answer(400, {"errors": [{"status": 400, "detail": detail, "title": "no"}]})
    cloud.answer("POST /container-infra/v1/clusters/u/actions/resize", refusal)
    with pytest.raises(UserError, match=r"Magnum does not resize these masters: .*not supported by this driver"):
        resized(3)


def test_a_driver_that_does_nothing_is_a_failure(cloud):
    becomes(cloud, 1)
    with pytest.raises(ZeroJHubError, match="Magnum has finished, but cluster k8s has 1 master"):
        resized(3)
