"""Whether the project's quotas have room for what would be created."""

from __future__ import annotations

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer, FakeCloud
from zerojhub.openstack import quota
from zerojhub.openstack.session import Cloud

FLAVORS = [
    {"id": "1", "name": "small", "vcpus": 1, "ram": 1024},
    {"id": "2", "name": "large", "vcpus": 8, "ram": 16384},
]
LIMITS = {
    "maxTotalInstances": 10,
    "totalInstancesUsed": 8,
    "maxTotalCores": 20,
    "totalCoresUsed": 3,
    "maxTotalRAMSize": 32768,
    "totalRAMUsed": 16384,
}


@pytest.fixture
def cloud(fake_cloud: FakeCloud) -> Cloud:
    fake_cloud.answer("GET /compute/v2.1/flavors/detail", Answer(200, {"flavors": FLAVORS}))
    fake_cloud.answer("GET /compute/v2.1/limits", Answer(200, {"limits": {"absolute": LIMITS}}))
    return Cloud("fake")


@pytest.mark.parametrize(
    ("servers", "problems"),
    [
        ({"small": 1, "2": 1}, ["quota: 17408 MB of memory needed, 16384 of 32768 free"]),
        ({"small": 2}, []),
        (
            {"small": 1, "large": 3},
            [
                "quota: 4 instances needed, 2 of 10 free",
                "quota: 25 cores needed, 17 of 20 free",
                "quota: 50176 MB of memory needed, 16384 of 32768 free",
            ],
        ),
    ],
)
def test_servers(cloud, servers, problems):
    assert [str(each) for each in anyio.run(quota.compute_shortages, cloud, servers)] == problems


def test_no_limit_is_no_shortage(fake_cloud, cloud):
    unlimited = {key: value if "Used" in key else -1 for key, value in LIMITS.items()}
    fake_cloud.answer("GET /compute/v2.1/limits", Answer(200, {"limits": {"absolute": unlimited}}))
    assert anyio.run(quota.compute_shortages, cloud, {"large": 100}) == []


def test_more_used_than_the_quota_has(fake_cloud, cloud):
    full = LIMITS | {"totalInstancesUsed": 12}
    fake_cloud.answer("GET /compute/v2.1/limits", Answer(200, {"limits": {"absolute": full}}))
    [problem] = anyio.run(quota.compute_shortages, cloud, {"small": 1})
    assert str(problem) == "quota: 1 instance needed, 0 of 10 free"


@pytest.mark.parametrize(
    ("usage", "problems"),
    [
        ({"limit": 2, "used": 1}, []),
        ({"limit": "2", "used": 2}, ["quota: 1 floating IP needed, 0 of 2 free"]),
        ({"limit": -1, "used": 7}, []),
    ],
)
def test_floating_ips(fake_cloud, cloud, usage, problems):
    path = f"/network/v2.0/quotas/{PROJECT}/details.json"
    fake_cloud.answer(f"GET {path}", Answer(200, {"quota": {"floatingip": usage}}))
    assert [str(each) for each in anyio.run(quota.floating_ip_shortages, cloud, 1)] == problems


def test_a_quota_that_the_project_may_not_see_stops_nothing(fake_cloud, cloud):
    fake_cloud.answer(
        f"GET /network/v2.0/quotas/{PROJECT}/details.json", Answer(403, {"NeutronError": {"message": "no"}})
    )
    assert anyio.run(quota.floating_ip_shortages, cloud, 1) == []
