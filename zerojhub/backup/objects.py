"""What the backups of a deployment consist of in Kubernetes: a cron job with its programs, its rights and its secrets."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub.backup import pod
from zerojhub.backup.pod import CREDENTIALS, NAME, OURS, PASSWORD, ROLE, STATE, Settings
from zerojhub.kube.kinds import CONFIG_MAP, SECRET, Kind
from zerojhub.tasks import gather

if TYPE_CHECKING:
    from zerojhub.backup.store import Login
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import CronJob, Manifest, Object, Secret

DIGEST = "zerojhub.io/digest"
"""The annotation with a digest of what an object was created from."""
READY = "zerojhub.io/reached"
"""The annotation of the Secret with the place that its password and credentials have opened; empty until they have."""
ROLE_KIND: Kind[Object] = Kind("rbac.authorization.k8s.io/v1/Role")
BINDING: Kind[Object] = Kind("rbac.authorization.k8s.io/v1/RoleBinding")
ACCOUNT: Kind[Object] = Kind("v1/ServiceAccount")
NIGHT_HOURS = 20
"""Hours after which Kubernetes ends a run of the cron job."""
SOURCES = Path(__file__).parents[1]
"""The package, with the programs."""


def secrets(settings: Settings, login: Login, hub: Mapping[str, str]) -> list[Manifest]:
    """The Secrets with the login and the password. `hub`: what a new hub needs to read a restored database."""
    meta = {"namespace": settings.namespace, "labels": OURS}
    password = {"password": login.password, "hub.json": json.dumps(hub, sort_keys=True)}
    untried = {"annotations": {READY: ""}}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta | more | {"name": name}, "data": _encoded(data)}
        for name, data, more in ((CREDENTIALS, login.variables, {}), (PASSWORD, password, untried))
    ]


def _encoded(data: Mapping[str, str]) -> dict[str, str]:
    return {key: b64encode(value.encode()).decode() for key, value in data.items()}


def rest(settings: Settings, schedule: str, api: str) -> list[Manifest]:
    """All other objects, the cron job last. `api`: the API version of cron jobs."""
    namespace = settings.namespace
    texts = {key: (SOURCES.parent / path).read_text() for key, path in pod.PROGRAMS.items() if path.endswith(".py")}
    texts["settings.json"] = json.dumps(asdict(settings), sort_keys=True)
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "create", "delete"]},
        {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [STATE], "verbs": ["get", "patch"]},
    ]
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME}
    return [
        _digested(each, namespace)
        for each in (
            {"apiVersion": "v1", "kind": "ServiceAccount"},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": rules},
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "subjects": [subject],
                "roleRef": reference,
            },
            {"apiVersion": "v1", "kind": "ConfigMap", "data": texts},
            {"apiVersion": api, "kind": "CronJob", "spec": _cron_job(settings, schedule)},
        )
    ]


def _cron_job(settings: Settings, schedule: str) -> Manifest:
    own = {key: {"fieldRef": {"fieldPath": path}} for key, path in OWN.items()}
    container = {
        "name": "night",
        "image": settings.image,
        "command": ["python3", "-m", "zerojhub.backup.night"],
        "workingDir": "/tmp",
        "env": [*pod.variables({}), *({"name": key, "valueFrom": value} for key, value in own.items())],
        "volumeMounts": [{"name": "programs", "mountPath": pod.LIBRARY, "readOnly": True}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    spec = {
        "serviceAccountName": NAME,
        "containers": [container],
        "volumes": [pod.programs()],
        "restartPolicy": "Never",
        "enableServiceLinks": True,
        "securityContext": {"runAsUser": 1000, "runAsGroup": 1000},
    }
    job = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": NIGHT_HOURS * 3600,
        "template": {"metadata": {"labels": OURS | {ROLE: "night"}}, "spec": spec},
    }
    return {
        "schedule": schedule,
        # A second run would wait for the first one.
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"metadata": {"labels": OURS}, "spec": job},
    }


OWN = {"POD_NAME": "metadata.name", "POD_UID": "metadata.uid"}


def _digested(manifest: Manifest, namespace: str) -> Manifest:
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
    meta = {"name": NAME, "namespace": namespace, "labels": OURS, "annotations": {DIGEST: digest}}
    return manifest | {"metadata": meta}


async def missing(kube: Kube, wanted: list[Manifest]) -> list[Manifest]:
    """Those that are not there, or were made from something else."""

    async def is_missing(each: Manifest) -> bool:
        kind: Kind[Object] = Kind(f"{each['apiVersion']}/{each['kind']}")
        there = await kube.get(kind, NAME, each["metadata"]["namespace"])
        digest = each["metadata"]["annotations"][DIGEST]
        return there is None or there["metadata"].get("annotations", {}).get(DIGEST) != digest

    return list(compress(wanted, await gather(*map(is_missing, wanted))))


async def differing(kube: Kube, wanted: list[Manifest], to: str) -> list[Manifest]:
    """The Secrets with other contents, and the last one also if its login has not opened the place yet."""

    async def is_different(each: Manifest) -> bool:
        there: Secret | None = await kube.get(SECRET, each["metadata"]["name"], each["metadata"]["namespace"])
        if there is None:
            return True
        reached = each is not wanted[-1] or there["metadata"].get("annotations", {}).get(READY) == to
        return there.get("data", {}) != each["data"] or not reached

    return list(compress(wanted, await gather(*map(is_different, wanted))))


async def delete(kube: Kube, namespace: str, cron_jobs: Kind[CronJob]) -> None:
    """Delete everything that was created for the backups, with the pods that run; not the backups."""
    await kube.delete(cron_jobs, NAME, namespace, dependents_first=True, wait=120)
    for kind, name in (
        (SECRET, CREDENTIALS),
        (SECRET, PASSWORD),
        (CONFIG_MAP, NAME),
        (CONFIG_MAP, STATE),
        (BINDING, NAME),
        (ROLE_KIND, NAME),
        (ACCOUNT, NAME),
    ):
        await kube.delete(kind, name, namespace)
