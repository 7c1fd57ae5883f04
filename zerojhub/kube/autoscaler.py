"""The cluster-autoscaler as objects in kube-system, with the names that Magnum gives its own, so that either is found.

Sources: cluster-autoscaler 1.34 (flags; the Magnum provider and its examples; the status in a ConfigMap), and Magnum's
enable-auto-scaling.sh. Durations are Go's: `10m`, `90s`, `1h30m`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zerojhub.errors import ZeroJHubError
from zerojhub.kube import minor
from zerojhub.kube.client import OURS
from zerojhub.kube.kinds import CONFIG_MAP, DEPLOYMENT, Kind
from zerojhub.kube.kinds import SECRET as SECRET_KIND

if TYPE_CHECKING:
    from zerojhub.kube.types import Deployment, Manifest, Object

NAMESPACE, NAME = "kube-system", "cluster-autoscaler"
ACCOUNT, ROLE, BINDING = "cluster-autoscaler-account", "cluster-autoscaler-role", "cluster-autoscaler-rolebinding"
SECRET, STATUS = "cluster-autoscaler-cloud-config", "cluster-autoscaler-status"
IMAGE = "registry.k8s.io/autoscaling/cluster-autoscaler"
NEWEST = {
    **{19: 3, 20: 3, 21: 3, 22: 3, 23: 1, 24: 3, 25: 3, 26: 8, 27: 8, 28: 7, 29: 5},
    **{30: 7, 31: 5, 32: 7, 33: 6, 34: 5, 35: 2, 36: 1},
}
"""Minor version of Kubernetes -> newest patch version of its autoscaler, as tagged in August 2026."""
CONFIG_KEYS = (
    *(
        "auth-url",
        "user-id",
        "username",
        "password",
        "trust-id",
        "domain-id",
        "domain-name",
        "tenant-id",
        "tenant-name",
    ),
    *("region", "tls-insecure"),
)
"""The keys that the Magnum provider reads from the section Global of the cloud-config. It exits at unknown ones."""
TIMES = {
    "unneeded_time": "scale-down-unneeded-time",
    "delay_after_add": "scale-down-delay-after-add",
    "delay_after_failure": "scale-down-delay-after-failure",
}
"""Settings -> flags of the autoscaler. All are durations."""

RULES = (
    ("", "events,endpoints", "create,patch"),
    ("", "pods/eviction", "create"),
    ("", "pods/status", "update"),
    ("", "nodes", "get,list,watch,update,patch"),
    ("", "namespaces,pods,services,replicationcontrollers", "get,list,watch"),
    ("", "persistentvolumes,persistentvolumeclaims", "get,list,watch"),
    ("apps", "daemonsets,deployments,replicasets,statefulsets", "get,list,watch"),
    ("batch", "jobs,cronjobs", "get,list,watch"),
    ("policy", "poddisruptionbudgets", "list,watch"),
    ("storage.k8s.io", "storageclasses,csinodes,csidrivers,csistoragecapacities,volumeattachments", "get,list,watch"),
    ("resource.k8s.io", "resourceslices,deviceclasses,resourceclaims", "get,list,watch"),
    ("coordination.k8s.io", "leases", "create"),
    ("", "configmaps", "create,list,watch"),
)
"""API group, resources and verbs that it needs (from the provider's example and the Helm chart of 1.34)."""
OWN_RULES = (
    ("coordination.k8s.io", "leases", "get,update,patch,delete", NAME),
    ("", "endpoints", "get,update,patch,delete", NAME),
    ("", "configmaps", "get,update,patch,delete", STATUS),
)
"""The same, for objects with one name."""


@dataclass(frozen=True)
class Settings:
    """The autoscaler's settings. `groups`: node group -> (minimum, maximum) of nodes."""

    groups: dict[str, tuple[int, int]] = field(default_factory=dict)
    unneeded_time: str = "10m"
    delay_after_add: str = "10m"
    delay_after_failure: str = "3m"
    image: str = ""

    @classmethod
    def of(cls, deployment: Deployment) -> Settings:
        """The settings of an existing Deployment, whoever created it."""
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        words = [*container.get("command", []), *container.get("args", [])]
        pairs = [word[2:].partition("=")[::2] for word in words if word.startswith("--")]
        groups = {}
        for key, value in pairs:
            if key == "nodes" and (found := re.fullmatch(r"(\d+):(\d+):(.+)", value)):
                groups[found[3]] = int(found[1]), int(found[2])
        flags = dict(pairs)
        times = {name: flags[flag] for name, flag in TIMES.items() if flag in flags}
        return cls(groups=groups, image=container["image"], **times)


def image_for(version: str) -> str:
    """The image for a cluster of this version (`v1.34.4`): autoscaler and Kubernetes have the same minor version."""
    # Older clusters get the first version that supports node groups.
    wanted = max(minor(version)[1], min(NEWEST))
    return f"{IMAGE}:v1.{wanted}.{NEWEST.get(wanted, 0)}"


def suits(image: str, version: str) -> bool:
    """Whether an image is of the same minor version as the cluster."""
    return _minor_of(image) == minor(version)[1]


def goes_by_machine_id(image: str) -> bool:
    """Whether the autoscaler identifies nodes by their machine-id. From 1.19 on it uses the system UUID."""
    found = _minor_of(image)
    return found is not None and found < 19


def _minor_of(image: str) -> int | None:
    found = re.search(r":v?1\.(\d+)[^:/]*$", image)
    return int(found[1]) if found else None


def cloud_config(settings: dict[str, str], ca: str | None) -> dict[str, str]:
    """The files of the Secret, from the section Global of a cluster's cloud-config and the CA certificates that it names.

    ZeroJHubError for a credential that the Magnum provider does not support: it needs a password, with or without a trust.
    """
    if not settings.get("password"):
        raise ZeroJHubError(
            "the cluster's own credential has no password, which the autoscaler needs to log in to OpenStack",
            hint="see: zerojhub cluster credentials",
        )
    config = {key: settings[key] for key in CONFIG_KEYS if settings.get(key)}
    if ca:
        config["ca-file"] = "/config/ca.crt"
    lines = [f"{key}={_quoted(value)}" for key, value in config.items()]
    return {"cloud-config": "\n".join(["[Global]", *lines, ""])} | ({"ca.crt": ca} if ca else {})


def _quoted(value: str) -> str:
    """A value for gcfg, in which an unquoted `#` or `;` starts a comment."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def manifests(cluster: str, settings: Settings, files: dict[str, str]) -> list[Manifest]:
    """All of its objects, in the order to apply them. `cluster` is Magnum's UUID, `files` the content of the Secret."""
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
    rights = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE}
    return [
        _object("v1", "ServiceAccount", ACCOUNT, namespaced=True),
        _object("rbac.authorization.k8s.io/v1", "ClusterRole", ROLE) | {"rules": _rules()},
        _object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", BINDING)
        | {"roleRef": rights, "subjects": [subject]},
        _object("v1", "Secret", SECRET, namespaced=True) | {"type": "Opaque", "stringData": files},
        _object("apps/v1", "Deployment", NAME, namespaced=True) | {"spec": _deployment(cluster, settings)},
    ]


OBJECTS: tuple[tuple[Kind[Object], str, str | None], ...] = (
    (DEPLOYMENT, NAME, NAMESPACE),
    (SECRET_KIND, SECRET, NAMESPACE),
    (CONFIG_MAP, STATUS, NAMESPACE),
    (Kind("rbac.authorization.k8s.io/v1/ClusterRoleBinding"), BINDING, None),
    (Kind("rbac.authorization.k8s.io/v1/ClusterRole"), ROLE, None),
    (Kind("v1/ServiceAccount"), ACCOUNT, NAMESPACE),
)
"""Kind, name and namespace of all that there is to delete, in that order."""


def _object(version: str, kind: str, name: str, *, namespaced: bool = False) -> Manifest:
    where = {"namespace": NAMESPACE} if namespaced else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": OURS | {"app": NAME}, **where}}


def _rules() -> list[dict[str, list[str]]]:
    rules = [(*rule, None) for rule in RULES] + list(OWN_RULES)
    return [
        {"apiGroups": [group], "resources": resources.split(","), "verbs": verbs.split(",")}
        | ({"resourceNames": [name]} if name else {})
        for group, resources, verbs, name in rules
    ]


def _deployment(cluster: str, settings: Settings) -> dict[str, Any]:
    command = [
        "./cluster-autoscaler",
        "--cloud-provider=magnum",
        f"--cluster-name={cluster}",
        "--cloud-config=/config/cloud-config",
        *(f"--nodes={least}:{most}:{group}" for group, (least, most) in settings.groups.items()),
        *(f"--{flag}={getattr(settings, name)}" for name, flag in TIMES.items()),
    ]
    masters = [
        {"matchExpressions": [{"key": f"node-role.kubernetes.io/{role}", "operator": "Exists"}]}
        for role in ("control-plane", "master")
    ]
    affinity = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": masters}}
    container = {
        "name": NAME,
        "image": settings.image,
        "command": command,
        "resources": {"requests": {"cpu": "50m", "memory": "100Mi"}},
        "volumeMounts": [{"name": "cloud-config", "mountPath": "/config", "readOnly": True}],
    }
    pod = {
        # On a master, it does not keep a worker from being removed.
        "affinity": {"nodeAffinity": affinity},
        "tolerations": [{"operator": "Exists", "effect": effect} for effect in ("NoSchedule", "NoExecute")],
        "securityContext": {"runAsUser": 1001, "runAsNonRoot": True},
        "serviceAccountName": ACCOUNT,
        "priorityClassName": "system-cluster-critical",
        "containers": [container],
        "volumes": [{"name": "cloud-config", "secret": {"secretName": SECRET}}],
    }
    labels = {"app": NAME}
    return {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
