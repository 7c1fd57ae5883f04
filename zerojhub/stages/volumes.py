"""The kept volumes of users and of the hub, on this cluster."""

from __future__ import annotations

from zerojhub.data import kept, reattach
from zerojhub.data.reattach import Decision, Hub
from zerojhub.hub.charts import at
from zerojhub.hub.names import Scheme
from zerojhub.hub.values import claim_template, names_are_safe
from zerojhub.kube import namespaces
from zerojhub.kube.kinds import STORAGE_CLASS
from zerojhub.kube.quantity import number
from zerojhub.kube.volumes import IN_TREE
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Wrong
from zerojhub.stages.access import Access
from zerojhub.stages.cluster import Cluster
from zerojhub.stages.kept import Kept, describe, find
from zerojhub.stages.storage import StorageClass
from zerojhub.stages.values import Values
from zerojhub.text import plural


class Volumes(Stage[Decision]):
    """Give kept volumes back to their owners, before the hub starts.

    Creates a PersistentVolume and a claim for each kept volume, by the name and with the labels that the chart's KubeSpawner
    looks for. Nothing is copied. Reports a volume that cannot be given back, because of its state, its zone or another
    volume of the same owner, and continues without it.
    """

    name = "volumes"
    needs = (Kept, Cluster, Access, StorageClass, Values)

    async def look(self, run: Run) -> Found[Decision] | Missing[Decision]:
        found = await run.once(find, run)
        if not found.volumes:
            return Found("none waits to be given back", Decision())
        decision = await reattach.look(run[Access].kube, run.cloud, found.volumes, await hub_of(run))
        if decision.returns:
            returned = kept.Found([each.volume for each in decision.returns], [])
            rest = f"; {_problems(decision)}" if decision.problems else ""
            return Missing(f"to be given back: {describe(returned)}{rest}", decision)
        for problem in decision.problems:
            run.note(f"warning: {problem}")
        return Found(_problems(decision), decision)

    async def do(self, run: Run, state: Missing[Decision] | Wrong[Decision]) -> None:
        assert state.value
        kube = run[Access].kube
        await namespaces.ensure(kube, run.deployment.namespace)
        await reattach.give_back(kube, run.cloud, state.value.returns, await hub_of(run), run.say)


def _problems(decision: Decision) -> str:
    return f"{plural(len(decision.problems), 'volume')} not given back: {'; '.join(decision.problems)}"


async def hub_of(run: Run) -> Hub:
    """What the volumes of the deployment's hub are to be like."""
    deployment, chart = run.deployment, run[Values].chart
    values = run[Values].merged()
    default, classes = run[StorageClass], await run.once(run[Access].kube.list, STORAGE_CLASS)
    database, own_class = at(values, "hub", "db", "type"), at(values, "hub", "db", "pvc", "storageClassName")
    return Hub(
        namespace=deployment.namespace,
        release=deployment.release,
        cluster=run[Cluster]["uuid"],
        scheme=Scheme(names_are_safe(values, chart.major), claim_template(values, chart.major)),
        storage_class=at(values, "singleuser", "storage", "dynamic", "storageClass") or default,
        hub_storage_class=own_class if isinstance(own_class, str) else default,
        hub_request_gb=float(number(str(at(values, "hub", "db", "pvc", "storage") or "1Gi")) / 2**30),
        reclaim_policies={each["metadata"]["name"]: each.get("reclaimPolicy", "Delete") for each in classes},
        in_tree=any(each["metadata"]["name"] == default and each["provisioner"] == IN_TREE for each in classes),
        has_accounts=(await run.once(find, run)).has_accounts or database in ("mysql", "postgres", "other"),
    )
