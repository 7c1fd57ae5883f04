"""Apply what every cluster has in it from the start (addons.yaml)."""

from __future__ import annotations

import string
from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml import YAML

from zerojhub.practice.machines.kubeapi import KubeAPI, Object

STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "block-standard",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "cinder.csi.openstack.org",
    "parameters": {"type": "standard"},
    "volumeBindingMode": "Immediate",
    "allowVolumeExpansion": True,
}
"""One for the volume type, as Cluster API drivers have one for each."""
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
    """The objects; `dns` is the address of the cluster's name service."""
    text = Path(__file__).with_name("addons.yaml").read_text()
    return list(YAML(typ="safe").load_all(string.Template(text).substitute(dns=dns)))


async def apply(api: KubeAPI, dns: str, more: Iterable[Object], *, storage_class: bool) -> None:
    """These, and `more`. Raises GroundError when Kubernetes refuses one of them."""
    for item in [*read(dns), *([STORAGE_CLASS] if storage_class else []), *more]:
        await api.apply(f"{PATHS[item['kind']]}/{item['metadata']['name']}", item)


async def apply_cloud_config(api: KubeAPI, cloud_config: str) -> None:
    """The cloud-config where magnum-cluster-api leaves it for what runs in the cluster."""
    where = {"name": "cloud-config", "namespace": "kube-system"}
    data = {"cloud.conf": cloud_config, "ca.crt": ""}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": where, "stringData": data}
    await api.apply("/api/v1/namespaces/kube-system/secrets/cloud-config", secret)
