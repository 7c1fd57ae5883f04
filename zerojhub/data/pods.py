"""Pods of ours that mount users' volumes, for as long as a command runs."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import explain
from zerojhub.kube.client import OURS
from zerojhub.kube.kinds import POD
from zerojhub.kube.labels import ENDED, USERS_NODES
from zerojhub.kube.pods import claims_of, containers, last_exit, user_of
from zerojhub.text import one_line
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Manifest, Pod
    from zerojhub.text import Say

CONTAINER = "data"
NAME = "zerojhub.io/data"
"""The label with the pod's own name."""
LONGEST = 24 * 60 * 60
"""Seconds after which Kubernetes ends a pod whose command was killed."""
USERS_GROUP = 100
"""The group of the files on users' volumes (singleuser.fsGid)."""
START_TIMEOUT = 300
"""Seconds for a pod to start: volumes are attached, and the image may have to be pulled."""


async def refuse_if_used(kube: Kube, namespace: str, claims: Collection[str]) -> None:
    """UserError if a pod uses one of the claims: another pod may be on another node, where the volume cannot be."""
    for pod in await kube.list(POD, namespace):
        if pod["status"]["phase"] not in ENDED and set(claims_of(pod)) & set(claims):
            if user := user_of(pod):
                raise UserError(f"the server of {user} runs", hint=f"stop it with: zerojhub hub users stop {user}")
            raise UserError(f"pod {pod['metadata']['name']} uses the volume", hint="wait for it, or delete it")


class PodFailed(ZeroJHubError):
    """A pod's program failed (exit code 1); the message is what it said."""


@asynccontextmanager
async def running(kube: Kube, pod: Manifest, say: Say) -> AsyncIterator[str]:
    """The name of the pod, which runs or has ended; it is deleted afterwards. ZeroJHubError if it does not start."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    try:
        await kube.create(POD, pod)
        await _started(kube, namespace, name, say)
        yield name
    finally:
        with anyio.CancelScope(shield=True):
            await kube.delete(POD, name, namespace)


async def finished(kube: Kube, namespace: str, name: str, doing: str, say: Say) -> str:
    """Wait until the pod has ended, and return what it has left in its termination message. PodFailed if it failed."""

    async def look() -> str | NotYet:
        there = await kube.get(POD, name, namespace)
        if there is None:
            raise ZeroJHubError(f"pod {name} was deleted")
        if there["status"]["phase"] == "Running":
            return NotYet(doing)
        ended = [last_exit(each) for each in containers(there)]
        message = one_line(ended[0].get("message", "")) if ended and ended[0] else ""
        if there["status"]["phase"] != "Succeeded":
            raise PodFailed(message or "the pod was stopped")
        return message

    return await wait_until(look, pause=(0.5, 5), say=say)


def manifest(
    namespace: str,
    image: str,
    command: Sequence[str],
    mounts: Mapping[str, str],
    *,
    writable: Collection[str] = (),
    environment: Mapping[str, str] | None = None,
    node: str | None = None,
    user_id: int = 0,
) -> Manifest:
    """A pod that runs the command. `mounts`: path -> claim; all but the paths in `writable` are read-only.

    `node`: where it has to run. `user_id`: as whom.
    """
    name = f"zerojhub-data-{secrets.token_hex(4)}"
    volumes = {path: f"volume-{number}" for number, path in enumerate(mounts)}
    container = {
        "name": CONTAINER,
        "image": image,
        "command": list(command),
        "env": [{"name": key, "value": value} for key, value in (environment or {}).items()],
        "volumeMounts": [
            {"name": volumes[path], "mountPath": path, "readOnly": path not in writable} for path in mounts
        ],
        "securityContext": {"allowPrivilegeEscalation": False},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    spec = {
        "containers": [container],
        "volumes": [
            {"name": volumes[path], "persistentVolumeClaim": {"claimName": claim}} for path, claim in mounts.items()
        ],
        "securityContext": {"runAsUser": user_id, "runAsGroup": USERS_GROUP if user_id else 0},
        "restartPolicy": "Never",
        "activeDeadlineSeconds": LONGEST,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "tolerations": USERS_NODES,
        **({"nodeName": node} if node else {}),
    }
    meta = {"name": name, "namespace": namespace, "labels": OURS | {NAME: name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def _started(kube: Kube, namespace: str, name: str, say: Say) -> None:
    async def look() -> Pod | NotYet:
        pod = await kube.get(POD, name, namespace)
        if pod is None:
            raise ZeroJHubError(f"pod {name} was deleted")
        if pod["status"]["phase"] != "Pending":
            return pod
        troubles = await explain.why_not_ready(kube, namespace, f"{NAME}={name}")
        why = next((each.why for each in troubles if each.subject == f"pod {name}"), "is starting")
        return NotYet(f"pod {name} {why}")

    try:
        await wait_until(look, timeout=START_TIMEOUT, pause=(0.3, 2), say=say)
    except TimedOut as late:
        raise ZeroJHubError(str(late), hint="zerojhub data list shows where the volume is") from None
