"""Apply what every cluster has in it from the start (addons.yaml)."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml import YAML

from zerojhub.practice.ground import ClusterSpec
from zerojhub.practice.machines.kubeapi import KubeAPI, Object

PATHS = {
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "CSIDriver": "/apis/storage.k8s.io/v1/csidrivers",
    "ServiceAccount": "/api/v1/namespaces/kube-system/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Secret": "/api/v1/namespaces/kube-system/secrets",
    "ConfigMap": "/api/v1/namespaces/kube-system/configmaps",
    "Deployment": "/apis/apps/v1/namespaces/kube-system/deployments",
    "Service": "/api/v1/namespaces/kube-system/services",
}


def read(dns: str) -> list[Object]:
    """What is in addons.yaml; `dns` is the address of the cluster's name service."""
    text = Path(__file__).with_name("addons.yaml").read_text()
    return list(YAML(typ="safe").load_all(string.Template(text).substitute(dns=dns)))


def of(cluster: ClusterSpec, dns: str) -> list[Object]:
    """All that the cluster has in it from the start."""
    return [*read(dns), *cluster.manifests, *(of_cluster_api(cluster) if cluster.cluster_api else [])]


def of_cluster_api(cluster: ClusterSpec) -> list[Object]:
    """What Cluster API drivers add: a StorageClass, and the cloud-config where magnum-cluster-api leaves it."""
    where = {"name": "cloud-config", "namespace": "kube-system"}
    data = {"cloud.conf": cluster.cloud_config, "ca.crt": ""}
    return [
        storage_class(cluster.volume_type),
        {"apiVersion": "v1", "kind": "Secret", "metadata": where, "stringData": data},
    ]


def storage_class(volume_type: str) -> Object:
    """For the volumes of a type, as Cluster API drivers have one for each type."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "block-" + re.sub("[^a-z0-9]+", "-", volume_type.lower()).strip("-"),
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "cinder.csi.openstack.org",
        "parameters": {"type": volume_type},
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": True,
    }


async def apply(api: KubeAPI, objects: Iterable[Object]) -> None:
    """Raises GroundError when Kubernetes refuses one of them."""
    for item in objects:
        await api.apply(f"{PATHS[item['kind']]}/{item['metadata']['name']}", item)
