"""What a deleted cluster leaves in the project, found by names and tags that only its own resources have.

Names as cloud-provider-openstack gives them: load balancers `kube_service_CLUSTER_NAMESPACE_SERVICE`, where CLUSTER is the
cluster's UUID or its name, floating IPs described as `Floating IP for Kubernetes … from cluster CLUSTER`; volumes `pvc-…`
with the metadata `cinder.csi.openstack.org/cluster`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zerojhub.errors import CloudError
from zerojhub.openstack import cinder, magnum, neutron, octavia, stacks
from zerojhub.openstack.session import Cloud, if_allowed
from zerojhub.waiting import NotYet, TimedOut, wait_until

CLUSTER_METADATA = "cinder.csi.openstack.org/cluster"
CLAIM_METADATA = "csi.storage.k8s.io/pvc/name"
NAMESPACE_METADATA = "csi.storage.k8s.io/pvc/namespace"
KEEP = {"janitor.capi.azimuth-cloud.com/keep": "true"}
"""Metadata without which the janitor of capi-helm-charts deletes the volumes of a deleted cluster's claims."""
FOR_KUBERNETES = "Floating IP for Kubernetes"
"""What cloud controllers begin the description of a floating IP with."""
DETACH_TIMEOUT = 30
"""Seconds for the volumes of deleted servers to be detached."""


@dataclass(frozen=True)
class KeptVolume:
    """A volume that outlives its cluster; `owner` is the user, or else the claim, that it belongs to."""

    id: str
    name: str
    size_gb: int
    owner: str | None


async def delete_rest(cloud: Cloud, cluster: magnum.Cluster, *, volumes_too: bool = False) -> list[KeptVolume]:
    """Delete the load balancers and floating IPs that the (deleted) cluster's Services left.

    Returns the volumes of its claims, which are kept; with `volumes_too` they are deleted, and those that could not be
    are returned.
    """
    owners = await owner_names(cloud, cluster)
    for balancer in await load_balancers(cloud, owners):
        port = balancer["vip_port_id"]
        for floating_ip in await neutron.floating_ips(cloud, port_id=port) if port else []:
            await release(cloud, floating_ip)
        await octavia.delete_load_balancer(cloud, balancer["id"])
    ends = tuple(f" from cluster {owner}" for owner in owners)
    for floating_ip in await neutron.floating_ips(cloud):
        if is_of_service(floating_ip) and (floating_ip.get("description") or "").endswith(ends):
            await neutron.delete_floating_ip(cloud, floating_ip["id"])
    left = [as_kept(each) for each in await volumes(cloud, cluster)]
    return [volume for volume in left if not await delete_volume(cloud, volume.id)] if volumes_too else left


def is_of_service(floating_ip: neutron.FloatingIP) -> bool:
    """Did a cloud controller allocate it for a Service? Magnum goes by the same description (magnum/common/neutron.py)."""
    return (floating_ip.get("description") or "").startswith(f"{FOR_KUBERNETES} ")


async def release(cloud: Cloud, floating_ip: neutron.FloatingIP) -> None:
    """Delete the floating IP of a load balancer if a cloud controller allocated it; else detach it: somebody keeps it."""
    if is_of_service(floating_ip):
        await neutron.delete_floating_ip(cloud, floating_ip["id"])
    else:
        await neutron.detach_floating_ip(cloud, floating_ip["id"])


async def prefixes_of(cloud: Cloud, cluster: magnum.Cluster) -> tuple[str, ...]:
    """What names of a driver's resources for this cluster alone begin with; random characters in them make them unique."""
    names = [stack["stack_name"] for stack in await stacks.of(cloud, cluster)]
    if not names and (own := cluster.get("cluster_id")):
        names = [own]
    return tuple(f"{name}-" for name in names)


async def delete_ports(cloud: Cloud, prefixes: tuple[str, ...]) -> None:
    """Delete the unused ports of the (deleted) cluster."""
    for port in await neutron.ports(cloud):
        if port["name"].startswith(prefixes) and not port["device_id"]:
            await neutron.delete_port(cloud, port["id"])


async def owner_names(cloud: Cloud, cluster: magnum.Cluster) -> list[str]:
    """What the names of its resources call the cluster: its UUID, and its name when no other cluster has it."""
    named = await magnum.clusters_named(cloud, cluster["name"])
    shared = any(each["uuid"] != cluster["uuid"] for each in named)
    return [cluster["uuid"]] if shared else [cluster["uuid"], cluster["name"]]


async def load_balancers(cloud: Cloud, owners: Sequence[str]) -> list[octavia.LoadBalancer]:
    """Load balancers of the Services of the cluster with these `owner_names`; none where the cloud has no Octavia."""
    balancers: list[octavia.LoadBalancer] = []
    with if_allowed():
        balancers = await octavia.load_balancers(cloud)
    prefixes = tuple(f"kube_service_{owner}_" for owner in owners)
    return [balancer for balancer in balancers if (balancer["name"] or "").startswith(prefixes)]


async def volumes(cloud: Cloud, cluster: magnum.Cluster) -> list[cinder.Volume]:
    """Volumes of the cluster's claims; none where the cloud has no Cinder."""
    listed: list[cinder.Volume] = []
    with if_allowed():
        listed = await cinder.volumes(cloud)
    tags = volume_tags(cluster)
    return [each for each in listed if each["metadata"].get(CLUSTER_METADATA) in tags]


def volume_tags(cluster: magnum.Cluster) -> set[str]:
    """What drivers call the cluster in the metadata of its volumes: its UUID, or its name in Cluster API."""
    return {cluster["uuid"], *filter(None, (cluster.get("stack_id"), cluster.get("cluster_id")))}


def as_kept(volume: cinder.Volume) -> KeptVolume:
    """The volume, for reports."""
    return KeptVolume(volume["id"], volume["name"] or "", volume["size"], volume["metadata"].get(CLAIM_METADATA))


async def protect(cloud: Cloud, cluster: magnum.Cluster) -> None:
    """Have no janitor delete the volumes of the cluster's claims when the cluster is deleted."""
    for volume in await volumes(cloud, cluster):
        if not KEEP.items() <= volume["metadata"].items():
            await cinder.set_metadata(cloud, volume["id"], KEEP)


async def delete_volume(cloud: Cloud, volume_id: str) -> bool:
    """Delete it once it is detached; False when Cinder refuses."""

    async def look() -> bool | NotYet:
        try:
            await cinder.delete_volume(cloud, volume_id)
        except CloudError as error:
            return NotYet() if error.status in (400, 409) else False
        return True

    try:
        return await wait_until(look, timeout=DETACH_TIMEOUT, pause=(2, 2))
    except TimedOut:
        return False
