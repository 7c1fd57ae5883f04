"""The end of a cluster: what it has in the project goes first, while it can still give it back itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.kube import volumes
from zerojhub.openstack import clusters, kubeconfig, leftovers
from zerojhub.tasks import gather

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.openstack.clusters import Say
    from zerojhub.openstack.session import Cloud

PATIENCE = 180
"""Seconds for the cluster to take its load balancers and volumes away."""


async def delete(cloud: Cloud, cluster: dict, say: Say, *, data: bool) -> list[dict[str, Any]]:
    """Delete the cluster and what is its own in the project. Rows of the volumes that stay (`leftovers.take_away`).

    `data`: delete the volumes of its claims too.
    """
    await give_back(cloud, cluster, say, data=data)
    prefixes = await leftovers.prefixes_of(cloud, cluster)
    await clusters.delete(cloud, cluster, say)
    say("looking for what it left")
    await leftovers.take_ports(cloud, prefixes)
    return await leftovers.take_away(cloud, cluster, volumes_too=data)


async def give_back(cloud: Cloud, cluster: dict, say: Say, *, data: bool) -> None:
    """Have the cluster delete its Services' load balancers and, with `data`, its claims. Quiet when its API does not answer.

    A load balancer on the cluster's network keeps Magnum from deleting that (cloud-provider-openstack issue 432).
    """
    if not cluster.get("api_address"):
        return
    say("giving back load balancers" + (" and volumes" if data else ""))
    try:
        with anyio.move_on_after(PATIENCE):
            async with kubeconfig.connected(cloud, cluster) as kube:
                await gather(_services(kube), *([_claims(kube, say)] if data else []))
    except ZeroJHubError:
        return  # what is left is looked for afterwards


async def _services(kube: Kube) -> None:
    balanced = [each for each in await kube.list("v1/Service") if each["spec"].get("type") == "LoadBalancer"]
    where = [(each["metadata"]["name"], each["metadata"]["namespace"]) for each in balanced]
    await gather(*(kube.delete("v1/Service", name, namespace, wait=PATIENCE) for name, namespace in where))


async def _claims(kube: Kube, say: Say) -> None:
    namespaces = {each["metadata"]["namespace"] for each in await kube.list("v1/PersistentVolumeClaim")}
    for namespace in namespaces:
        await volumes.delete_all(kube, namespace)
        # A claim stays until no pod has it, and a pod that comes in its place cannot have it any more.
        for pod in await kube.list("v1/Pod", namespace):
            if any("persistentVolumeClaim" in volume for volume in pod["spec"].get("volumes") or []):
                await kube.delete("v1/Pod", pod["metadata"]["name"], namespace)
        await volumes.wait_for_deletion(kube, namespace, say)
