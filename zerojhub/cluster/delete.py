"""Deleting a cluster: first what it has in the project, while it can still remove that itself."""

from __future__ import annotations

import anyio

from zerojhub.cluster import expose, lifecycle
from zerojhub.cluster.usable import connected
from zerojhub.errors import ZeroJHubError
from zerojhub.kube import kinds, volumes
from zerojhub.kube.client import Kube
from zerojhub.kube.pods import claims_of
from zerojhub.openstack import heat, leftovers, magnum
from zerojhub.openstack.heat import StackName
from zerojhub.openstack.leftovers import KeptVolume
from zerojhub.openstack.magnum import Cluster
from zerojhub.openstack.session import Cloud
from zerojhub.tasks import gather
from zerojhub.text import Say

RELEASE_TIMEOUT = 180
"""Seconds for the cluster to remove its load balancers and volumes."""


async def delete(cloud: Cloud, cluster: Cluster, say: Say, *, data: bool, wait: bool = True) -> list[KeptVolume]:
    """Delete the cluster, what it created in the project, and its floating IP if `expose` allocated it.

    Returns the volumes that are left.

    `data`: also delete the volumes of its claims. Without `wait`, only request the deletion of the cluster.
    """
    await expose.release(cloud, cluster["uuid"])
    if not data:
        await leftovers.protect(cloud, cluster)
    if not wait:
        await magnum.delete_cluster(cloud, cluster["uuid"])
        return []
    await release(cloud, cluster, say, data=data)
    prefixes = await leftovers.prefixes_of(cloud, cluster)
    await lifecycle.delete(cloud, cluster, say)
    say("looking for what the cluster left")
    await leftovers.delete_ports(cloud, prefixes)
    return await leftovers.delete_rest(cloud, cluster, volumes_too=data)


async def delete_stack(cloud: Cloud, stack: StackName, say: Say) -> None:
    """Delete the stack, and the floating IPs that `expose` allocated for its clusters. ZeroJHubError when that fails."""
    for resource in await heat.resources(cloud, stack, resource_type="OS::Magnum::Cluster"):
        await expose.release(cloud, resource["physical_resource_id"])
    await heat.delete_stack(cloud, stack, say)


async def release(cloud: Cloud, cluster: Cluster, say: Say, *, data: bool) -> None:
    """Have the cluster delete its Services' load balancers and, with `data`, its claims. Quiet when its API is down.

    Magnum cannot delete a network that still has a load balancer (kubernetes/cloud-provider-openstack issue 432).
    """
    if not cluster.get("api_address"):
        return
    say("deleting load balancers" + (" and volumes" if data else ""))
    try:
        with anyio.move_on_after(RELEASE_TIMEOUT):
            async with connected(cloud, cluster) as kube:
                await gather(_delete_services(kube), *([_delete_claims(kube, say)] if data else []))
    except ZeroJHubError:
        return  # whatever is left is looked for afterwards


async def _delete_services(kube: Kube) -> None:
    balanced = [each for each in await kube.list(kinds.SERVICE) if each["spec"].get("type") == "LoadBalancer"]
    where = [(each["metadata"]["name"], each["metadata"].get("namespace")) for each in balanced]
    await gather(*(kube.delete(kinds.SERVICE, name, space, wait=RELEASE_TIMEOUT) for name, space in where))


async def _delete_claims(kube: Kube, say: Say) -> None:
    claims = await kube.list(kinds.PERSISTENT_VOLUME_CLAIM)
    for namespace in {each["metadata"].get("namespace", "") for each in claims}:
        await volumes.delete_all(kube, namespace)
        # A claim stays until no pod uses it, and a pod created in place of another cannot use it any more.
        for pod in await kube.list(kinds.POD, namespace):
            if claims_of(pod):
                await kube.delete(kinds.POD, pod["metadata"]["name"], namespace)
        await volumes.wait_for_deletion(kube, namespace, say)
