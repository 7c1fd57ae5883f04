"""Nodes that are not ready, and what a dead one holds on to."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from zerojhub.doctor import fate
from zerojhub.doctor.fate import Fate
from zerojhub.doctor.finding import Finding, Fix
from zerojhub.doctor.subject import Subject
from zerojhub.kube import autoscaler, kinds, nodes
from zerojhub.kube.labels import ENDED
from zerojhub.kube.types import Node, Pod
from zerojhub.text import elapsed, one_line, plural, seconds_between

SHORT_SECONDS = 120
"""For a node not to be ready: it may be starting again."""
JOIN_SECONDS = 900
"""From the creation of a server until it is a node."""


async def not_ready(subject: Subject) -> list[Finding]:
    """Nodes that are not ready. That of a deleted server is deleted; pods of one that is off are declared dead."""
    found, now = [], await subject.kube_time()
    for node in await subject.objects(kinds.NODE):
        seconds = _seconds_not_ready(node, now)
        if nodes.is_ready(node) or seconds < SHORT_SECONDS:
            continue
        name, server_id = node["metadata"]["name"], nodes.server_id(node)
        why = "nobody's server starts there, and what ran there is stuck"
        match await fate.of_node(subject, node):
            case Fate.gone:
                problem = f"its server {server_id} no longer exists"
                do = f"kubectl delete node {name}"
                act = partial(_delete_node, subject, name, server_id)
                fix = None if nodes.is_master(node) else Fix(f"delete node {name}, whose server no longer exists", act)
            case Fate.off:
                problem = f"not ready for {elapsed(seconds)}: its server is off"
                do, fix = subject.openstack(f"server start {server_id}"), None
            case _:
                problem = f"not ready for {elapsed(seconds)}: {_reason(node)}"
                do, fix = subject.openstack(f"server reboot {server_id}"), None
        found.append(Finding("node", name, server_id, problem, why, do, fix))
    return found


async def dead_pods(subject: Subject) -> list[Finding]:
    """Pods that are being deleted on a node whose server is off: no kubelet will ever say that they have ended."""
    off = {
        node["metadata"]["name"]: nodes.server_id(node)
        for node in await subject.objects(kinds.NODE)
        if not nodes.is_ready(node) and await fate.of_node(subject, node) is Fate.off
    }
    found = []
    for pod in await subject.objects(kinds.POD):
        meta, node_name = pod["metadata"], pod["spec"].get("nodeName", "")
        if node_name not in off or "deletionTimestamp" not in meta or pod["status"]["phase"] in ENDED:
            continue
        namespace = meta.get("namespace", "")
        found.append(
            Finding(
                "pod",
                f"{namespace}/{meta['name']}",
                meta["uid"],
                f"it is being deleted on {node_name}, whose server is off",
                "its volume is not released, and its owner cannot start again elsewhere",
                f"kubectl -n {namespace} delete pod {meta['name']} --force --grace-period 0",
                Fix(
                    f"declare pod {meta['name']} dead, on node {node_name}, which is off",
                    partial(_delete_pod, subject, pod, off[node_name]),
                ),
            )
        )
    return found


async def cordoned(subject: Subject) -> list[Finding]:
    """Nodes that take no new pods, although nothing is being done to the cluster: an upgrade or a drain was interrupted."""
    if subject.cluster["status"].endswith("IN_PROGRESS"):
        return []
    return [
        Finding(
            "node",
            name,
            nodes.server_id(node),
            "it is cordoned",
            "no server of a user starts there, although it may have room",
            f"unless somebody works on it: kubectl uncordon {name}",
        )
        for node in await subject.objects(kinds.NODE)
        if node["spec"].get("unschedulable") and (name := node["metadata"]["name"])
    ]


async def missing(subject: Subject) -> list[Finding]:
    """Servers of the cluster that run, but are no nodes of it."""
    joined = {nodes.server_id(each) for each in await subject.objects(kinds.NODE)}
    found = []
    for server in await subject.servers():
        age = seconds_between(server["created"], subject.cloud.compute.clock.now()) if "created" in server else 0
        if server["status"] == "ACTIVE" and server["id"] not in joined and age > JOIN_SECONDS:
            problem = f"it runs since {elapsed(age)}, but is no node of the cluster"
            why = "it did not get what it needs to join: images from a registry, Magnum's answer, the API's address"
            do = subject.openstack(f"console log show {server['id']}")
            found.append(Finding("server", server["name"], server["id"], problem, why, do))
    return found


async def unmapped(subject: Subject) -> list[Finding]:
    """Nodes whose machine ID is not their server's, where an autoscaler goes by it."""
    deployment = await (await subject.kube()).get(kinds.DEPLOYMENT, autoscaler.NAME, autoscaler.NAMESPACE)
    if deployment is None or not autoscaler.goes_by_machine_id(autoscaler.Settings.of(deployment).image):
        return []
    wrong = [
        each for each in await subject.objects(kinds.NODE) if not nodes.is_master(each) and not nodes.matches(each)
    ]
    if not wrong:
        return []
    cluster, names = subject.cluster, ", ".join(each["metadata"]["name"] for each in wrong)
    return [
        Finding(
            "cluster",
            cluster["name"],
            cluster["uuid"],
            f"the machine ID of {plural(len(wrong), 'node')} is not their server's UUID: {names}",
            "the autoscaler cannot remove these nodes",
            subject.zerojhub(f"node fix-machine-id {cluster['uuid']}"),
        )
    ]


def _reason(node: Node) -> str:
    for each in node["status"].get("conditions", []):
        if each["type"] == "Ready":
            return one_line(each.get("message") or each.get("reason") or "no reason given")
    return "it has never been ready"


def _seconds_not_ready(node: Node, now: datetime) -> float:
    for each in node["status"].get("conditions", []):
        if each["type"] == "Ready" and (since := each.get("lastTransitionTime")):
            return seconds_between(since, now)
    return seconds_between(node["metadata"]["creationTimestamp"], now)


async def _delete_node(subject: Subject, name: str, server_id: str) -> None:
    await fate.refuse_running(subject, server_id)
    await (await subject.kube()).delete(kinds.NODE, name)


async def _delete_pod(subject: Subject, pod: Pod, server_id: str) -> None:
    await fate.refuse_running(subject, server_id)
    meta = pod["metadata"]
    await (await subject.kube()).force_delete(meta["name"], meta.get("namespace", ""))
