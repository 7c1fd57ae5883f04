"""What the services answer is what the types of their answers say: asked through the program's own functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from tests.contract.clouds import Site
from tests.contract.conftest import Magnum
from zerojhub.openstack import cinder, glance, heat, magnum, neutron, nova, octavia, stacks
from zerojhub.openstack.session import Cloud

Call = tuple[Callable[..., Any], tuple[Any, ...]]


@pytest.fixture
def cloud(site: Site, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(site.clouds))
    return Cloud("practice")


async def answers(cloud: Cloud, uuid: str) -> list[tuple[str, Any]]:
    """Name and answer of each function that reads, in a project with a cluster, a floating IP and a volume."""
    cluster = await magnum.get_cluster(cloud, uuid)
    [template] = await magnum.templates_named(cloud, cluster["cluster_template_id"])
    [stack, *_] = await stacks.of(cloud, cluster)
    [server, *_] = await nova.servers(cloud)
    [network] = await neutron.networks(cloud, external=True)
    [port_id, *_] = await nova.port_ids(cloud, server)
    groups = await magnum.nodegroups(cloud, uuid)
    floating_ip = await neutron.create_floating_ip(cloud, network, "a test's")
    port = await neutron.get_port(cloud, port_id)
    rule = await neutron.allow_tcp(cloud, port["security_groups"][0], 30080, "a test's")
    volume = await cloud.volume.post(
        "/volumes", {"volume": {"size": 1, "name": "data"}}, cinder.Volume, within="volume"
    )
    await cloud.volume.act("/snapshots", {"snapshot": {"volume_id": volume["id"]}})
    subnet = (await neutron.subnets(cloud))[0]["id"]
    await cloud.load_balancer.act("/lbaas/loadbalancers", {"loadbalancer": {"name": "lb", "vip_subnet_id": subnet}})
    calls: list[Call] = [
        (magnum.clusters, ()),
        (magnum.get_cluster, (uuid,)),
        (magnum.templates, ()),
        (magnum.get_template, (template["uuid"],)),
        (magnum.nodegroups, (uuid,)),
        (magnum.show_nodegroup, (uuid, groups[0]["uuid"])),
        (magnum.ca_certificate, (uuid,)),
        (nova.servers, ()),
        (nova.find_server, (server["id"],)),
        (nova.port_ids, (server,)),
        (nova.console_log, (server,)),
        (nova.flavors, ()),
        (nova.keypairs, ()),
        (nova.find_keypair, ("mykey",)),
        (nova.limits, ()),
        (nova.zones, ()),
        (neutron.networks, ()),
        (neutron.subnets, ()),
        (neutron.ports, ()),
        (neutron.floating_ips, ()),
        (neutron.get_floating_ip, (floating_ip["id"],)),
        (neutron.quotas, ()),
        (cinder.volumes, ()),
        (cinder.snapshots, ()),
        (cinder.quotas, ()),
        (cinder.zones, ()),
        (octavia.load_balancers, ()),
        (octavia.quota, ()),
        (glance.images, ()),
        (heat.stacks, ()),
        (heat.get_stack, (stack["id"],)),
        (heat.resources, (stack,)),
        (stacks.resources, (cluster,)),
    ]
    given = [(ask.__name__, await ask(cloud, *words)) for ask, words in calls]
    rules = await neutron.security_group_rules(cloud, description="a test's")
    given.append(("security_group_rules", rules))
    assert [each["id"] for each in rules] == [rule["id"]]
    await neutron.delete_security_group_rule(cloud, rule["id"])
    await neutron.delete_floating_ip(cloud, floating_ip["id"])
    for snapshot in await cinder.snapshots(cloud):
        await cloud.volume.delete(f"/snapshots/{snapshot['id']}")
    await cinder.delete_volume(cloud, volume["id"])
    for balancer in await octavia.load_balancers(cloud):
        await octavia.delete_load_balancer(cloud, balancer["id"])
    return given


def test_answers_are_of_their_types(cloud: Cloud, magnum: Magnum) -> None:
    uuid = magnum.create(node_count=1)
    magnum.settled(uuid)
    for name, answer in anyio.run(answers, cloud, uuid):  # an answer of another type would be an error
        assert answer, f"{name} found nothing"
