"""Whether the project's quotas have room for what would be created."""

from __future__ import annotations

from collections import Counter

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer, FakeCloud
from zerojhub.hub.needs import named_users, of_hub, of_users
from zerojhub.openstack import needs, quota
from zerojhub.openstack.magnum import TemplateFields
from zerojhub.openstack.nova import Flavor
from zerojhub.openstack.session import Cloud
from zerojhub.openstack.zones import Zones

FLAVORS: list[Flavor] = [
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
COMPUTE, NETWORK = "GET /compute/v2.1/limits", f"GET /network/v2.0/quotas/{PROJECT}/details.json"
VOLUMES = f"GET /volume/v3/{PROJECT}/os-quota-sets/{PROJECT}"
BALANCERS, BALANCER_QUOTA = (
    "GET /load-balancer/v2.0/lbaas/loadbalancers",
    f"GET /load-balancer/v2.0/lbaas/quotas/{PROJECT}",
)
CLUSTER_QUOTA, STATS = f"GET /container-infra/v1/quotas/{PROJECT}/Cluster", "GET /container-infra/v1/stats"
TEMPLATE: TemplateFields = {"flavor_id": "large", "master_flavor_id": "small", "labels": {}}


@pytest.fixture
def cloud(fake_cloud: FakeCloud) -> Cloud:
    fake_cloud.answer(COMPUTE, Answer(200, {"limits": {"absolute": LIMITS}}))
    return Cloud("fake")


def lacking(cloud: Cloud, needs: dict[str, int]) -> list[str]:
    return [str(each) for each in anyio.run(quota.lacking, cloud, Counter(needs))]


@pytest.mark.parametrize(
    ("wanted", "problems"),
    [
        (
            {"instances": 2, "cores": 9, "ram": 17408},
            ["quota: 17408 MB of memory needed, 16384 of 32768 free"],
        ),
        ({"instances": 2, "cores": 2, "ram": 2048}, []),
        (
            {"ram": 50176, "cores": 25, "instances": 4},
            [
                "quota: 4 instances needed, 2 of 10 free",
                "quota: 25 cores needed, 17 of 20 free",
                "quota: 50176 MB of memory needed, 16384 of 32768 free",
            ],
        ),
    ],
)
def test_servers(cloud, wanted, problems):
    assert lacking(cloud, wanted) == problems


def test_no_limit_is_no_shortage(fake_cloud, cloud):
    unlimited = {key: value if "Used" in key else -1 for key, value in LIMITS.items()}
    fake_cloud.answer(COMPUTE, Answer(200, {"limits": {"absolute": unlimited}}))
    assert lacking(cloud, {"instances": 100}) == []


def test_more_used_than_the_quota_has(fake_cloud, cloud):
    full = LIMITS | {"totalInstancesUsed": 12}
    fake_cloud.answer(COMPUTE, Answer(200, {"limits": {"absolute": full}}))
    assert lacking(cloud, {"instances": 1}) == ["quota: 1 instance needed, 0 of 10 free"]


@pytest.mark.parametrize(
    ("usage", "problems"),
    [
        ({"limit": 2, "used": 1}, []),
        ({"limit": "2", "used": 2}, ["quota: 1 floating IP needed, 0 of 2 free"]),
        ({"limit": -1, "used": 7}, []),
    ],
)
def test_floating_ips(fake_cloud, cloud, usage, problems):
    fake_cloud.answer(NETWORK, Answer(200, {"quota": {"floatingip": usage}}))
    assert lacking(cloud, {"floating_ips": 1, "ports": 3}) == problems


def test_a_quota_that_the_project_may_not_see_stops_nothing(fake_cloud, cloud):
    fake_cloud.answer(NETWORK, Answer(403, {"NeutronError": {"message": "no"}}))
    assert lacking(cloud, dict.fromkeys(quota.WORDS, 1)) == []  # the other services are not there at all


def test_every_service_is_asked_once_and_only_if_something_of_it_is_needed(fake_cloud, cloud):
    fake_cloud.answer(NETWORK, Answer(200, {"quota": {"security_group": {"limit": 10, "used": 9}}}))
    tight = {"limit": 10, "in_use": 7, "reserved": 2}
    of_type = {"volumes_ssd": tight, "gigabytes_ssd": tight, "volumes": tight, "gigabytes": tight, "groups": tight}
    fake_cloud.answer(VOLUMES, Answer(200, {"quota_set": {"id": PROJECT, **of_type}}))
    balancer = {"id": "b", "name": "", "vip_address": None, "vip_port_id": None, "created_at": "2026-01-01T00:00:00"}
    listed = [balancer | {"operating_status": "ONLINE", "provisioning_status": "ACTIVE"}]
    fake_cloud.answer(BALANCERS, Answer(200, {"loadbalancers": listed}))
    fake_cloud.answer(BALANCER_QUOTA, Answer(200, {"quota": {"load_balancer": 2}}))
    fake_cloud.answer(CLUSTER_QUOTA, Answer(200, {"project_id": PROJECT, "resource": "Cluster", "hard_limit": 3}))
    fake_cloud.answer(STATS, Answer(200, {"clusters": 3, "nodes": 9}))
    wanted = {"clusters": 1, "load_balancers": 2, "security_groups": 2, "volumes/ssd": 1, "gigabytes/ssd": 20}
    assert lacking(cloud, wanted) == [
        "quota: 20 GB of volumes of type ssd needed, 1 of 10 free",
        "quota: 2 security groups needed, 1 of 10 free",
        "quota: 2 load balancers needed, 1 of 2 free",
        "quota: 1 cluster needed, 0 of 3 free",
    ]
    asked = [f"{each.method} {each.path}" for each in fake_cloud.requests]
    assert sorted(asked) == sorted([NETWORK, VOLUMES, BALANCERS, BALANCER_QUOTA, CLUSTER_QUOTA, STATS])


def test_a_cluster_of_the_heat_driver():
    template: TemplateFields = TEMPLATE | {
        "master_lb_enabled": True,
        "floating_ip_enabled": True,
        "docker_volume_size": 5,
        "labels": {"boot_volume_size": "20", "boot_volume_type": "ssd", "etcd_volume_size": "8"},
    }
    assert needs.of_cluster(template, 3, 2, FLAVORS) == {
        "clusters": 1,
        "instances": 5,
        "cores": 3 * 1 + 2 * 8,
        "ram": 3 * 1024 + 2 * 16384,
        "volumes": 5 + 5 + 3,
        "gigabytes": 5 * 20 + 5 * 5 + 3 * 8,
        "volumes/ssd": 5,
        "gigabytes/ssd": 100,
        "networks": 1,
        "subnets": 1,
        "routers": 1,
        "ports": 5 + 1 + 2,
        "security_groups": 2,
        "load_balancers": 2,
        "floating_ips": 5 + 1,
    }


def test_a_cluster_on_a_network_that_is_there():
    template: TemplateFields = TEMPLATE | {"fixed_network": "mine"}
    needed = needs.of_cluster(template, 1, 2, FLAVORS)
    assert needed["ports"] == 3
    assert not needed.keys() & {"networks", "routers", "floating_ips", "load_balancers", "volumes"}


def test_a_cluster_of_cluster_api():
    """Its API has a load balancer with a floating IP, and its nodes have none, and no volumes for images."""
    template: TemplateFields = TEMPLATE | {
        "driver": "k8s_capi_helm_v1",
        "master_lb_enabled": True,
        "floating_ip_enabled": True,
        "docker_volume_size": 5,
    }
    needed = needs.of_cluster(template, 1, 2, FLAVORS)
    assert (needed["load_balancers"], needed["floating_ips"], needed["volumes"]) == (1, 1, 0)


def test_an_unknown_flavor_takes_nothing():
    assert needs.of_nodes({}, "other", 2, FLAVORS) == {"instances": 2, "ports": 2}


VALUES = {
    "hub": {"config": {"Authenticator": {"allowed_users": ["ada", "bob"], "admin_users": ["ada"]}, "X": {"allow": 1}}},
    "singleuser": {"storage": {"type": "dynamic", "capacity": "1500Mi"}},
}


def test_a_hub_and_its_users():
    assert of_hub(VALUES, "LoadBalancer", None, has_volume=False) == {
        "load_balancers": 1,
        "ports": 1,
        "floating_ips": 1,
        "volumes": 1,
        "gigabytes": 1,
    }
    assert of_hub(VALUES, "NodePort", None, has_volume=True) == {}
    assert named_users(VALUES) == {"ada", "bob"}
    assert of_users(VALUES, 2, "ssd") == {"volumes": 2, "gigabytes": 4, "volumes/ssd": 2, "gigabytes/ssd": 4}


@pytest.mark.parametrize(
    ("values", "lacks"),
    [
        ({"hub": {"db": {"type": "postgres"}}}, {"volumes", "gigabytes"}),
        (
            {"proxy": {"service": {"annotations": {"loadbalancer.openstack.org/load-balancer-id": "b"}}}},
            {"load_balancers", "ports", "floating_ips"},
        ),
        ({"proxy": {"service": {"loadBalancerIP": "192.0.2.7"}}}, {"floating_ips"}),
        (
            {
                "proxy": {
                    "service": {"annotations": {"service.beta.kubernetes.io/openstack-internal-load-balancer": "true"}}
                }
            },
            {"floating_ips"},
        ),
    ],
)
def test_a_hub_that_takes_less(values, lacks):
    everything = {"load_balancers", "ports", "floating_ips", "volumes", "gigabytes"}
    assert of_hub(values, "LoadBalancer", None, has_volume=False).keys() == everything - lacks


def test_users_without_volumes():
    assert of_users({"singleuser": {"storage": {"type": "none"}}}, 9, None) == {}


@pytest.mark.parametrize(
    ("servers", "volumes", "wanted", "problems", "warning"),
    [
        ({"a"}, {"a"}, None, 0, None),
        ({"a"}, {"nova"}, None, 0, None),  # the names do not correspond
        ({"a"}, {"nova"}, "a", 0, None),
        ({"a", "b"}, {"a"}, None, 0, "servers in b cannot have volumes, which are in a"),
        ({"a", "b"}, {"a"}, "a", 0, None),
        ({"a", "b"}, {"a"}, "b", 1, None),
        ({"a"}, {"a"}, "c", 2, None),
        (set(), set(), "c", 0, None),  # the project may not see them
    ],
)
def test_zones(servers, volumes, wanted, problems, warning):
    zones = Zones(frozenset(servers), frozenset(volumes))
    assert len(zones.problems(wanted)) == problems
    assert (zones.warning(wanted) or "").startswith(warning or "") and bool(warning) == bool(zones.warning(wanted))
