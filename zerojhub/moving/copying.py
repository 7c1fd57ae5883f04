"""Moving a hub to where its volumes cannot go, such as another project or cloud: everybody's files are copied through backups.

While people work, everything is backed up, and restored on the new cluster. When the hub is stopped, that is done once more
with what has changed since, and with the hub's database. A claim on the new cluster says which backup its files are those
of, so a run that was interrupted is continued with the people who are left. Nothing is removed from the old cluster, so going
back needs no copying.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING

from zerojhub import graph, restoring
from zerojhub.answers import checked
from zerojhub.backup import recover, state, store, work
from zerojhub.backup.installed import Installed, find
from zerojhub.backup.night import CHECK, HUB_NAME, Owner, owners
from zerojhub.backup.pod import STATE
from zerojhub.backup.recover import PENDING, Home
from zerojhub.data import accounts, claims, reattach
from zerojhub.data import owner as ownership
from zerojhub.data.inventory import State as VolumeState
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub import standstill
from zerojhub.hub.charts import at
from zerojhub.hub.names import HUB_CLAIM
from zerojhub.kube import namespaces, quantity
from zerojhub.kube.kinds import CONFIG_MAP, NAMESPACE
from zerojhub.kube.labels import USERNAME
from zerojhub.kube.volumes import cinder_id
from zerojhub.moving import address, pull, switch
from zerojhub.moving import plan as planning
from zerojhub.moving.build import build, build_again
from zerojhub.moving.plan import Moving, Place, Plan, Progress
from zerojhub.moving.sides import Side
from zerojhub.moving.switch import Finished, Moved
from zerojhub.stages import STAGES, Address, Backup, Chart, Endpoint, Values
from zerojhub.stages.chart import names_are_safe
from zerojhub.stages.kept_address import KEEP
from zerojhub.stages.volumes import hub_of
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.backup.pod import Settings
    from zerojhub.backup.state import Noted
    from zerojhub.deployment import Deployment

BEFORE = "standstill.json"
"""Where the old cluster notes, beside what the cron job notes, each owner's last backup from before the standstill: whatever
comes after it is complete. Not a time, because the clocks of this machine and of the cluster may differ."""

MOST_NAMED = 20
"""Owners that are named in a question."""


def share_backups(old: Deployment, new: Deployment) -> None:
    """Have both deployments back up to the same place; one of them may leave that to the other's file.

    UserError if neither has one, or not the same. Raises Problems for mistakes in the files with the password and the login.
    """
    wanted = new.backup or old.backup
    if wanted is None:
        raise UserError(
            "a copy goes through backups, and neither file has a section backup",
            where=str(new.path),
            hint="add to it: backup: {to: s3:https://HOST/BUCKET, password_file: FILE, credentials_file: FILE}",
        )
    if old.backup and old.backup.to.rstrip("/") != wanted.to.rstrip("/"):
        raise UserError(
            f"the backups of {old.name} are in {old.backup.to}, and those of {new.name} in another place",
            where=new.where("backup", "to"),
            hint=f"set it to {old.backup.to}",
        )
    old.backup, new.backup = old.backup or wanted, wanted
    if store.read(old.backup).password != store.read(wanted).password:
        raise UserError(
            f"it has another password than the backups of {old.name}",
            where=str(wanted.password_file),
            hint=f"use {old.backup.password_file}",
        )


async def make(old: Side, new: Side) -> Plan:
    """Look at everything that a move with copies depends on. Changes nothing.

    ZeroJHubError if the old cluster does not respond; UserError if the move was begun without copies.
    """
    if old.moved_to == new.name and new.copied_from != old.name:
        raise UserError(f"the move of {old.name} to {new.name} was begun without --copy", hint="leave it out")
    progress = how_far(old, new)
    rows, problems, remarks = volumes(old, new)
    if progress in (Progress.to_do, Progress.under_way):
        old.data.require_answers()
        problems += _places(old, new)
        problems += planning.structural(old, new, planning.merged_values(new) if Values in new.found else None)
    if progress is Progress.to_do:
        old.require_release()
        problems += in_the_way(old, new) + await planning.other_pods(old)
        noted = await state.read(old.kube, old.namespace)
        if known := [each["bytes"] for each in noted.get("owners", {}).values() if "bytes" in each]:
            remarks.append(f"{sum(known) / 2**30:.1f} GB of files in the last backups of {plural(len(known), 'owner')}")
    backup = new.run.deployment.backup
    remarks += planning.remarks(old, new, copied=True)
    return Plan(progress, rows, planning.differences(old, new), remarks, problems, backup.to if backup else None)


def how_far(old: Side, new: Side) -> Progress:
    """How far the move is."""
    if new.copied_from == old.name and new.moved_to is None and new.installed and new.data.running.url:
        if old.installed is None:
            return Progress.moved if planning.remains(old, new) else Progress.finished
        if old.moved_to == new.name:
            return Progress.moved
    return Progress.under_way if old.moved_to == new.name else Progress.to_do


def volumes(old: Side, new: Side) -> tuple[list[Moving], list[ZeroJHubError], list[str]]:
    """What is copied, why some of it cannot be, and remarks about what is not."""
    here, copies = old.data.here, copies_on(new)
    listed = {each["metadata"]["name"]: each for each in here.claims} if here else {}
    ids = {each["metadata"]["name"]: cinder_id(each) for each in here.volumes} if here else {}
    going, problems = owners([dict(each) for each in listed.values()], database=_has_database(old))
    rows = []
    for owner in going:
        if owner.claim:
            name = listed[owner.claim]["spec"].get("volumeName", "")
            place = Place.copied if copies.get(owner.name) not in (None, PENDING) else Place.old
            rows.append(Moving(owner.label, _gigabytes(owner), ids.get(name) or name, place))
    taken = {each.claim for each in going}
    rest = [
        name
        for name, claim in listed.items()
        if name not in taken
        and not name.endswith(HUB_CLAIM)
        and claim["metadata"].get("annotations", {}).get(USERNAME) != CHECK
    ]
    remarks = [f"not copied, because it is nobody's or has no volume: {', '.join(rest)}"] if rest else []
    return rows, [UserError(text, hint="zerojhub data list") for text in problems], remarks


def _gigabytes(owner: Owner) -> int:
    return ceil(quantity.number(owner.size) / 2**30) if owner.size else 0


def copies_on(new: Side) -> Mapping[str, str]:
    """Repository -> the backup whose files the new cluster has, or PENDING."""
    listed = new.data.here.claims if new.data.here else ()
    restored = {each["metadata"]["name"]: recover.restored_from(each) for each in listed}
    found, _ = owners([dict(each) for each in listed], database=True)
    return {each.name: text for each in found if each.claim and (text := restored[each.claim])}


def _has_database(old: Side) -> bool:
    """Is the hub's database on its volume?"""
    return old.installed is None or at(old.installed.values, "hub", "db", "type") in (None, "sqlite-pvc")


def _places(old: Side, new: Side) -> list[ZeroJHubError]:
    """Why files cannot be copied from the one place to the other."""
    found: list[ZeroJHubError] = []
    one_project = planning.project(old) == planning.project(new)
    if one_project and (old.name == new.name or (old.party.cluster and old.party == new.party)):
        found.append(UserError(f"{old.name} and {new.name} are the same", where=new.run.deployment.where("name")))
    if not one_project and (wanted := address.wanted_by_both(old, new) - {KEEP}):
        hint = "leave it out, or give an address of that project"
        found.append(UserError(f"the address {' '.join(wanted)} is in the project of {old.name}", hint=hint))
    return found


def in_the_way(old: Side, new: Side) -> list[ZeroJHubError]:
    """What people may have worked with on the new cluster already: it is not replaced."""
    if new.copied_from != old.name:
        return planning.in_the_way(old, new)
    hint = f"to delete that and copy again: zerojhub down --delete-data -f {new.run.deployment.path}"
    if new.installed:
        return [UserError(f"people have worked on {new.name} since it was copied to earlier", hint=hint)]
    kept = [each for each in new.data.items if each.state is VolumeState.kept]
    listed = new.data.here.claims if new.data.here else ()
    strange = [each["metadata"]["name"] for each in listed if recover.restored_from(each) is None]
    if kept or strange:
        number = plural(len(kept) + len(strange), "volume")
        return [UserError(f"{new.name} already has {number} that no copy was made to", hint=hint)]
    return []


async def there(old: Side, new: Side, plan: Plan) -> Moved:
    """Move the hub from the old cluster to the new one. Raises Problems for what cannot work, before anything is stopped."""
    plan.refuse()
    if plan.progress in (Progress.moved, Progress.finished):
        await graph.up(new.run, STAGES)
        return Moved(new.run[Endpoint], len(copies_on(new)), None, restored=False, copied=True)
    if plan.progress is Progress.to_do:
        await Backup().check(new.run)
        await switch.announce(old, new.run)
        with graph.step(new.run, "backups") as step:
            await graph.ensure(old.found, Backup)  # tries the login, before there is a cluster to wait for
            step.outcome, step.detail = "done", f"to {plan.through}"
    old, new = await build(old, new, make)
    if plan.progress is Progress.to_do:
        await _copy_while_people_work(old, new)
    return await _transfer(old, new, len(plan.volumes))


async def back(old: Side, new: Side, plan: Plan) -> Moved:
    """Have the old cluster run the hub again, as it was when it was stopped. What was done on the new one stays there.

    ZeroJHubError after the old deployment was deleted.
    """
    await build_again(old, new, plan)
    stopped = None if new.moved_to == old.name else time.monotonic()
    if new.installed:
        with graph.step(old.run, "stop") as step:
            await switch.halt(new, old, old.run.say)
            await address.free(new, old, old.run.say)
            step.outcome = "done"
    url, downtime = await switch.start(old, stopped)
    return Moved(url, len(plan.volumes), downtime, restored=False, copied=True)


async def finish(old: Side, new: Side, plan: Plan) -> Finished:
    """Delete the old deployment, except for its volumes. ZeroJHubError if the new one does not have copies of all of them."""
    if plan.progress not in (Progress.moved, Progress.finished):
        raise ZeroJHubError(f"the hub has not moved to {new.name} yet", hint="run the same command without --finish")
    with graph.step(new.run, "verify") as step:
        if lost := [each.owner for each in plan.volumes if each.place is not Place.copied]:
            raise ZeroJHubError(
                f"{new.name} has no copy of what {', '.join(lost)} had",
                hint=f"if it was deleted there on purpose: zerojhub down -f {old.run.deployment.path}",
            )
        number = len(copies_on(new))
        step.outcome, step.detail = "done", f"what {plural(number, 'owner')} had is there"
    kept, cluster = await switch.delete(old, new, but_on_one_cluster=(Backup, Address, Chart))
    return Finished(number, kept, cluster, copied=True)


def ask_there(names: tuple[str, str], plan: Plan) -> str:
    what = f"{plural(len(plan.volumes), 'volume')} from {names[0]} to {names[1]}, {plan.size_gb} GB, through {plan.through}"
    return f"Copy {what}? In the end nobody can work for about {plan.downtime_seconds} s"


async def ask_back(names: tuple[str, str], old: Side, new: Side) -> str:
    noted: Noted = await state.read(old.kube, old.namespace) if old.data.kube else {}
    copied = noted.get("owners", {}).get(HUB_NAME, {}).get("last_good", "")
    used = {str(each.user) for each in new.data.items if each.user and (each.last_used or "") > copied} - {CHECK}
    who = ", ".join(sorted(used)) or "nobody, as far as is known,"
    return (
        f"Have {names[0]} run the hub again? Files and accounts are as they were when it was stopped; what was written on"
        f" {new.name} since stays there ({who} worked there)"
    )


def ask_finish(names: tuple[str, str], plan: Plan) -> str:
    people = ", ".join(plan.people[:MOST_NAMED]) + (" …" if len(plan.people) > MOST_NAMED else "")
    old_ones = f"{plural(len(plan.volumes), 'volume')}, {plan.size_gb} GB, of {people}"
    return f"Delete {names[0]} and its cluster? {names[1]} has copies of everything; the old {old_ones} are kept"


async def _copy_while_people_work(old: Side, new: Side) -> None:
    """Back up everything, and restore it on the new cluster, so that little is left to do when the hub is stopped."""
    run = new.run
    with graph.step(run, "place") as step:
        await namespaces.ensure(new.kube, new.namespace)
        await new.kube.annotate(NAMESPACE, new.namespace, copied_from=old.name)
        await standstill.mark(new.kube, new.namespace, old.name)  # `up` is not to start a hub there yet
        settings = await restoring.prepare(run)
        await work.open_place(new.kube, settings, run.say)  # from there, too
        step.outcome, step.detail = "done", f"{settings.to} from {new.name}"
    with graph.step(run, "first backup") as step:
        here = await find(old.crons)
        await here.run((), run.say)
        step.outcome, step.detail = "done", plural(len(here.there), "owner")
    with graph.step(run, "first copy") as step:
        number = await _restore(old, new, settings, here, last=False)
        step.outcome, step.detail = "done", plural(number, "home")


async def _transfer(source: Side, target: Side, number: int) -> Moved:
    """Stop the source's hub, copy what is not copied yet, and start the target's."""
    run = target.run
    stopped = None if source.moved_to == target.name else time.monotonic()
    with graph.step(run, "stop") as step:
        if stopped is not None:
            await _note_before(source, None)
        await switch.halt(source, target, run.say)
        await address.free(source, target, run.say)
        step.outcome = "done"
    # From the moment that the target has a release, people may have worked there.
    if target.installed is None:
        try:
            await _copy_the_rest(source, target)
        except ZeroJHubError as error:
            error.hint = "run the same command again, or undo the move with --back"
            raise
    url, downtime = await switch.start(target, stopped)
    return Moved(url, number, downtime, restored=False, copied=True)


async def _copy_the_rest(source: Side, target: Side) -> None:
    """Back up and restore what has changed since the first time, and the hub's database. Nobody works."""
    run = target.run
    here = await find(source.crons)
    with graph.step(run, "last backup") as step:
        if await _before(source) is None:
            await _note_before(source, _snapshots(here.noted))
        before = await _before(source) or {}
        left = [each for each in here.there if _is_open(each, here.noted, before)]
        if left:
            await here.run(left if len(left) < len(here.there) else (), run.say)
        here = await find(source.crons)
        if missing := [each.label for each in here.there if _is_open(each, here.noted, before)]:
            raise ZeroJHubError(f"there is no backup of {', '.join(missing)} since the hub was stopped")
        step.outcome, step.detail = "done", plural(len(left), "owner")
    with graph.step(run, "last copy") as step:
        settings = await restoring.prepare(run)
        copied = await _restore(source, target, settings, here, last=True)
        await _restore_accounts(source, target, settings, here)
        await recover.note_again(target.kube, target.namespace, here.noted)
        step.outcome, step.detail = "done", plural(copied, "home")


async def _restore(source: Side, target: Side, settings: Settings, here: Installed, *, last: bool) -> int:
    """Have the target have everybody's files as in their last backups; how many homes were not yet so.

    Except for the `last` time, there may be newer backups than those that are noted.
    """
    noted = (await state.read(source.kube, source.namespace)).get("owners", {})
    hub = await hub_of(target.run)
    safe = names_are_safe(source.require_release())
    homes = []
    for each in here.there:
        entry = noted.get(each.name, {})
        if each.user is not None and "snapshot" in entry:  # or else the volume was deleted meanwhile
            whose = ownership.Owner(source.namespace, each.claim or "", user=each.user, server=each.server, safe=safe)
            name = reattach.claim_name(whose, hub.scheme, accounts=True)
            homes.append(Home(entry, name, entry["snapshot"] if last else None))
    return await recover.bring_up_to_date(target.kube, settings, hub, homes, target.run.say)


async def _restore_accounts(source: Side, target: Side, settings: Settings, here: Installed) -> None:
    """Have the hub's volume have the database of the last backup, before the hub starts for the first time."""
    name, snapshot = here.hub().claim, here.noted["owners"][HUB_NAME]["snapshot"]
    if name is None:
        return
    run, kube, namespace = target.run, target.kube, target.namespace
    if not await recover.begin(kube, claims.hub_manifest(await hub_of(run), name, target.release), snapshot):
        return
    values = planning.merged_values(target)
    database = accounts.on_volume(values, name, pull.images_of(values)[0])
    assert database  # a hub with accounts elsewhere has been refused, unless the old one has them there, too
    await work.restore_hub(kube, settings, name, run.say, at=snapshot, folder=database.folder)
    if source.namespace != namespace:
        await accounts.prepare(
            kube, namespace, database, noted=source.namespace, wanted=namespace, back=False, say=run.say
        )
    await recover.set_restored(kube, name, namespace, snapshot)


def _snapshots(noted: Noted) -> dict[str, str]:
    """Repository -> the last backup."""
    return {name: each["snapshot"] for name, each in noted.get("owners", {}).items() if "snapshot" in each}


def _is_open(owner: Owner, noted: Noted, before: Mapping[str, str]) -> bool:
    """Has the owner no backup since the standstill?"""
    return _snapshots(noted).get(owner.name) == before.get(owner.name)


async def _before(source: Side) -> dict[str, str] | None:
    """What `_note_before` has noted; None if nothing is."""
    there = await source.kube.get(CONFIG_MAP, STATE, source.namespace)
    text = there.get("data", {}).get(BEFORE) if there else None
    return checked(json.loads(text), dict[str, str]) if text else None


async def _note_before(source: Side, snapshots: Mapping[str, str] | None) -> None:
    """Note everybody's last backup from before the standstill, or with None that it has not begun."""
    if snapshots is None and await _before(source) is None:
        return
    text = None if snapshots is None else json.dumps(snapshots)
    await source.kube.merge(CONFIG_MAP, STATE, source.namespace, {"data": {BEFORE: text}})
