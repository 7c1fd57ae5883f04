"""The backups of every user's files and of the hub's accounts, where the deployment has `backup`."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from zerojhub.deployment import BackupSpec, Deployment
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import schedule
from zerojhub.kube.crons import Crons
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.access import Access
from zerojhub.stages.chart import Chart, secrets_in_use
from zerojhub.stages.helm import hub_release
from zerojhub.stages.values import Values

if TYPE_CHECKING:
    from zerojhub.backup.pod import Settings
    from zerojhub.hub.charts import ChartValues
    from zerojhub.kube.types import Manifest

RESTIC = "docker.io/restic/restic:0.19.1"
"""The image from which pods take restic. Exit codes and restoring a folder need 0.17."""


class Backup(Stage["Settings"]):
    """Backups of every user's files and of the hub's accounts, on a schedule.

    Installs a cron job that runs restic in a pod for each volume, on the node where that is in use, and opens the store with the
    password once. `down` removes the cron job; the backups stay where they are.
    """

    name = "backup"
    needs = (Chart,)
    undo_needs = (Access,)

    @classmethod
    def applies(cls, deployment: Deployment) -> bool:
        return deployment.backup is not None

    async def check(self, run: Run) -> list[ZeroJHubError]:
        from zerojhub.backup import store

        wanted = spec(run)
        store.read(wanted)
        schedule.read(wanted.schedule, where=run.deployment.where("backup", "schedule"))
        return []

    async def look(self, run: Run) -> Found[Settings] | Missing[Settings] | Wrong[Settings]:
        from zerojhub.backup import objects

        settings = await settings_for(run)
        kube, (secrets, rest) = run[Access].kube, await _wanted(run, settings)
        if changed := await objects.differing(kube, secrets, settings.to):
            names = ", ".join(each["metadata"]["name"] for each in changed)
            return Missing(f"to {settings.to}, {_when(run)}: Secret {names} is not as in the files, or not tried yet")
        if changed := await objects.missing(kube, rest):
            kinds = ", ".join(each["kind"] for each in changed)
            return Missing(f"to {settings.to}, {_when(run)}: {kinds} to be created or changed")
        return Found(f"to {settings.to}, {_when(run)}", settings)

    async def do(self, run: Run, state: Missing[Settings] | Wrong[Settings]) -> None:
        from zerojhub.backup import objects, work
        from zerojhub.backup.pod import STATE
        from zerojhub.kube.client import OURS
        from zerojhub.kube.kinds import CONFIG_MAP, SECRET

        settings, kube = await settings_for(run), run[Access].kube
        secrets, rest = await _wanted(run, settings)
        *others, cron_job = rest
        untried = await objects.differing(kube, secrets, settings.to)
        for each in [*(secrets if untried else ()), *others]:
            await kube.apply(each)
        if await kube.get(CONFIG_MAP, STATE, settings.namespace) is None:
            meta = {"name": STATE, "namespace": settings.namespace, "labels": OURS}
            await kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
        if untried:
            await work.open_place(kube, settings, run.say)
            name = secrets[-1]["metadata"]["name"]
            reached = {"metadata": {"annotations": {objects.READY: settings.to}}}
            await kube.merge(SECRET, name, settings.namespace, reached)
        await kube.apply(cron_job)

    async def undo(self, run: Run, teardown: Teardown) -> None:
        from zerojhub.backup import objects

        namespace = run.deployment.namespace
        run.say("removing the cron job; the backups stay")
        await objects.delete(run[Access].kube, namespace, Crons.of(run[Access], namespace).kind)


def spec(run: Run) -> BackupSpec:
    assert run.deployment.backup is not None  # or else the stage does not apply
    return run.deployment.backup


async def settings_for(run: Run) -> Settings:
    """What the deployment asks for, with the hub's image as it is installed."""
    from zerojhub.hub import pods

    release = run[Chart]
    hub = await pods.deployment(run[Access].kube, release.namespace, release.name)
    installed = await run.once(hub_release, run)
    return _settings(run, pods.image_of(hub), installed.chart if installed else "", release.values)


def settings_before(run: Run) -> Settings:
    """What the deployment asks for, before there is a hub."""
    from zerojhub.hub.charts import at

    chart, values = run[Values].chart, run[Values].merged()
    image = f"{at(values, 'hub', 'image', 'name')}:{at(values, 'hub', 'image', 'tag') or chart.version}"
    return _settings(run, image, f"{chart.name}-{chart.version}", values)


def _settings(run: Run, image: str, chart: str, values: ChartValues) -> Settings:
    from zerojhub.backup.pod import Settings
    from zerojhub.hub.charts import at

    wanted = spec(run)
    return Settings(
        namespace=run.deployment.namespace,
        deployment=run.deployment.name,
        image=image,
        restic=RESTIC,
        to=wanted.to,
        keep=wanted.keep.model_dump(),
        memory=wanted.memory,
        chart=chart,
        database=at(values, "hub", "db", "type") in (None, "sqlite-pvc"),
    )


async def _wanted(run: Run, settings: Settings) -> tuple[list[Manifest], list[Manifest]]:
    """The Secrets, and the other objects."""
    from zerojhub.backup import objects, store

    hub = asdict(await run.once(secrets_in_use, run))
    crons = Crons.of(run[Access], settings.namespace)
    secrets = objects.secrets(settings, store.read(spec(run)), hub)
    return secrets, objects.rest(settings, spec(run).schedule, crons.api)


def _when(run: Run) -> str:
    """The schedule in words. UserError if it is none."""
    try:
        return schedule.read(spec(run).schedule, where=run.deployment.where("backup", "schedule")).words()
    except UserError:
        return re.sub(r"\s+", " ", spec(run).schedule)
