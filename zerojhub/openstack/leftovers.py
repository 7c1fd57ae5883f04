"""What a deleted cluster leaves in the project, found by names and marks that only its own resources carry.

Names as cloud-provider-openstack gives them: load balancers `kube_service_CLUSTER_NAMESPACE_SERVICE`, where CLUSTER is the
cluster's UUID or its name, floating IPs described as `… from cluster CLUSTER`; volumes `pvc-…` with the metadata
`cinder.csi.openstack.org/cluster`.
"""

from __future__ import annotations

import time
from typing import Any

import anyio

from zerojhub.errors import CloudError
from zerojhub.openstack import heat, magnum
from zerojhub.openstack.session import Cloud

CLUSTER_METADATA = "cinder.csi.openstack.org/cluster"
CLAIM_METADATA = "csi.storage.k8s.io/pvc/name"
DETACHING = 30
"""Seconds for the volumes of deleted servers to be free."""


async def take_away(cloud: Cloud, cluster: dict, *, volumes_too: bool = False) -> list[dict[str, Any]]:
    """Delete what the (deleted) cluster's Services have left: load balancers and floating IPs. List the volumes that stay.

    Rows are as in `volumes`; with `volumes_too` the volumes go, and the rows are of those that did not.
    """
    marks = await marks_of(cloud, cluster)
    for balancer in await load_balancers(cloud, marks):
        for floating_ip in await cloud.network.all("/floatingips", "floatingips", port_id=balancer["vip_port_id"]):
            await cloud.network.delete(f"/floatingips/{floating_ip['id']}")
        await cloud.load_balancer.delete(f"/lbaas/loadbalancers/{balancer['id']}", cascade="true")
    ends = tuple(f" from cluster {mark}" for mark in marks)
    for floating_ip in await cloud.network.all("/floatingips", "floatingips"):
        if (floating_ip.get("description") or "").endswith(ends):
            await cloud.network.delete(f"/floatingips/{floating_ip['id']}")
    left = await volumes(cloud, cluster)
    return [row for row in left if not await delete_volume(cloud, row["id"])] if volumes_too else left


async def prefixes_of(cloud: Cloud, cluster: dict) -> tuple[str, ...]:
    """How the names begin of what a driver makes for this cluster alone, with twelve or five characters of chance in them."""
    names = [stack["stack_name"] for stack in await heat.stacks_of(cloud, cluster)] or [cluster.get("cluster_id")]
    return tuple(f"{name}-" for name in names if name)


async def take_ports(cloud: Cloud, prefixes: tuple[str, ...]) -> None:
    """Delete the ports of the (deleted) cluster that no server has."""
    for port in await cloud.network.all("/ports", "ports"):
        if port["name"].startswith(prefixes) and not port["device_id"]:
            await cloud.network.delete(f"/ports/{port['id']}")


async def marks_of(cloud: Cloud, cluster: dict) -> list[str]:
    """By what its resources tell whose they are: the UUID, and the name when no other cluster has it."""
    others = [
        each for each in await magnum.named(cloud, "clusters", cluster["name"]) if each["uuid"] != cluster["uuid"]
    ]
    return [cluster["uuid"]] if others else [cluster["uuid"], cluster["name"]]


async def load_balancers(cloud: Cloud, marks: list[str]) -> list[dict]:
    """Load balancers of the cluster's Services; none where the cloud has no Octavia."""
    try:
        balancers = await cloud.load_balancer.all("/lbaas/loadbalancers", "loadbalancers")
    except CloudError:
        return []
    prefixes = tuple(f"kube_service_{mark}_" for mark in marks)
    return [balancer for balancer in balancers if balancer["name"].startswith(prefixes)]


async def volumes(cloud: Cloud, cluster: dict) -> list[dict[str, Any]]:
    """Volumes of the cluster's claims, as rows: id, name, size_gb, owner (the name of its claim)."""
    try:
        listed = await cloud.volume.all("/volumes/detail", "volumes")
    except CloudError:
        return []
    return [
        {"id": each["id"], "name": each["name"], "size_gb": each["size"], "owner": each["metadata"].get(CLAIM_METADATA)}
        for each in listed
        if each["metadata"].get(CLUSTER_METADATA) == cluster["uuid"]
    ]


async def delete_volume(cloud: Cloud, volume_id: str) -> bool:
    """Delete it once it is detached; False when Cinder does not let it go."""
    deadline = time.monotonic() + DETACHING
    while True:
        try:
            await cloud.volume.delete(f"/volumes/{volume_id}")
            return True
        except CloudError as error:
            if error.status not in (400, 409) or time.monotonic() > deadline:
                return False
        await anyio.sleep(2)
