"""Labels and taints of nodes where Magnum or its driver does not set them: set here, and in the cluster on new nodes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zerojhub.cluster import Connect, nodegroups
from zerojhub.errors import ZeroJHubError
from zerojhub.kube import explain, kinds, marker
from zerojhub.kube.client import OURS, KubeError
from zerojhub.kube.kinds import Kind
from zerojhub.kube.marker import Groups, Marks, change, group_of
from zerojhub.kube.reach import Reach
from zerojhub.kube.types import Deployment, Manifest, Node, Object
from zerojhub.openstack.magnum import NodeGroup, NodeGroupChange, NodeGroupName, NodeGroupRequest, Taint
from zerojhub.run import Run
from zerojhub.text import Say
from zerojhub.waiting import NotYet, TimedOut, wait_until

NAME, NAMESPACE = "zerojhub-node-marks", "kube-system"
IMAGE = "docker.io/library/python:3.13-alpine"
START_TIMEOUT = 180
"""Seconds for the program in the cluster to start."""
ATTEMPTS = 5
"""How often a node is changed that others change at the same time."""
RIGHTS = "rbac.authorization.k8s.io/v1"
OBJECTS: tuple[tuple[Kind[Object], str | None], ...] = (
    (Kind(f"{RIGHTS}/ClusterRoleBinding"), None),
    (Kind(f"{RIGHTS}/ClusterRole"), None),
    (Kind("v1/ServiceAccount"), NAMESPACE),
)
"""All that there is besides the Deployment, in the order in which it is deleted."""


async def current(reach: Reach) -> Groups:
    """The groups whose new nodes are marked by the program in the cluster."""
    return _groups(await reach.kube.get(kinds.DEPLOYMENT, NAME, NAMESPACE))


async def ensure(reach: Reach, group: str, wanted: Marks, say: Say, *, populated: bool) -> None:
    """Have the nodes of the group have what is wanted, those that join later too; nothing else of what they had from here.

    Does nothing where the driver has done it. `populated`: the group has nodes; ZeroJHubError if they cannot be told from
    others.
    """
    groups = await current(reach)
    nodes = [node for node in await reach.kube.list(kinds.NODE) if group_of(node) == group]
    if populated and not nodes:
        raise ZeroJHubError(
            f"no node says that it is of group {group}: none has a label {' or '.join(marker.GROUP_LABELS)} with its name",
            hint="set labels and taints by hand: kubectl label node, kubectl taint node",
        )
    by_driver = bool(nodes) and group not in groups and all(change(node, wanted) is None for node in nodes)
    if by_driver or (wanted == marker.NONE and group not in groups):
        return
    changed = {name: marks for name, marks in groups.items() if name != group}
    if wanted != marker.NONE:
        changed[group] = wanted
    await _install(reach, changed, say)
    for node in nodes:
        say(f"setting labels and taints of node {node['metadata']['name']}")
        await _mark(reach, node, wanted)


async def forget(reach: Reach, group: str, say: Say) -> None:
    """Mark no more nodes of the group, which is being deleted."""
    groups = await current(reach)
    if groups.pop(group, None):
        await _install(reach, groups, say)


async def _mark(reach: Reach, node: Node, wanted: Marks) -> None:
    """Change the node, unless the program in the cluster has done so."""
    name, now = node["metadata"]["name"], await reach.kube.get(kinds.NODE, node["metadata"]["name"])
    for attempt in range(1, ATTEMPTS + 1):
        patch = change(now, wanted) if now else None
        if patch is None:
            return
        try:
            await reach.kube.merge(kinds.NODE, name, None, patch)
            return
        except KubeError as error:
            if error.status != 409 or attempt == ATTEMPTS:
                raise
            now = await reach.kube.get(kinds.NODE, name)


async def _install(reach: Reach, groups: Groups, say: Say) -> None:
    """Have the program in the cluster mark the nodes of these groups; without any, delete it."""
    if not groups:
        await reach.kube.delete(kinds.DEPLOYMENT, NAME, NAMESPACE, dependents_first=True, wait=60)
        for kind, namespace in OBJECTS:
            await reach.kube.delete(kind, NAME, namespace)
        return
    for manifest in manifests(groups):
        await reach.kube.apply(manifest)
    await _wait_until_ready(reach, say)


async def _wait_until_ready(reach: Reach, say: Say) -> None:
    async def ready() -> NotYet | None:
        deployment = await reach.kube.get(kinds.DEPLOYMENT, NAME, NAMESPACE)
        if deployment and explain.is_available(deployment):
            return None
        troubles = await explain.why_not_ready(reach.kube, NAMESPACE, f"app={NAME}")
        return NotYet(str(troubles[0]) if troubles else "starting the program that marks new nodes")

    try:
        await wait_until(ready, timeout=START_TIMEOUT, pause=(0.5, 1), say=lambda why: say(why.partition("\n")[0]))
    except TimedOut as late:
        raise ZeroJHubError(f"the program that marks new nodes does not run: {late.reason}") from None


def _groups(deployment: Deployment | None) -> Groups:
    if deployment is None:
        return {}
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    found: Groups = next(json.loads(each["value"]) for each in container["env"] if each["name"] == marker.GROUPS)
    return found


def manifests(groups: Groups) -> list[Manifest]:
    """All of its objects, in the order to apply them."""
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME}
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch", "patch"]}]
    return [
        _object("v1", "ServiceAccount", namespaced=True),
        _object(RIGHTS, "ClusterRole") | {"rules": rules},
        _object(RIGHTS, "ClusterRoleBinding") | {"roleRef": role, "subjects": [subject]},
        _object("apps/v1", "Deployment", namespaced=True) | {"spec": _deployment(groups)},
    ]


def _object(version: str, kind: str, *, namespaced: bool = False) -> Manifest:
    where = {"namespace": NAMESPACE} if namespaced else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": NAME, "labels": OURS | {"app": NAME}, **where}}


def _deployment(groups: Groups) -> dict[str, Any]:
    container = {
        "name": "marker",
        "image": IMAGE,
        "command": ["python3", "-c", Path(marker.__file__).read_text()],
        "env": [{"name": marker.GROUPS, "value": json.dumps(groups, sort_keys=True)}],
        "resources": {"requests": {"cpu": "1m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "runAsUser": 65534, "runAsNonRoot": True},
    }
    labels = {"app": NAME}
    pod = {
        "serviceAccountName": NAME,
        "priorityClassName": "system-cluster-critical",
        "tolerations": [{"operator": "Exists", "effect": effect} for effect in ("NoSchedule", "NoExecute")],
        "containers": [container],
    }
    return {
        "replicas": 1,
        # Two would set what the other removes.
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }


async def create(
    run: Run, connect: Connect, body: NodeGroupRequest, say: Say, *, merge_labels: bool, wait: bool
) -> NodeGroupName:
    """Add a node group whose nodes have labels and taints (see `nodegroups.create`)."""
    cluster = run.deployment.cluster_name
    # Who cannot get in does not get a group with other nodes than asked for.
    reach = await connect()
    created = await nodegroups.create(run.cloud, cluster, body, say, merge_labels=merge_labels, wait=wait)
    wanted = _marks(body.get("node_labels"), body.get("node_taints"))
    await ensure(reach, body["name"], wanted, say, populated=wait and body["node_count"] > 0)
    return created


async def update(run: Run, connect: Connect, wanted: str, change: NodeGroupChange, say: Say) -> NodeGroup:
    """Change a node group and the labels and taints of its nodes (see `nodegroups.update`)."""
    reach = await connect()
    group = await nodegroups.update(run.cloud, run.deployment.cluster_name, wanted, change, say)
    before = (await current(reach)).get(group["name"], marker.NONE)
    labels = change.get("node_labels", group.get("node_labels", before["labels"]))
    taints = change.get("node_taints", group.get("node_taints", before["taints"]))
    marks = _marks(labels, taints)
    await ensure(reach, group["name"], marks, say, populated=group["node_count"] > 0)
    group["node_labels"], group["node_taints"] = labels, taints
    return group


def _marks(labels: dict[str, str] | None, taints: Sequence[Taint] | None) -> Marks:
    return {
        "labels": labels or {},
        "taints": [{"key": each["key"], "value": each["value"], "effect": each["effect"]} for each in taints or []],
    }
