"""The bounds between which the cluster's workers are scaled, where the deployment has `autoscale`."""

from __future__ import annotations

from zerojhub.cluster import autoscale
from zerojhub.deployment import AutoscaleSpec, Deployment
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack import clusters
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Wrong
from zerojhub.stages.access import Access
from zerojhub.stages.cluster import Cluster


class Autoscale(Stage[None]):
    """Workers that are added when pods wait for room, and removed when they are idle.

    Looks for the bounds of the default worker group and for an autoscaler that keeps to them. A new cluster gets both
    through its labels; an existing one gets the autoscaler in kube-system or, where it runs outside the cluster, new bounds.
    `down` removes nothing: the autoscaler goes with the cluster.
    """

    name = "autoscale"
    needs = (Access,)

    @classmethod
    def applies(cls, deployment: Deployment) -> bool:
        return deployment.autoscale is not None

    async def check(self, run: Run) -> list[ZeroJHubError]:
        wanted, workers = run.deployment.autoscale, run.deployment.cluster.workers
        if wanted is None or wanted.min <= workers <= wanted.max:
            return []
        problem = f"{workers} workers are not between {wanted.min} and {wanted.max}"
        return [UserError(problem, hint="correct cluster.workers or autoscale")]

    async def look(self, run: Run) -> Found[None] | Missing[None]:
        wanted = bounds(run)
        current = await autoscale.current(run.cloud, run[Cluster], run[Access])
        requested = f"{wanted.min} to {wanted.max} workers"
        if current == (wanted.min, wanted.max):
            return Found(requested, None)
        return Missing(f"{requested}, but the bounds are {current[0]} to {current[1]}" if current else requested)

    async def do(self, run: Run, state: Missing[None] | Wrong[None]) -> None:
        wanted = bounds(run)
        cluster = await clusters.get_idle(run.cloud, run[Cluster]["uuid"])
        await autoscale.scale(run.cloud, cluster, run[Access], (wanted.min, wanted.max), say=run.say)


def bounds(run: Run) -> AutoscaleSpec:
    assert run.deployment.autoscale is not None  # or else the stage does not apply
    return run.deployment.autoscale
