"""What a deleted cluster leaves in the project, found by names and marks that only its own resources carry.

Names as cloud-provider-openstack gives them: load balancers `kube_service_CLUSTER_NAMESPACE_SERVICE`, where CLUSTER is the
cluster's UUID or its name; volumes `pvc-…` with the metadata `cinder.csi.openstack.org/cluster`.
"""

from __future__ import annotations

from typing import Any

from zerojhub.errors import CloudError
from zerojhub.openstack.session import Cloud

CLUSTER_METADATA = "cinder.csi.openstack.org/cluster"
CLAIM_METADATA = "csi.storage.k8s.io/pvc/name"


async def take_away(cloud: Cloud, cluster: dict) -> list[dict[str, Any]]:
    """Delete the load balancers of the cluster's Services and their floating IPs; list (and keep) the volumes.

    Rows are as in `volumes`.
    """
    for balancer in await load_balancers(cloud, cluster):
        for floating_ip in await cloud.network.all("/floatingips", "floatingips", port_id=balancer["vip_port_id"]):
            await cloud.network.delete(f"/floatingips/{floating_ip['id']}")
        await cloud.load_balancer.delete(f"/lbaas/loadbalancers/{balancer['id']}", cascade="true")
    return await volumes(cloud, cluster)


async def load_balancers(cloud: Cloud, cluster: dict) -> list[dict]:
    """Load balancers of the cluster's Services; none where the cloud has no Octavia."""
    try:
        balancers = await cloud.load_balancer.all("/lbaas/loadbalancers", "loadbalancers")
    except CloudError:
        return []
    prefixes = tuple(f"kube_service_{each}_" for each in (cluster["uuid"], cluster["name"]))
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
