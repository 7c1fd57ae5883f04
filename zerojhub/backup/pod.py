"""The pods that run restic: one for each owner and action, with the owner's volume mounted.

Used by the command line and, in the cluster, by the cron job. Credentials and the password come from a Secret; what a pod is to
do is in its environment.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zerojhub.kube.labels import USERS_NODES

NAME = "zerojhub-backup"
"""Of the cron job, its account and its ConfigMap."""
STATE = "zerojhub-backup-state"
"""The ConfigMap in which the cron job notes what it did."""
CREDENTIALS = "zerojhub-backup-credentials"
"""The Secret with the environment variables of the store."""
PASSWORD = "zerojhub-backup-password"
"""The Secret with the password and what the hub needs to read its database."""
CONTAINER = "data"
ROLE = "zerojhub.io/backup"
"""The label that tells what a pod is for: `night` or `worker`."""
POD = "zerojhub.io/data"
"""The label with a pod's own name."""
REPOSITORY = "zerojhub.io/backup-of"
"""The annotation with the repository that a pod works on."""
OURS = {"app.kubernetes.io/managed-by": "zerojhub"}
HOME = "/home/jovyan"
"""Where a user's files are in a pod, and in every snapshot."""
LIBRARY = "/opt/zerojhub"
SECRETS = "/etc/zerojhub-backup/secrets"
STATE_FOLDER = "/etc/zerojhub-backup/state"
SCRATCH = "/scratch"
TOOLS = "/tools"
HOURS = 6
"""Hours after which Kubernetes ends a pod."""
GRACE = 20
"""Seconds for restic to remove its lock when its pod is deleted."""

Manifest = dict[str, Any]
Task = Mapping[str, Any]
"""What a pod is to do: the arguments of an action of `worker`, as JSON."""


@dataclass(frozen=True)
class Settings:
    """What the pods of a deployment's backups have in common."""

    namespace: str
    deployment: str
    image: str
    """The hub's image, which has Python."""
    restic: str
    """The image from which restic is taken."""
    to: str
    """Where the repositories are."""
    keep: Mapping[str, int]
    """How many backups are kept: `daily`, `weekly`, `monthly`."""
    memory: str
    """The most that a pod may take, such as `1Gi`."""
    chart: str
    """Name and version of the hub's chart."""
    database: bool
    """The hub's database is on its volume."""


@dataclass(frozen=True)
class Volume:
    """The claim that a pod mounts."""

    claim: str
    path: str
    writable: bool = False


def worker(
    settings: Settings,
    task: Task,
    *,
    volume: Volume | None = None,
    node: str | None = None,
    owner: Mapping[str, str] | None = None,
) -> Manifest:
    """A pod that does the task. `node`: where it has to run. `owner`: the pod with which it is deleted.

    It runs as root: some files may be readable by nobody but their user, and restored files belong to whom they belonged to.
    """
    name = f"{NAME}-{secrets.token_hex(5)}"
    mounts = [
        {"name": "tools", "mountPath": TOOLS},
        {"name": "scratch", "mountPath": SCRATCH},
        {"name": "programs", "mountPath": LIBRARY, "readOnly": True},
        {"name": "secrets", "mountPath": SECRETS, "readOnly": True},
        {"name": "state", "mountPath": STATE_FOLDER, "readOnly": True},
    ]
    volumes: list[Manifest] = [
        {"name": "tools", "emptyDir": {}},
        {"name": "scratch", "emptyDir": {}},
        programs(),
        {"name": "secrets", "secret": {"secretName": PASSWORD, "defaultMode": 0o400}},
        {"name": "state", "configMap": {"name": STATE, "optional": True}},
    ]
    if volume:
        volumes.append({"name": "data", "persistentVolumeClaim": {"claimName": volume.claim}})
        mounts.append({"name": "data", "mountPath": volume.path, "readOnly": not volume.writable})
    secure = {"allowPrivilegeEscalation": False}
    little = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": settings.memory}}
    container = {
        "name": CONTAINER,
        "image": settings.image,
        "command": ["python3", "-m", "zerojhub.backup.worker"],
        "workingDir": "/tmp",
        "env": variables({"TASK": json.dumps(task), "BACKUP_TO": settings.to, "GOMAXPROCS": "2"}),
        "envFrom": [{"secretRef": {"name": CREDENTIALS, "optional": True}}],
        "volumeMounts": mounts,
        "resources": little | {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "securityContext": secure,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    tool = {
        "name": "restic",
        "image": settings.restic,
        "command": ["cp", "/usr/bin/restic", f"{TOOLS}/restic"],
        "volumeMounts": mounts[:1],
        "resources": little,
        "securityContext": secure,
    }
    spec = {
        "initContainers": [tool],
        "containers": [container],
        "volumes": volumes,
        "securityContext": {"runAsUser": 0, "runAsGroup": 0},
        "restartPolicy": "Never",
        "activeDeadlineSeconds": HOURS * 3600,
        "terminationGracePeriodSeconds": GRACE,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "tolerations": USERS_NODES,
        **({"nodeName": node} if node else {}),
    }
    meta: Manifest = {
        "name": name,
        "namespace": settings.namespace,
        "labels": OURS | {ROLE: "worker", POD: name},
        "annotations": {REPOSITORY: str(task.get("name", ""))},
    }
    if owner:
        meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", **owner}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def programs() -> Manifest:
    """The volume with the programs, each at the path from which Python imports it."""
    items = [{"key": key, "path": path} for key, path in PROGRAMS.items()]
    return {"name": "programs", "configMap": {"name": NAME, "items": items}}


PROGRAMS = {
    "database.py": "zerojhub/hub/database.py",
    "names.py": "zerojhub/hub/names.py",
    "labels.py": "zerojhub/kube/labels.py",
    "pod.py": "zerojhub/backup/pod.py",
    "night.py": "zerojhub/backup/night.py",
    "worker.py": "zerojhub/backup/worker.py",
    "settings.json": "settings.json",
}
"""Key of the ConfigMap -> path in its volume."""


def variables(of: Mapping[str, str]) -> list[Manifest]:
    """Environment variables, with those of Python."""
    more = {"PYTHONPATH": LIBRARY, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return [{"name": key, "value": value} for key, value in {**of, **more}.items()]
