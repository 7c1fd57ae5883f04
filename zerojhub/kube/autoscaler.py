"""The cluster-autoscaler as objects in kube-system, under the names that Magnum gives its own, so that either is found.

Sources: cluster-autoscaler 1.34 (flags; the Magnum provider and its examples; the status in a ConfigMap), and Magnum's
enable-auto-scaling.sh. Durations are Go's: `10m`, `90s`, `1h30m`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from zerojhub.errors import ZeroJHubError
from zerojhub.kube import minor
from zerojhub.kube.client import OURS

NAMESPACE, NAME = "kube-system", "cluster-autoscaler"
ACCOUNT, ROLE, BINDING = "cluster-autoscaler-account", "cluster-autoscaler-role", "cluster-autoscaler-rolebinding"
SECRET, STATUS = "cluster-autoscaler-cloud-config", "cluster-autoscaler-status"
IMAGE = "registry.k8s.io/autoscaling/cluster-autoscaler"
NEWEST = {
    **{19: 3, 20: 3, 21: 3, 22: 3, 23: 1, 24: 3, 25: 3, 26: 8, 27: 8, 28: 7, 29: 5},
    **{30: 7, 31: 5, 32: 7, 33: 6, 34: 5, 35: 2, 36: 1},
}
"""Minor version of Kubernetes -> newest patch of the autoscaler for it, as tagged in August 2026."""
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
"""What the Magnum provider reads in the cloud-config's section Global. It stops at keys that it does not know."""
TIMES = {
    "unneeded_time": "scale-down-unneeded-time",
    "delay_after_add": "scale-down-delay-after-add",
    "delay_after_failure": "scale-down-delay-after-failure",
}
"""Settings -> flags of the autoscaler."""

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
"""API group, resources and verbs that it needs (the provider's example, and the Helm chart of 1.34)."""
OWN_RULES = (
    ("coordination.k8s.io", "leases", "get,update,patch,delete", NAME),
    ("", "endpoints", "get,update,patch,delete", NAME),
    ("", "configmaps", "get,update,patch,delete", STATUS),
)
"""The same for objects of one name."""


@dataclass(frozen=True)
class Settings:
    """What the autoscaler is told. `groups`: node group -> (fewest, most) nodes."""

    groups: dict[str, tuple[int, int]] = field(default_factory=dict)
    unneeded_time: str = "10m"
    delay_after_add: str = "10m"
    delay_after_failure: str = "3m"
    image: str = ""

    @classmethod
    def of(cls, deployment: dict) -> Settings:
        """As a Deployment that is there has them, whoever made it."""
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        words = [*container.get("command", []), *container.get("args", [])]
        pairs = [word[2:].partition("=")[::2] for word in words if word.startswith("--")]
        groups = {}
        for key, value in pairs:
            if key == "nodes" and (found := re.fullmatch(r"(\d+):(\d+):(.+)", value)):
                groups[found[3]] = int(found[1]), int(found[2])
        told = dict(pairs)
        times = {name: told[flag] for name, flag in TIMES.items() if flag in told}
        return cls(groups=groups, image=container["image"], **times)


def image_for(version: str) -> str:
    """The image for a cluster of this version (`v1.34.4`): autoscaler and Kubernetes go by the same minor version."""
    # Older clusters than that get the first one that knows node groups.
    wanted = max(minor(version)[1], min(NEWEST))
    return f"{IMAGE}:v1.{wanted}.{NEWEST.get(wanted, 0)}"


def suits(image: str, version: str) -> bool:
    """Is an image that somebody chose of the cluster's minor version?"""
    return _minor_of(image) == minor(version)[1]


def goes_by_machine_id(image: str) -> bool:
    """Does the autoscaler know a node that is to go by its machine-id? From 1.19 on it is the system UUID."""
    found = _minor_of(image)
    return found is not None and found < 19


def _minor_of(image: str) -> int | None:
    found = re.search(r":v?1\.(\d+)[^:/]*$", image)
    return int(found[1]) if found else None


def cloud_config(settings: dict[str, str], ca: str | None) -> dict[str, str]:
    """The Secret's files, from the section Global of a cluster's cloud-config, and the certificates that it names.

    ZeroJHubError for a credential that the Magnum provider cannot log in with: it knows passwords, with a trust or without.
    """
    if not settings.get("password"):
        raise ZeroJHubError(
            "the cluster's own credential has no password, and the autoscaler for Magnum knows no other way to log in",
            hint="see: zerojhub cluster credentials",
        )
    told = {key: settings[key] for key in CONFIG_KEYS if settings.get(key)} | (
        {"ca-file": "/config/ca.crt"} if ca else {}
    )
    lines = [f"{key}={_quoted(value)}" for key, value in told.items()]
    return {"cloud-config": "\n".join(["[Global]", *lines, ""])} | ({"ca.crt": ca} if ca else {})


def _quoted(value: str) -> str:
    """A value as gcfg reads it: bare, `#` and `;` would begin a comment."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def manifests(cluster: str, settings: Settings, files: dict[str, str]) -> list[dict]:
    """Everything that it needs, in the order to apply it. `cluster` is Magnum's UUID, `files` the Secret's."""
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


OBJECTS = (
    ("apps/v1/Deployment", NAME, NAMESPACE),
    ("v1/Secret", SECRET, NAMESPACE),
    ("v1/ConfigMap", STATUS, NAMESPACE),
    ("rbac.authorization.k8s.io/v1/ClusterRoleBinding", BINDING, None),
    ("rbac.authorization.k8s.io/v1/ClusterRole", ROLE, None),
    ("v1/ServiceAccount", ACCOUNT, NAMESPACE),
)
"""Kind, name and namespace of what there is to delete, in that order."""


def _object(version: str, kind: str, name: str, *, namespaced: bool = False) -> dict:
    where = {"namespace": NAMESPACE} if namespaced else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": OURS | {"app": NAME}, **where}}


def _rules() -> list[dict]:
    rules = [(*rule, None) for rule in RULES] + list(OWN_RULES)
    return [
        {"apiGroups": [group], "resources": resources.split(","), "verbs": verbs.split(",")}
        | ({"resourceNames": [name]} if name else {})
        for group, resources, verbs, name in rules
    ]


def _deployment(cluster: str, settings: Settings) -> dict:
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
        # On a master, it keeps no worker from going.
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
