"""What every new cluster contains: addons.yaml and, if the cluster has a cloud provider, OpenStack's controllers."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Iterable
from pathlib import Path

from zerojhub.practice.ground import KubernetesSpec
from zerojhub.practice.machines.kubeapi import KubeAPI, Object
from zerojhub.yamlfile import load_all, plain

PATHS = {
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "CSIDriver": "/apis/storage.k8s.io/v1/csidrivers",
    "ServiceAccount": "/api/v1/namespaces/kube-system/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Secret": "/api/v1/namespaces/kube-system/secrets",
    "ConfigMap": "/api/v1/namespaces/kube-system/configmaps",
    "Deployment": "/apis/apps/v1/namespaces/kube-system/deployments",
    "DaemonSet": "/apis/apps/v1/namespaces/kube-system/daemonsets",
    "Service": "/api/v1/namespaces/kube-system/services",
}


def of(cluster: KubernetesSpec, dns: str, name_server: str) -> list[Object]:
    """Everything that a new cluster contains. `dns` is the address of its DNS service, `name_server` that of the cloud's zones."""
    # The cloud controllers come first, because other pods wait for them.
    return [*of_cloud(cluster), *_read("addons.yaml", dns=dns, name_server=name_server), *cluster.manifests]


def of_cloud(cluster: KubernetesSpec) -> list[Object]:
    """The part of it that uses the cluster's credential."""
    inside = of_cluster_api(cluster) if cluster.cluster_api else []
    return [*inside, *(_openstack(cluster) if cluster.cloud_provider else [])]


def _openstack(cluster: KubernetesSpec) -> list[Object]:
    """The cloud controllers and the CSI driver. They read the cloud-config where the cluster's driver puts it, and the
    checksum restarts them when it changes."""
    if cluster.cluster_api:
        folder, file, source = "/etc/config", "cloud.conf", "secret: {secretName: cloud-config}"
    else:
        folder, file, source = "/etc/kubernetes", "cloud-config", "hostPath: {path: /etc/kubernetes}"
    values = {
        "cluster": cluster.id,
        "folder": folder,
        "config": f"{folder}/{file}",
        "source": source,
        "checksum": hashlib.sha256(cluster.cloud_config.encode()).hexdigest(),
        "elect": "true" if len(cluster.masters) > 1 else "false",
    }
    return [*_read("cloud_controllers.yaml", **values), *_read("cinder_csi.yaml", **values)]


def of_cluster_api(cluster: KubernetesSpec) -> list[Object]:
    """What Cluster API drivers add: a StorageClass, and the cloud-config where magnum-cluster-api puts it."""
    where = {"name": "cloud-config", "namespace": "kube-system"}
    data = {"cloud.conf": cluster.cloud_config, "ca.crt": ""}
    return [
        storage_class(cluster.volume_type),
        {"apiVersion": "v1", "kind": "Secret", "metadata": where, "stringData": data},
    ]


def storage_class(volume_type: str) -> Object:
    """A StorageClass for a volume type. Cluster API drivers create one for each type."""
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
    """Create or change the objects. Raises GroundError if Kubernetes rejects one."""
    for item in objects:
        await api.apply(f"{PATHS[item['kind']]}/{item['metadata']['name']}", item)


def _read(file: str, **values: str) -> list[Object]:
    text = Path(__file__).with_name(file).read_text()
    return [plain(each) for _, each in load_all(string.Template(text).substitute(values).encode(), file)]
