"""Clusters that failed, and those that have been in progress for too long."""

from __future__ import annotations

from zerojhub.cluster import creation, lifecycle
from zerojhub.cluster.usable import verdict
from zerojhub.doctor.finding import Finding
from zerojhub.doctor.subject import Subject
from zerojhub.openstack import reasons
from zerojhub.text import elapsed

LATE_SECONDS = 2 * creation.USUAL_MINUTES * 60
"""After which something in progress is late, although Magnum may still wait for it."""

CONSEQUENCES = {
    "CREATE": "there is no cluster to install a hub on",
    "UPDATE": "the last resize or upgrade is incomplete; the cluster goes on with the nodes that it has",
    "ROLLBACK": "neither the last change nor its undoing is complete; the cluster goes on with the nodes that it has",
    "DELETE": "what is left of it still counts against the quota, and may cost money",
}
"""What it means when an action on a cluster fails."""


async def failed(subject: Subject) -> list[Finding]:
    """A cluster that is CREATE_FAILED, UPDATE_FAILED, ROLLBACK_FAILED or DELETE_FAILED, with the resource that failed."""
    cluster = subject.cluster
    action, _, outcome = cluster["status"].rpartition("_")
    if outcome != "FAILED":
        return []
    reason = await lifecycle.failure(subject.cloud, cluster)
    known = reasons.meaning(reason)
    why = CONSEQUENCES.get(action, "it is not as it was asked for")
    match action:
        case "CREATE":
            remedy = subject.recreate()
        case "DELETE":
            delete = subject.zerojhub(f"cluster delete {cluster['uuid']}")
            remedy = subject.on_deployment("down") if subject.has_file else delete
        case _:
            remedy = subject.zerojhub(f"cluster resize {cluster['uuid']} {cluster['node_count']}")
    return [
        Finding(
            "cluster",
            cluster["name"],
            cluster["uuid"],
            reason,
            f"{known.why}: {why}" if known else why,
            f"{known.do}; then {remedy}" if known else remedy,
        )
    ]


async def late(subject: Subject) -> list[Finding]:
    """A cluster that stays in progress, and whether it can be used all the same."""
    cluster = subject.cluster
    seconds = creation.in_progress_for(subject.cloud, cluster)
    if seconds < LATE_SECONDS:
        return []
    progress = await creation.current_progress(subject.cloud, cluster)
    usable = await verdict(subject.cloud, cluster)
    problem = f"{cluster['status']} for {elapsed(seconds)}{f', {progress}' if progress else ''}; {usable}"
    show = subject.zerojhub(f"cluster show {cluster['uuid']}")
    if usable.startswith("usable"):
        why = "Magnum refuses every change of the cluster until it has noticed that it is complete"
        up = f"{subject.on_deployment('up')} installs the hub all the same" if subject.has_file else "use it"
        do = f"{up}; ask your cloud's operators why Magnum still waits for {cluster['uuid']}"
    elif lifecycle.is_overdue(subject.cloud, cluster):
        why = "Magnum should have given up by now: its conductor, or the driver's, may have lost the cluster"
        do = f"{subject.recreate()}; if that does not begin either, give your cloud's operators {cluster['uuid']}"
    else:
        why = f"this usually takes {creation.USUAL_MINUTES} minutes"
        do = f"look at what is late: {show}; or wait for Magnum's timeout and its reason"
    return [Finding("cluster", cluster["name"], cluster["uuid"], problem, why, do)]
