"""Magnum's cluster drivers: an image's os_distro chooses one. They differ in what is seen of a cluster from outside."""

from __future__ import annotations

import secrets
import string

from zerojhub.practice.apis.cloud import Cloud, Record

HEAT = "k8s_fedora_coreos_v1"
CLUSTER_API = "k8s_cluster_api_ubuntu"
"""As magnum-cluster-api: no stack, no way in but the API behind its load balancer, a storage class from the start.

One manner is magnum-capi-helm's, which alone has it: it rotates the cluster's application credential.
"""


def driver_for(image: Record) -> str:
    return CLUSTER_API if image["os_distro"] == "ubuntu" else HEAT


def is_cluster_api(cloud: Cloud, cluster: Record) -> bool:
    return cloud.templates[cluster["cluster_template_id"]]["driver"] == CLUSTER_API


def cluster_api_name() -> str:
    """What such a driver calls a cluster, and Magnum shows as its stack: kube- and five characters of chance."""
    return "kube-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(5))
