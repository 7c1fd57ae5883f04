"""A deployment for a cluster that is there, so that commands on a cluster go the same way in as `up` does."""

from __future__ import annotations

from zerojhub.deployment import ClusterSpec, Deployment
from zerojhub.openstack import magnum
from zerojhub.openstack.session import Cloud
from zerojhub.stages.cluster import OWNER_LABEL


async def deployment_of(cloud: Cloud, name: str, cloud_name: str | None) -> Deployment:
    """The deployment that made the cluster of this name or UUID, as far as access goes; or one that adopts it."""
    cluster = await magnum.get_one(cloud, "clusters", name)
    owner = cluster["labels"].get(OWNER_LABEL) or cluster["name"]
    spec = ClusterSpec(name=cluster["name"], template=cluster["cluster_template_id"], workers=cluster["node_count"])
    deployment = Deployment(name=owner, cloud=cloud_name, cluster=spec)
    deployment.cluster.name = cluster["uuid"]
    return deployment
