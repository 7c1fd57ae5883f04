"""Which road leads to a cluster: SSH to the master (Magnum's Heat drivers) or its API alone (Cluster API drivers)."""

from __future__ import annotations

from typing import Literal

from zerojhub.deployment import Deployment

CLUSTER_API_DRIVERS = ("k8s_cluster_api", "k8s_capi", "capi")
"""How the drivers that build with Cluster API name themselves in a template's `driver` (magnum-cluster-api, magnum-capi-helm)."""


def road_of(deployment: Deployment, template: dict) -> Literal["ssh", "api"]:
    """The road the deployment names, or else the one that the template's driver leads to."""
    if deployment.access.road != "auto":
        return deployment.access.road
    return "api" if is_cluster_api(template) else "ssh"


def is_cluster_api(template: dict) -> bool:
    """Does the template's driver build with Cluster API? Nobody logs in to such a cluster's machines."""
    return (template.get("driver") or "").startswith(CLUSTER_API_DRIVERS)
