"""What the hub is made from: its chart, and the values for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerojhub.deployment import HubSpec, TemplateSpec
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.hub import charts
from zerojhub.stages import template
from zerojhub.stages.base import Found, Stage
from zerojhub.stages.template import Template

if TYPE_CHECKING:
    from zerojhub.hub.charts import ChartArchive
    from zerojhub.hub.secrets import Secrets
    from zerojhub.hub.values import UserValues
    from zerojhub.journey import Hub


@dataclass(frozen=True)
class Rendered:
    """A chart and the user's values, which fit together."""

    chart: ChartArchive
    user: UserValues
    wanted: HubSpec

    @property
    def merged(self) -> dict:
        """The user's values over the chart's own."""
        from zerojhub.hub.values import merged

        return merged(self.chart.defaults, self.user.values)

    def values(self, secrets: Secrets) -> dict:
        """What Helm is to be given."""
        from zerojhub.hub.values import completed

        return completed(self.user.values, secrets, self.wanted, self.chart)


class Values(Stage):
    """The hub's chart, and the values for it, checked against its schema before anything is sent.

    Fetches the chart and reads the values; each key that the chart does not know is told with its line. It makes nothing.
    """

    name = "values"
    needs = (Template,)

    async def check(self, hub: Hub) -> list[ZeroJHubError]:
        try:
            await render(hub, kubernetes_of(hub, await template.find(hub)))
        except Problems as found:
            return found.problems
        except UserError as error:
            return [error]
        return []

    async def look(self, hub: Hub) -> Found:
        rendered = await render(hub, kubernetes_of(hub, hub[Template]))
        source = rendered.user.path.name if rendered.user.path else "its own values"
        return Found(f"chart {rendered.chart.name} {rendered.chart.version} with {source}", rendered)


async def render(hub: Hub, kubernetes: str | None) -> Rendered:
    """The chart and the values that the deployment names. Problems with what does not fit, each with its line."""
    from zerojhub.hub import values

    wanted, where = hub.deployment.hub, str(hub.deployment.path)
    chart = await charts.find(wanted.chart, wanted.version, kubernetes, hub.deployment.directory)
    user = values.UserValues(wanted.values)
    problems = values.problems(user, chart)
    if misfit := chart.misfit(kubernetes):
        problems.append(misfit_error(misfit, f"the template has {kubernetes}", kubernetes, where))
    if values.is_public(user.values, wanted.expose) and not wanted.open_to_anyone and not problems:
        problems += filter(None, [values.lets_anyone_in(user, chart)])
    if problems:
        raise Problems(problems)
    return Rendered(chart, user, wanted)


def kubernetes_of(hub: Hub, cluster_template: dict | None) -> str | None:
    """The Kubernetes that a cluster of the template gets, as far as its labels say."""
    wanted = hub.deployment.cluster
    if cluster_template:
        labels = cluster_template["labels"]
    else:
        labels = wanted.template.labels if isinstance(wanted.template, TemplateSpec) else {}
    version = (labels | wanted.labels).get("kube_tag")
    return str(version) if version else None


def misfit_error(misfit: str, but: str, kubernetes: str, where: str) -> UserError:
    """A chart that does not fit the cluster, and one that does."""
    hint = f"hub: {{chart: z2jh, version: {charts.fitting(kubernetes)}}} fits Kubernetes {kubernetes}"
    return UserError(f"{misfit}, and {but}", where=where, hint=hint)
