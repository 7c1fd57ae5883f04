"""What the hub is made from: its chart, and the values for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zerojhub.deployment import HubSpec, TemplateSpec
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.hub import charts, repository
from zerojhub.openstack.magnum import ClusterTemplate
from zerojhub.run import Run
from zerojhub.stage import Found, Stage
from zerojhub.stages import cluster, template
from zerojhub.stages.access import Access
from zerojhub.stages.helm import HelmProgram, hub_release
from zerojhub.stages.template import Template

if TYPE_CHECKING:
    from zerojhub.hub.charts import ChartArchive
    from zerojhub.hub.secrets import Secrets
    from zerojhub.hub.values import UserValues


@dataclass(frozen=True)
class Rendered:
    """A chart and the user's values, which fit each other."""

    chart: ChartArchive
    user: UserValues
    wanted: HubSpec
    remark: str | None = None
    """About the chart's version."""

    def values(self, secrets: Secrets) -> dict[str, Any]:
        """The values to give to Helm."""
        from zerojhub.hub.values import completed

        return completed(self.user.values, secrets, self.wanted, self.chart)


class Values(Stage[Rendered]):
    """The hub's chart and the values for it, validated against its schema before anything is sent.

    Chooses the version of the chart: an installed hub keeps its own if that fits, a new one gets the newest. Downloads the
    chart and reads the values; a key that the chart does not know is reported with its line. Creates nothing.
    """

    name = "values"
    needs = (Template,)
    after = (HelmProgram,)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        if not await _may_keep_version(run):  # else it is known later, when the hub has been found
            await render(run, kubernetes_of(run, await template.find(run)))
        return []

    async def look(self, run: Run) -> Found[Rendered]:
        if HelmProgram in run:
            version, installed = run[Access].version, await run.once(hub_release, run)
            rendered = await render(
                run, version, installed.version_of(repository.CHART) if installed else None, "the cluster"
            )
        else:
            rendered = await render(run, kubernetes_of(run, run[Template]))
        source = rendered.user.path.name if rendered.user.path else "its default values"
        remark = f" ({rendered.remark})" if rendered.remark else ""
        return Found(f"chart {rendered.chart.name} {rendered.chart.version} with {source}{remark}", rendered)


async def render(run: Run, kubernetes: str | None, installed: str | None = None, of: str = "the template") -> Rendered:
    """The chart and the values of the deployment. Problems with whatever does not fit, each with its line.

    `installed`: the version of Zero to JupyterHub's chart that the hub has. `of`: what has that Kubernetes version.
    """
    from zerojhub.hub import values

    wanted, where = run.deployment.hub, str(run.deployment.path)
    chart, remark = await _chart(run, kubernetes, installed)
    user = values.UserValues(wanted.values)
    problems: list[ZeroJHubError] = [*values.problems(user, chart)]
    if kubernetes and (misfit := chart.misfit(kubernetes)):
        hint = f"hub: {{chart: z2jh, version: {repository.fitting(kubernetes)}}} supports Kubernetes {kubernetes}"
        problems.append(UserError(f"{misfit}, but {of} has {kubernetes}", where=where, hint=hint))
    if not problems and values.is_public(user.values, wanted.expose) and not wanted.open_to_anyone:
        problems += filter(None, [values.lets_anyone_in(user, chart)])
    if problems:
        raise Problems(problems)
    return Rendered(chart, user, wanted, remark)


async def _chart(run: Run, kubernetes: str | None, installed: str | None) -> tuple[ChartArchive, str | None]:
    """The deployment's chart, and a remark about its version."""
    wanted = run.deployment.hub
    if wanted.chart != "z2jh":
        return await run.once(charts.find, wanted.chart, wanted.version, run.deployment.directory), None
    try:
        choice = await run.once(repository.choose, wanted.version, kubernetes, installed)
        return await run.once(charts.fetch, choice.version), choice.remark
    except UserError as error:
        error.where = error.where or run.deployment.where("hub", "version")
        raise


async def _may_keep_version(run: Run) -> bool:
    """May there be a hub whose chart's version is kept?"""
    wanted = run.deployment.hub
    if wanted.chart != "z2jh" or (wanted.version and repository.is_exact(wanted.version)):
        return False
    there = await cluster.find(run)
    return there is not None and not there["status"].startswith(("CREATE_IN_PROGRESS", "CREATE_FAILED"))


def kubernetes_of(run: Run, cluster_template: ClusterTemplate | None) -> str | None:
    """The Kubernetes version that a cluster of the template gets; None if its labels do not name one."""
    wanted = run.deployment.cluster
    labels: dict[str, Any] = {}
    if cluster_template:
        labels = dict(cluster_template["labels"])
    elif isinstance(wanted.template, TemplateSpec):
        labels = dict(wanted.template.labels)
    version = str((labels | wanted.labels).get("kube_tag") or "")
    return version if re.match(r"v?\d+\.\d+", version) else None
