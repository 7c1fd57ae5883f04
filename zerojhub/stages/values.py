"""What the hub is made from: its chart, and the values for it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerojhub import __version__, files
from zerojhub.deployment import HubSpec, TemplateSpec
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.helm import program
from zerojhub.hub import charts, repository
from zerojhub.openstack.magnum import ClusterTemplate
from zerojhub.run import Run
from zerojhub.stage import Found, Stage
from zerojhub.stages import cluster, login, template
from zerojhub.stages.access import Access
from zerojhub.stages.helm import HelmProgram, hub_release
from zerojhub.stages.host_name import host_of
from zerojhub.stages.https_files import usable
from zerojhub.stages.kept_address import KeptAddress
from zerojhub.stages.template import Template

if TYPE_CHECKING:
    from zerojhub.hub.charts import ChartArchive, ChartValues
    from zerojhub.hub.https import Https
    from zerojhub.hub.secrets import Secrets
    from zerojhub.hub.values import UserValues


PROVEN = "rendered"
"""The file in the deployment's folder with the fingerprints of what Helm has rendered last, one a line."""
MOST_PROVEN = 8


@dataclass(frozen=True)
class Rendered:
    """A chart and the user's values, which fit each other."""

    chart: ChartArchive
    user: UserValues
    wanted: HubSpec
    fingerprint: str
    """Of all that decides whether the chart's templates accept the values."""
    remark: str | None = None
    """About the chart's version."""
    warnings: tuple[str, ...] = ()
    """What may become a problem later."""
    address: str | None = None
    """The floating IP that is kept for the hub."""
    https: Https | None = field(default=None, repr=False)
    """`hub.https` with the files that it names."""

    def values(self, secrets: Secrets, installed: dict[str, Any] | None = None) -> dict[str, Any]:
        """The values to give to Helm. `installed`: those of the release, whose announcement is kept, except that of a move."""
        from zerojhub.hub import message
        from zerojhub.hub.values import completed

        values = completed(self.user.values, secrets, self.wanted, self.chart, self.address, self.https)
        shown = message.shown(installed or {})
        return message.with_message(values, None if shown == message.MOVING else shown)

    def remember(self, folder: Path) -> None:
        """Have no later run render them again."""
        if not self.is_proven(folder):
            files.write(folder / PROVEN, "\n".join([*_proven(folder), self.fingerprint][-MOST_PROVEN:]).encode())

    def merged(self) -> ChartValues:
        """The user's values with the defaults of the chart."""
        from zerojhub.hub.values import merged

        values: ChartValues = merged(self.chart.defaults, self.user.values)
        return values

    def is_proven(self, folder: Path) -> bool:
        return self.fingerprint in _proven(folder)


class Values(Stage[Rendered]):
    """The hub's chart and the values for it, checked before anything is sent.

    Chooses the version of the chart: an installed hub keeps its own if that fits, a new one gets the newest. Downloads the
    chart and reads the values; a key that the chart does not know is reported with its line. Then renders the chart with
    Helm on this machine, as it will be installed, so that whatever its templates refuse is known before there is a cluster;
    downloads Helm if this machine has none. Creates nothing.
    """

    name = "values"
    needs = (Template,)
    after = (HelmProgram, KeptAddress)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        if await _may_keep_version(run):
            return []  # it is known later, when the hub has been found
        rendered = await run.once(render, run, kubernetes_of(run, await template.find(run)))
        for warning in rendered.warnings:
            run.note(f"warning: {warning}")
        return []

    async def look(self, run: Run) -> Found[Rendered]:
        if HelmProgram in run:
            version, installed = run[Access].version, await run.once(hub_release, run)
            rendered = await render(
                run, version, installed.version_of(repository.CHART) if installed else None, "the cluster"
            )
        else:
            rendered = await run.once(render, run, kubernetes_of(run, run[Template]))
        if kept := run.get(KeptAddress):
            rendered = replace(rendered, address=kept["floating_ip_address"])
        source = rendered.user.path.name if rendered.user.path else "its default values"
        if run.deployment.login:
            source = f"{source} and login.{run.deployment.login.kind.key}"
        remark = f" ({rendered.remark})" if rendered.remark else ""
        detail = f"chart {rendered.chart.name} {rendered.chart.version} with {source}{remark}"
        return Found("; ".join([detail, *rendered.warnings]), rendered)


async def render(run: Run, kubernetes: str | None, installed: str | None = None, of: str = "the template") -> Rendered:
    """The chart and the values of the deployment. Problems with whatever does not fit, each with its line.

    `installed`: the version of Zero to JupyterHub's chart that the hub has. `of`: what has that Kubernetes version.
    """
    from zerojhub.hub import settings, values
    from zerojhub.hub.allowed import lets_nobody_in, may_let_everyone_in, may_let_nobody_in
    from zerojhub.hub.secrets import Secrets

    wanted = run.deployment.hub.model_copy(update={"host": await host_of(run)})
    where = str(run.deployment.path)
    chart, remark = await _chart(run, kubernetes, installed)
    user = values.UserValues(wanted.values, await login.underlying(run, chart))
    problems: list[ZeroJHubError] = [*values.problems(user, chart)]
    if kubernetes and (misfit := chart.misfit(kubernetes)):
        hint = f"hub: {{chart: z2jh, version: {repository.fitting(kubernetes)}}} supports Kubernetes {kubernetes}"
        problems.append(UserError(f"{misfit}, but {of} has {kubernetes}", where=where, hint=hint))
    if not problems:
        if values.is_public(user.values, wanted.expose) and not wanted.open_to_anyone:
            problems += filter(None, [values.lets_anyone_in(user, chart)])
        problems += filter(None, [lets_nobody_in(user, chart)])
        problems += values.without_certificate(user, wanted, chart, run.deployment.where("hub", "https"))
        if wanted.address:
            place = run.deployment.where("hub", "address")
            problems += filter(None, [values.without_balancer(user, wanted, place)])
    if problems:
        raise Problems(problems)
    remarks = (may_let_nobody_in(user, chart), may_let_everyone_in(user, chart), values.overruled(user))
    warnings = (*filter(None, remarks), *settings.doubtful(user))
    https = await run.once(usable, run)  # the stage `kept-certificate` says what is wrong with its files
    fingerprint = _fingerprint(run, wanted, chart, user, kubernetes, https)
    rendered = Rendered(chart, user, wanted, fingerprint, remark, warnings, https=https)
    if rendered.is_proven(run.folder):
        return rendered
    secrets = Secrets.of(run.folder, None)
    try:
        refused = await _refusals(run, rendered, secrets, kubernetes)
    except ZeroJHubError as error:
        return replace(rendered, warnings=(*warnings, f"the chart was not rendered in advance: {error}"))
    if refused:
        raise Problems(refused)
    rendered.remember(run.folder)
    return rendered


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


def _proven(folder: Path) -> list[str]:
    proven = folder / PROVEN
    return proven.read_text().split() if proven.exists() else []


def _fingerprint(
    run: Run, wanted: HubSpec, chart: ChartArchive, user: UserValues, kubernetes: str | None, https: Https | None
) -> str:
    """SHA-256. The secrets that zerojhub generates are not in it: they look alike each time."""
    deployment = run.deployment
    names = [deployment.release, deployment.namespace, kubernetes]
    files_of_it = [https.authority_file, https.own and https.own.digest] if https else []
    parts = [__version__, chart.digest, user.values, wanted.model_dump(mode="json"), names, files_of_it]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


async def _refusals(run: Run, rendered: Rendered, secrets: Secrets, kubernetes: str | None) -> list[UserError]:
    """What the chart's templates refuse. ZeroJHubError if this machine has no Helm and cannot get one, or cannot run it."""
    from zerojhub.hub.rendering import refusals

    deployment = run.deployment
    return await refusals(
        await program.here(deployment.helm, run.say),
        rendered.chart,
        rendered.user,
        rendered.values(secrets),
        release=deployment.release,
        namespace=deployment.namespace,
        kubernetes=kubernetes,
    )


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
