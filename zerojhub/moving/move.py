"""The move of a hub with its volumes, there and back, and its end.

Each of them looks first and does what is missing, so that it continues wherever an earlier run was stopped.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from zerojhub import graph
from zerojhub.data import accounts, handover, reattach
from zerojhub.data.keep import keep
from zerojhub.errors import ZeroJHubError
from zerojhub.hub import pods
from zerojhub.kube.kinds import DEPLOYMENT, PERSISTENT_VOLUME_CLAIM
from zerojhub.moving import address, rehearsal, stop, switch
from zerojhub.moving import plan as planning
from zerojhub.moving.build import build, build_again
from zerojhub.moving.plan import Plan, Progress
from zerojhub.moving.switch import Finished, Moved
from zerojhub.openstack import cinder
from zerojhub.stages import STAGES, Address, Chart, Endpoint, Volumes
from zerojhub.stages.chart import names_are_safe
from zerojhub.stages.volumes import hub_of
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.data.accounts import Database, Prepared
    from zerojhub.moving.sides import Side
    from zerojhub.run import Run
    from zerojhub.text import Say


make = planning.make


async def there(old: Side, new: Side, plan: Plan) -> Moved:
    """Move the hub from the old cluster to the new one. Raises Problems for what cannot work, before anything is stopped."""
    plan.refuse()
    if plan.progress in (Progress.moved, Progress.finished):
        await graph.up(new.run, STAGES)
        return Moved(new.run[Endpoint], len(plan.volumes), None, restored=False)
    await rehearsal.clean(old, new)
    if plan.progress is Progress.to_do:
        await switch.announce(old, new.run)
    return await _transfer(*await build(old, new), back=False)


async def back(old: Side, new: Side, plan: Plan) -> Moved:
    """Have the old cluster run the hub again, with everything that was done on the new one.

    ZeroJHubError after the old deployment was deleted.
    """
    await build_again(old, new, plan)
    return await _transfer(new, old, back=True)


async def finish(old: Side, new: Side, plan: Plan) -> Finished:
    """Delete the old deployment, and verify that no volume went with it. ZeroJHubError if the hub has not moved."""
    if plan.progress not in (Progress.moved, Progress.finished):
        raise ZeroJHubError(f"the hub has not moved to {new.name} yet", hint="run the same command without --finish")
    kept, cluster = await switch.delete(old, new, but_on_one_cluster=(Address, Chart))
    with graph.step(new.run, "verify") as step:
        there = {each["id"] for each in await cinder.volumes(new.run.cloud) if each["status"] != "deleting"}
        if lost := [each for each in plan.volumes if each.volume not in there]:
            names = ", ".join(f"{each.volume} ({each.owner})" for each in lost)
            raise ZeroJHubError(f"Cinder no longer has {names}", hint="ask the operators of the cloud at once")
        step.outcome, step.detail = "done", f"{plural(len(plan.volumes), 'volume')} there"
    return Finished(len(plan.volumes), kept, cluster)


def ask_there(names: tuple[str, str], plan: Plan) -> str:
    what = f"{plural(len(plan.volumes), 'volume')} from {names[0]} to {names[1]}"
    return f"Move {what}? Nobody can work for about {plan.downtime_seconds} s"


async def ask_back(names: tuple[str, str], old: Side, new: Side) -> str:
    accounts_are = "if the new chart has upgraded the accounts, they are as before the move"
    return f"Have {names[0]} run the hub again? All servers are stopped; {accounts_are}"


def ask_finish(names: tuple[str, str], plan: Plan) -> str:
    return f"Delete {names[0]} and its cluster? Its users' volumes are those of {names[1]} and stay"


async def _transfer(source: Side, target: Side, *, back: bool) -> Moved:
    """Stop the source's hub, hand its volumes over, and start the target's. `back`: the source is the new deployment."""
    run, cloud = target.run, target.run.cloud
    stopped = None if source.moved_to == target.name else time.monotonic()
    if source.installed:
        with graph.step(run, "stop") as step:
            await _stop(source, target, run.say)
            await address.free(source, target, run.say)
            step.outcome = "done"
        if not back:
            await _prepare_accounts(run, source, noted=source.namespace, wanted=target.namespace, back=False)
    with graph.step(run, "hand over") as step:
        going = await planning.leaving(source, target)
        if source.data.kube:
            await handover.wait_until_detached(source.data.kube, cloud, going, run.say)
            await handover.hand_over(source.data.kube, cloud, going, source.party, target.party, run.say)
        turned = await handover.redirect(cloud, source.party, target.party)
        step.outcome, step.detail = "done", plural(len(going) + turned, "volume")
    run.forget_answers()
    await graph.ensure(run, Volumes)
    listed = await cinder.volumes(cloud)
    moved = [each["id"] for each in listed if handover.was_moved(each, target.name, source.name)]
    if blocking := [problem for problem in run[Volumes].problems if any(volume in problem for volume in moved)]:
        raise ZeroJHubError(
            f"{plural(len(blocking), 'volume')} cannot be used by {target.name}, so its hub is not started",
            hint="repair that and run the same command again, or undo the move with --back",
            details=[f"  {problem}" for problem in blocking],
        )
    prepared = None
    if back:
        prepared = await _prepare_accounts(run, target, noted=source.namespace, wanted=target.namespace, back=True)
    elif target.installed and (database := await _database_of(target)):
        await _claim(run, target, database)
    url, downtime = await switch.start(target, stopped)
    return Moved(url, len(moved), downtime, restored=bool(prepared and prepared.restored))


async def _stop(source: Side, target: Side, say: Say) -> None:
    """Bring the source's hub to a standstill, and keep all its volumes."""
    await switch.halt(source, target, say)
    await keep(
        source.kube,
        source.run.cloud,
        deployment=source.name,
        namespace=source.namespace,
        cluster=source.party.cluster,
        safe=names_are_safe(source.require_release()),
        say=say,
    )


async def _prepare_accounts(run: Run, holder: Side, *, noted: str, wanted: str, back: bool) -> Prepared | None:
    """Prepare the database on the holder's cluster; None if it has none there, or its hub has never been stopped."""
    database = await _database_of(holder)
    if database is None:
        return None
    with graph.step(run, "accounts") as step:
        await stop.wait_until_stopped(holder.kube, holder.namespace, run.say)
        if back:
            await _claim(run, holder, database)
        elif await holder.kube.get(PERSISTENT_VOLUME_CLAIM, database.claim, holder.namespace) is None:
            step.detail = "handed over already"
            return None
        prepared = await accounts.prepare(
            holder.kube, holder.namespace, database, noted=noted, wanted=wanted, back=back, say=run.say
        )
        step.outcome = "done"
        step.detail = "restored from before the move" if prepared.restored else database.name
    return prepared


async def _database_of(holder: Side) -> Database | None:
    """The database of a hub that is stopped; None if it is not on a volume."""
    labels = f"release={holder.release},component=hub"
    for hub in await holder.kube.list(DEPLOYMENT, holder.namespace, labels=labels):
        if (claim := pods.claim_of(hub)) and pods.is_stopped(hub):
            return accounts.on_volume(holder.require_release().values, claim, pods.image_of(hub))
    return None


async def _claim(run: Run, holder: Side, database: Database) -> None:
    """Claim the hub's volume for a release that is there already, before anything starts it."""
    if await holder.kube.get(PERSISTENT_VOLUME_CLAIM, database.claim, holder.namespace) is None:
        await reattach.claim_for_hub(holder.kube, database.claim, holder.release, await hub_of(run))
