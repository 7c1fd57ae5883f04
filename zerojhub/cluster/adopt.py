"""A deployment for an existing cluster, so that commands on a cluster connect in the same way as `up` does."""

from __future__ import annotations

from zerojhub.deployment import ClusterSpec, Deployment
from zerojhub.errors import ZeroJHubError
from zerojhub.openstack import clusters, magnum
from zerojhub.openstack.magnum import Cluster
from zerojhub.openstack.session import Cloud


async def deployment_of(cloud: Cloud, name: str, cloud_name: str | None) -> Deployment:
    """The deployment that created the cluster of this name or UUID, as far as access goes; or one that adopts it.

    UserError when there is no such cluster.
    """
    cluster = await magnum.get_cluster(cloud, name)
    return Deployment(name=clusters.owner_of(cluster), cloud=cloud_name, cluster=_as_it_is(cluster))


async def running(cloud: Cloud, deployment: Deployment) -> Deployment:
    """The deployment with its cluster section as the cluster is, whatever the file says by now.

    ZeroJHubError when there is no cluster.
    """
    name = deployment.cluster_name
    cluster = await magnum.find_cluster(cloud, name)
    if cluster is None:
        raise ZeroJHubError(f"there is no cluster {name}", hint="zerojhub up")
    return deployment.model_copy(update={"cluster": _as_it_is(cluster)})


def _as_it_is(cluster: Cluster) -> ClusterSpec:
    spec = ClusterSpec(
        template=cluster["cluster_template_id"], workers=cluster["node_count"], masters=cluster["master_count"]
    )
    spec.name = cluster["uuid"]  # other clusters may have the same name
    return spec
