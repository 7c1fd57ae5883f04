"""Which road leads to a cluster: SSH to the master (Magnum's Heat drivers) or its API alone (Cluster API drivers)."""

from __future__ import annotations

from typing import Literal

from zerojhub.deployment import Deployment
from zerojhub.openstack.magnum import TemplateFields

CLUSTER_API_DRIVERS = ("k8s_cluster_api", "k8s_capi", "capi")
"""What a template's `driver` begins with for drivers that build with Cluster API (magnum-cluster-api, magnum-capi-helm)."""


def road_of(deployment: Deployment, template: TemplateFields) -> Literal["ssh", "api"]:
    """The road that the deployment sets, or else the one that suits the template's driver."""
    if deployment.access.road != "auto":
        return deployment.access.road
    return "api" if is_cluster_api(template) else "ssh"


def is_cluster_api(template: TemplateFields) -> bool:
    """Does the template's driver build with Cluster API? Nobody logs in to the machines of such a cluster."""
    return (template.get("driver") or "").startswith(CLUSTER_API_DRIVERS)
