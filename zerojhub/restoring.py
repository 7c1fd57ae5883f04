"""Restoring from backups: a user's files, the hub's accounts, or a whole hub with everybody's files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING

from zerojhub import graph
from zerojhub.backup import objects, store
from zerojhub.backup import recover as recovering
from zerojhub.backup.installed import find
from zerojhub.data import claims, pods
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub.charts import at as value_at
from zerojhub.hub.secrets import Secrets
from zerojhub.hub.standstill import standstill
from zerojhub.kube import namespaces
from zerojhub.kube.crons import Crons
from zerojhub.stages import Access, Backup, Chart, HelmProgram, Values, Volumes
from zerojhub.stages.backup import settings_before, spec
from zerojhub.stages.helm import hub_release
from zerojhub.stages.volumes import hub_of
from zerojhub.text import minute, plural

if TYPE_CHECKING:
    from zerojhub.backup.installed import Installed
    from zerojhub.backup.night import Owner
    from zerojhub.backup.pod import Settings
    from zerojhub.backup.work import Result
    from zerojhub.run import Run

Ask = Callable[[str], None]
"""Asks a question, and raises for a no."""


async def files(
    run: Run, here: Installed, owner: Owner, path: str, at: str, into: str | None, ask: Ask, *, over: bool
) -> Result:
    """Restore a user's files, to a new folder or `over` what is there. Who has no volume any more gets a new one.

    UserError if files are to be replaced while the user's server runs.
    """
    claim = owner.claim
    if claim and over:
        await pods.refuse_if_used(here.kube, here.settings.namespace, [claim])
        what = path or "all files"
        ask(f"Replace {what} of {owner.label} by the backup {f'of {at}' if at else 'made last'}?")
    if claim is None:
        over = over or into is None  # there is nothing that could be replaced
        await graph.require(run, *Volumes.needs)
        size = owner.size or str(value_at(run[Values].merged(), "singleuser", "storage", "capacity") or "10Gi")
        claim = await claims.create(here.kube, await hub_of(run), str(owner.user), owner.server, size)
    return await here.restore(owner, claim=claim, at=at, path=path, into=into, over=over, say=run.say)


async def accounts(run: Run, here: Installed, at: str, ask: Ask) -> Result:
    """Replace the hub's database, for which the hub stops. ZeroJHubError if that is not on a volume."""
    claim = here.hub().claim
    if claim is None:
        raise ZeroJHubError("the hub's database is not on a volume of the cluster", hint="restore it where it is")
    say = f"by those {f'of {at}' if at else 'of the last backup'}"
    ask(f"Replace the hub's accounts {say}? The hub stops for a moment.")
    deployment = run.deployment
    async with standstill(here.kube, deployment.namespace, deployment.release, run.say):
        return await here.restore_hub(claim, at, run.say)


async def whole_hub(run: Run) -> None:
    """Create the hub with everybody's files and accounts as in the last backups. Repeatable.

    UserError if the deployment has no backups, or if there is a hub already that does not come from an interrupted run.
    ZeroJHubError if something cannot be restored; another run goes on.
    """
    if run.deployment.backup is None:
        raise UserError(
            "the deployment has no backups", where=str(run.deployment.path), hint="add the section backup as it was"
        )
    await Backup().check(run)  # before anything is created
    await graph.up(run, graph.with_needs([HelmProgram, Volumes]))
    with graph.step(run, "files") as step:
        step.detail = await _everybodys_files(run)
        step.outcome = "done"
    run.forget_answers()
    await graph.up(run, graph.with_needs([Chart]))
    with graph.step(run, "accounts") as step:
        step.detail = await _accounts_of_new_hub(run)
        step.outcome = "done"
    run.forget_answers()


async def _everybodys_files(run: Run) -> str:
    """Fetch the hub's secrets, and restore everybody's files, before there is a hub; what was done, in a line."""
    kube, namespace = run[Access].kube, run.deployment.namespace
    if await hub_release(run):
        if await recovering.is_under_way(kube, namespace):
            return "restored already"
        raise UserError("there is a hub already", hint="zerojhub backup restore puts back files and accounts")
    await namespaces.ensure(kube, namespace)
    await recovering.mark(kube, namespace)
    settings = await prepare(run)
    fetched = await recovering.fetch(kube, settings, run.say)
    known = {field.name for field in fields(Secrets)}
    Secrets(**{key: text for key, text in fetched.secrets.items() if key in known and text}).keep(run.folder)
    await recovering.note_again(kube, namespace, fetched.noted)
    number = await recovering.restore_everybody(
        kube, settings, await hub_of(run), fetched, run.say, lambda text: run.note(f"warning: {text}")
    )
    return f"{plural(number, 'volume')} as of {minute(fetched.time)}"


async def prepare(run: Run) -> Settings:
    """Create what pods need that restore, in a namespace without a hub: programs and secrets, and no cron job."""
    settings, kube = settings_before(run), run[Access].kube
    *others, _ = objects.rest(settings, spec(run).schedule, Crons.of(run[Access], settings.namespace).api)
    for each in [*objects.secrets(settings, store.read(spec(run)), {}), *others]:
        await kube.apply(each)
    return settings


async def _accounts_of_new_hub(run: Run) -> str:
    """Put the hub's database back after it has been installed; what was done, in a line."""
    kube, namespace = run[Access].kube, run.deployment.namespace
    installed = await find(Crons.of(run[Access], namespace))
    if claim := installed.hub().claim:
        async with standstill(kube, namespace, run.deployment.release, run.say):
            found = await installed.restore_hub(claim, "", run.say)
        done = f"accounts as of {minute(found['time'])}"
    else:
        done = "the hub's database is not on a volume of the cluster: restore it where it is"
    await recovering.unmark(kube, namespace)
    return done
