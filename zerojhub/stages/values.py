"""What the hub is made from: its chart, and the values for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zerojhub.deployment import HubSpec, TemplateSpec
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.hub import charts
from zerojhub.openstack.magnum import ClusterTemplate
from zerojhub.run import Run
from zerojhub.stage import Found, Stage
from zerojhub.stages import template
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

    def values(self, secrets: Secrets) -> dict[str, Any]:
        """The values to give to Helm."""
        from zerojhub.hub.values import completed

        return completed(self.user.values, secrets, self.wanted, self.chart)


class Values(Stage[Rendered]):
    """The hub's chart and the values for it, validated against its schema before anything is sent.

    Downloads the chart and reads the values; a key that the chart does not know is reported with its line. Creates nothing.
    """

    name = "values"
    needs = (Template,)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        await render(run, kubernetes_of(run, await template.find(run)))
        return []

    async def look(self, run: Run) -> Found[Rendered]:
        rendered = await render(run, kubernetes_of(run, run[Template]))
        source = rendered.user.path.name if rendered.user.path else "its default values"
        return Found(f"chart {rendered.chart.name} {rendered.chart.version} with {source}", rendered)


async def render(run: Run, kubernetes: str | None) -> Rendered:
    """The chart and the values of the deployment. Problems with whatever does not fit, each with its line."""
    from zerojhub.hub import values

    wanted, where = run.deployment.hub, str(run.deployment.path)
    chart = await run.once(charts.find, wanted.chart, wanted.version, kubernetes, run.deployment.directory)
    user = values.UserValues(wanted.values)
    problems: list[ZeroJHubError] = [*values.problems(user, chart)]
    if kubernetes and (misfit := chart.misfit(kubernetes)):
        problems.append(misfit_error(misfit, f"the template has {kubernetes}", kubernetes, where))
    if not problems and values.is_public(user.values, wanted.expose) and not wanted.open_to_anyone:
        problems += filter(None, [values.lets_anyone_in(user, chart)])
    if problems:
        raise Problems(problems)
    return Rendered(chart, user, wanted)


def kubernetes_of(run: Run, cluster_template: ClusterTemplate | None) -> str | None:
    """The Kubernetes version that a cluster of the template gets, if its labels name one."""
    wanted = run.deployment.cluster
    labels: dict[str, Any] = {}
    if cluster_template:
        labels = dict(cluster_template["labels"])
    elif isinstance(wanted.template, TemplateSpec):
        labels = dict(wanted.template.labels)
    version = (labels | wanted.labels).get("kube_tag")
    return str(version) if version else None


def misfit_error(misfit: str, but: str, kubernetes: str, where: str) -> UserError:
    """The error for a chart that does not support the cluster's Kubernetes; it names one that does."""
    hint = f"hub: {{chart: z2jh, version: {charts.fitting(kubernetes)}}} supports Kubernetes {kubernetes}"
    return UserError(f"{misfit}, but {but}", where=where, hint=hint)
