"""Workers that come and go by themselves: the bounds of `autoscale`, where the file has it."""

from __future__ import annotations

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.stages.access import Access
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.cluster import Cluster


class Autoscale(Stage):
    """Workers that come when pods wait for room, and go when nobody needs them.

    Looks for the bounds of the first workers, and for an autoscaler that keeps to them. A cluster that is made gets both
    by its labels; one that is there gets the autoscaler in kube-system, or new bounds where it runs outside of the cluster.
    Takes nothing away: the cluster's end is its own.
    """

    name = "autoscale"
    needs = (Access,)

    @classmethod
    def applies(cls, deployment) -> bool:
        return deployment.autoscale is not None

    async def check(self, hub) -> list[ZeroJHubError]:
        wanted, workers = hub.deployment.autoscale, hub.deployment.cluster.workers
        if wanted is None or wanted.min <= workers <= wanted.max:
            return []
        return [
            UserError(f"{workers} workers are not between {wanted.min} and {wanted.max}", hint="workers, or autoscale")
        ]

    async def look(self, hub) -> Found | Missing:
        from zerojhub.operations import autoscale

        wanted = hub.deployment.autoscale
        there = await autoscale.current(hub)
        asked = f"{wanted.min} to {wanted.max} workers"
        if there == (wanted.min, wanted.max):
            return Found(asked)
        return Missing(f"{asked}, and the autoscaler keeps to {there[0]} to {there[1]}" if there else asked)

    async def do(self, hub, state: Missing | Wrong) -> None:
        from zerojhub.openstack import clusters
        from zerojhub.operations import autoscale

        wanted = hub.deployment.autoscale
        cluster = await clusters.settled(hub.cloud, hub[Cluster]["uuid"])
        await autoscale.scale(hub, cluster, (wanted.min, wanted.max), None, {}, hub.say)
