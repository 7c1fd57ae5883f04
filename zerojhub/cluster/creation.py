"""How far a cluster is while Magnum works on it, and when to ask again.

Every question is a request, and a cluster takes a quarter of an hour. So each look asks Magnum for the cluster and nothing
else; what is being created is asked for less and less often, and shown with its age meanwhile. When the cluster is complete
is not known in advance, so Magnum is asked every few seconds. Only if Heat remembers how long an earlier cluster of the same
template took is it asked less often at first. `docs/contributing/decisions.md` has the figures.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from zerojhub import waiting
from zerojhub.errors import CloudError
from zerojhub.openstack import heat, magnum, nova, servers, stacks
from zerojhub.openstack.magnum import Cluster
from zerojhub.openstack.session import Cloud
from zerojhub.text import elapsed, seconds_between

USUAL_MINUTES = 14
"""What creating a cluster with one master and one worker takes on a usual cloud (user guide)."""

SOON = 3.0
"""Seconds between two looks at most, each of them with a question when the cluster may be complete at any time."""
SELDOM = 60.0
"""Seconds between two questions at most: a failure is noticed as late as that."""
DETAILS = 120.0
"""Seconds between two questions for what is being created, at most."""
OF_THE_REST = 1 / 5
"""The share of the time until the expected end that may pass without a question."""
OF_THE_PAST = 1 / 2
"""The share of the time since the beginning that may pass without a question: what goes wrong goes wrong early."""


@dataclass(frozen=True)
class Seen:
    """What there is of a cluster: the resources of its stacks, or its servers if there are no stacks to be seen."""

    resources: Sequence[heat.StackResource] = ()
    servers: Sequence[nova.Server] = ()

    def text(self, now: datetime) -> str:
        """What is being created, and what of it is late, at this time of Heat's; empty when nothing can be seen."""
        return stacks.progress(self.resources, now) if self.resources else servers.progress(self.servers)


async def current_progress(cloud: Cloud, cluster: Cluster) -> str:
    """What is being created right now, and what of it is late; empty when nothing can be seen."""
    with contextlib.suppress(CloudError):
        return (await _seen(cloud, cluster, await stacks.of(cloud, cluster))).text(cloud.orchestration.clock.now())
    return ""


def pause(since: float, expected: float | None) -> float:
    """Seconds without a question about a cluster that has been in progress for so long; 0: ask at the next look.

    `expected`: how long it is expected to take in all, or None. One that is complete before that is noticed within a
    fifth of the time that it was early.
    """
    rest = (expected or 0) - since
    seconds = min(rest * OF_THE_REST, since * OF_THE_PAST, SELDOM)
    return seconds if seconds > SOON else 0


def in_progress_for(cloud: Cloud, cluster: Cluster) -> float:
    """The seconds for which something has been in progress; 0 when nothing is, or Magnum does not say since when."""
    status = cluster["status"]
    since = cluster.get("created_at") if status.startswith("CREATE") else cluster.get("updated_at")
    return seconds_between(since, cloud.container_infra.clock.now()) if since and status.endswith("IN_PROGRESS") else 0


class Watch:
    """One cluster, from look to look."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._began: float | None = None
        self._due = self._details_due = 0.0
        self._stacks: list[heat.Stack] | None = None
        self._seen, self._status, self._progress = Seen(), "", ""
        self._expected: float | None = None

    @property
    def due(self) -> bool:
        """Whether Magnum is to be asked again."""
        return waiting.clock() >= self._due

    def text(self) -> str:
        """How far the cluster is, as far as is known."""
        progress = self._seen.text(self._cloud.orchestration.clock.now())
        usual = f" ({self._usual()})" if self._status.startswith("CREATE") else ""
        return f"{self._status}{f': {progress}' if progress else ''}{usual}" if self._status else ""

    def _usual(self) -> str:
        return f"another took {elapsed(self._expected)}" if self._expected else f"usually {USUAL_MINUTES} min"

    async def take(self, cluster: Cluster) -> None:
        """Take what Magnum has just said of the cluster, which is in progress, and ask for details now and then."""
        if self._began is None:
            self._began = waiting.clock() - in_progress_for(self._cloud, cluster)
            if cluster["status"].startswith("CREATE"):
                self._expected = await seconds_of_another(self._cloud, cluster)
        self._status = cluster["status"]
        if waiting.clock() >= self._details_due:
            with contextlib.suppress(CloudError):  # the wait goes on without these details
                await self._look(cluster)
            since = waiting.clock() - self._began
            self._details_due = waiting.clock() + max(SOON, min(since * OF_THE_PAST, DETAILS))
        self._due = waiting.clock() + pause(waiting.clock() - self._began, self._expected)

    async def _look(self, cluster: Cluster) -> None:
        found = self._stacks
        if found is None:
            found = await stacks.of(self._cloud, cluster)
            # While a cluster is created it gets no more stacks, and its own is known once it has a name.
            if self._status.startswith("CREATE") and (cluster.get("stack_id") or cluster.get("cluster_id")):
                self._stacks = found
        self._seen = await _seen(self._cloud, cluster, found)


async def _seen(cloud: Cloud, cluster: Cluster, found: Sequence[heat.Stack]) -> Seen:
    if resources := await stacks.resources_of(cloud, found):
        return Seen(resources=resources)
    return Seen(servers=await servers.among(cloud, cluster))


async def seconds_of_another(cloud: Cloud, cluster: Cluster) -> float | None:
    """How long the newest other cluster of the same template took; None when there is none, or nobody knows."""

    def is_alike(other: Cluster) -> bool:
        same = (other["cluster_template_id"], other["master_count"]) == (
            cluster["cluster_template_id"],
            cluster["master_count"],
        )
        return same and other["uuid"] != cluster["uuid"] and _was_created(other)

    with contextlib.suppress(CloudError):
        if alike := [each for each in await magnum.clusters(cloud) if is_alike(each)]:
            return await stacks.seconds_to_create(cloud, alike[-1])
    return None


def _was_created(cluster: Cluster) -> bool:
    return cluster["status"] not in ("CREATE_IN_PROGRESS", "CREATE_FAILED")
