"""What runs for the hubs: pods, claims and Deployments that are not ready, and room for the next user."""

from __future__ import annotations

from collections.abc import Callable

from zerojhub.doctor.finding import Finding
from zerojhub.doctor.subject import Subject
from zerojhub.kube import explain, kinds
from zerojhub.openstack import clusters, needs, quota
from zerojhub.text import one_line, seconds_between

SYSTEM = "kube-system"
"""The namespace of what the cluster itself runs."""
START_SECONDS = 300
"""For a pod to become ready: its image may be large, and its node may have to be created first."""
HOME_GB = 10
"""The size of a user's volume that there has to be room for: the chart's default."""


async def not_ready(subject: Subject) -> list[Finding]:
    """What is wrong with the pods, claims and Deployments of each hub, with the events' and the logs' reasons."""

    def why(kind: str, name: str) -> str:
        return "a user waits for it" if kind == "pod" and name.startswith("jupyter-") else "the hub needs it"

    found = [await _not_ready(subject, namespace, why) for namespace in await subject.namespaces()]
    return [each for listed in found for each in listed]


async def cluster_not_ready(subject: Subject) -> list[Finding]:
    """The same of what the cluster itself runs: for volumes, load balancers, names, the number and the labels of its nodes."""
    return await _not_ready(subject, SYSTEM, lambda kind, name: "the cluster needs it, and so may every hub on it")


async def _not_ready(subject: Subject, namespace: str, why: Callable[[str, str], str]) -> list[Finding]:
    """What is not ready in the namespace, unless it has just been created. `why` it matters, by its kind and name."""
    kube, found = await subject.kube(), []
    ages = {
        f"pod {each['metadata']['name']}": seconds_between(each["metadata"]["creationTimestamp"], kube.clock.now())
        for each in await subject.objects(kinds.POD)
        if each["metadata"].get("namespace") == namespace
    }
    for trouble in await explain.why_not_ready(kube, namespace):
        if not trouble.lasting and ages.get(trouble.subject, START_SECONDS) < START_SECONDS:
            continue
        kind, _, name = trouble.subject.rpartition(" ")
        do = f"kubectl -n {namespace} describe {'pvc' if kind == 'volume claim' else kind} {name}"
        found.append(Finding(kind, f"{namespace}/{name}", None, one_line(trouble.why), why(kind, name), do))
    return found


async def without_room(subject: Subject) -> list[Finding]:
    """Quotas without room for another user's volume, or for a node that the autoscaler or Magnum has to add."""
    cluster, found = subject.cluster, []
    growing = clusters.autoscaled(cluster) or cluster["status"] in ("CREATE_FAILED", "UPDATE_FAILED")
    problems = []
    if growing:
        lacking = await clusters.lacking_for_nodes(subject.cloud, await subject.template(), cluster["flavor_id"], 1)
        problems += [(each, "no node can be added") for each in lacking]
    home = needs.of_volumes(1, HOME_GB)
    why = "nobody who logs in for the first time gets a volume"
    problems += [(each, why) for each in await quota.lacking(subject.cloud, home)]
    show = subject.openstack("quota show --usage")
    for problem, why in problems:
        do = f"delete what nobody uses, or ask your cloud's operators for more: {show}"
        found.append(Finding("quota", subject.cloud.name, None, problem.message.removeprefix("quota: "), why, do))
    return found
