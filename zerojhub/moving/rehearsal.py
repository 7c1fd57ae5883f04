"""Rehearsing a move: the hub on the new cluster with copies of volumes, next to the old one, where people keep working.

The copies are volumes of their own, so nothing that the rehearsed hub does, such as deleting a user, can reach anybody's files.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from zerojhub import graph
from zerojhub.data import accounts, reattach
from zerojhub.data.handover import Leaving
from zerojhub.data.kept import now
from zerojhub.data.owner import KEPT, recorded
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub.charts import at
from zerojhub.hub.client import HubClient
from zerojhub.hub.kernel import run_cell
from zerojhub.hub.values import merged
from zerojhub.kube import namespaces
from zerojhub.kube.kinds import NAMESPACE, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM
from zerojhub.kube.labels import USERNAME
from zerojhub.kube.volumes import cinder_id
from zerojhub.moving import plan as planning
from zerojhub.moving import pull
from zerojhub.moving.build import build
from zerojhub.moving.plan import Plan, Progress
from zerojhub.moving.sides import REHEARSAL, Side
from zerojhub.openstack import cinder, leftovers
from zerojhub.run import Run
from zerojhub.stage import Teardown
from zerojhub.stages import STAGES, Address, Chart, Check, Endpoint, Values, Volumes
from zerojhub.stages.volumes import hub_of
from zerojhub.tasks import gather
from zerojhub.text import plural
from zerojhub.waiting import NotYet, wait_until

if TYPE_CHECKING:
    from zerojhub.deployment import Deployment
    from zerojhub.hub.charts import ChartValues
    from zerojhub.kube.client import Kube
    from zerojhub.text import Say

COPY_OF = "zerojhub:copy_of"
"""The metadata of a copy: the UUID of the volume in Cinder."""
MOST = 3
"""People whose volumes are copied."""
COPY_TIMEOUT = 1800
"""Seconds for Cinder to copy the volumes."""
START_TIMEOUT = 600
"""Seconds for a server to start."""
STOPPING = 20
"""Seconds that stopping the old hub is expected to take."""
COUNT = "import os; print(sum(len(files) for _, _, files in os.walk(os.path.expanduser('~'))))"
HARMLESS: ChartValues = {
    "cull": {"enabled": False},
    "hub": {"config": {"KubeSpawner": {"delete_pvc": False}}},
    "proxy": {"https": {"enabled": False}},
}
"""The values of a hub that does nothing by itself, and is reached by its address."""


@dataclass(frozen=True)
class Tried:
    """Somebody whose server has been started on a copy of their volume."""

    user: str
    files: int
    """How many there are in their home."""
    start_seconds: float


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal has found."""

    plan: Plan
    people: list[Tried]
    install_seconds: float
    """From the installation of the hub until it answers."""

    @property
    def downtime_seconds(self) -> int:
        """What the move is expected to take, as measured."""
        return round(STOPPING + self.install_seconds + planning.EACH * len(self.plan.people))


async def rehearse(old: Side, new: Side, plan: Plan) -> Rehearsed:
    """Install the hub on the new cluster with copies, test it, and delete all that again. The new cluster stays.

    Raises Problems for what cannot work, and ZeroJHubError for what did not.
    """
    plan.refuse()
    if plan.progress is not Progress.to_do:
        raise UserError(f"the move is {plan.progress}, so there is nothing to rehearse")
    if old.installed and (at(old.installed.values, "hub", "db", "type") or "sqlite-pvc") != "sqlite-pvc":
        raise UserError("the hub's accounts are in a database outside of the cluster, which a rehearsal would change")
    run = Run(on_its_own(new.run.deployment), new.run.progress, new.run.cloud, new.run.ask_passphrase)
    new.run.on_close(run.close)
    trial = replace(new, run=run)
    await clean(old, trial)
    old, trial = await build(old, trial)
    try:
        rehearsed = await _try_all(old, trial, plan)
    except ZeroJHubError:
        with contextlib.suppress(ZeroJHubError):
            await clean(old, trial)
        raise
    await clean(old, trial)
    return rehearsed


def on_its_own(deployment: Deployment) -> Deployment:
    """The deployment without the name and the address that lead to the old hub."""
    alone = {"host": None, "https": None, "contact": None, "address": None}
    return deployment.model_copy(update={"hub": deployment.hub.model_copy(update=alone)})


def harmless(values: ChartValues, expose: str) -> ChartValues:
    """The user's values for a hub that does nothing by itself, and takes no address from the old one."""
    over = copy.deepcopy(HARMLESS)
    service: ChartValues = {}
    if at(values, "proxy", "service", "loadBalancerIP"):
        service["loadBalancerIP"] = None
    if at(values, "proxy", "service", "type") == "ClusterIP":
        service["type"] = expose
    if service:
        over["proxy"]["service"] = service
    changed: ChartValues = merged(values, over)
    return changed


def sample(going: Sequence[Leaving], most: int = MOST) -> list[Leaving]:
    """The hub's own volume, and those of some people: first those whose names are not written alike everywhere."""
    homes = [each for each in going if each.volume.owner.user and not each.volume.owner.server]
    homes.sort(key=lambda each: ((each.volume.owner.user or "").isalpha(), each.volume.size_gb))
    return [*(each for each in going if reattach.is_hub(each.volume)), *homes[:most]]


async def _try_all(old: Side, new: Side, plan: Plan) -> Rehearsed:
    run, kube = new.run, new.kube
    await namespaces.ensure(kube, new.namespace)
    await kube.merge(NAMESPACE, new.namespace, None, {"metadata": {"annotations": {REHEARSAL: old.name}}})
    chosen = sample(await planning.leaving(old, new))
    with graph.step(run, "copy") as step:
        await _copy(old, new, chosen, run.say)
        step.outcome, step.detail = "done", f"{plural(len(chosen), 'volume')} of {len(plan.volumes)}"
    rendered = run[Values]
    user = copy.copy(rendered.user)
    user.values = harmless(user.values, run.deployment.hub.expose)
    run[Values] = replace(rendered, user=user, fingerprint=f"{rendered.fingerprint}-rehearsal")
    run.forget_answers()
    await graph.ensure(run, Volumes)
    if run[Volumes].problems:
        raise ZeroJHubError(f"{new.name} cannot use a copy: {'; '.join(run[Volumes].problems)}")
    await _note_namespace(old, new, chosen)
    started = time.monotonic()
    for stage in (Chart, Address, Endpoint):
        await graph.ensure(run, stage)
    install_seconds = round(time.monotonic() - started, 1)
    await graph.ensure(run, Check)
    people = [each.volume.owner.user for each in chosen if each.volume.owner.user]
    with graph.step(run, "people") as step:
        tried = [await _try(run, name) for name in people]
        await _refuse_new_volumes(new, people)
        step.outcome, step.detail = "done", ", ".join(f"{each.user}: {plural(each.files, 'file')}" for each in tried)
    return Rehearsed(plan, tried, install_seconds)


async def _copy(old: Side, new: Side, chosen: Sequence[Leaving], say: Say) -> None:
    """Have Cinder copy the volumes, and wait for it. ZeroJHubError if it fails."""
    cloud = new.run.cloud

    async def copy_one(each: Leaving) -> str:
        marks = replace(each.volume.owner, cluster=old.party.cluster).metadata() | {
            KEPT: now(cloud),
            COPY_OF: each.volume.id,
        }
        name = f"zerojhub-rehearsal-{each.volume.name}"
        return (await cinder.clone_volume(cloud, each.volume.id, each.volume.size_gb, name, marks))["id"]

    ids = await gather(*map(copy_one, chosen))

    async def look() -> bool | NotYet:
        statuses = {each["id"]: each["status"] for each in await cinder.volumes(cloud) if each["id"] in ids}
        if failed := [volume for volume, status in statuses.items() if status.startswith("error")]:
            raise ZeroJHubError(f"Cinder could not copy a volume: {failed[0]} has status {statuses[failed[0]]}")
        waiting = [volume for volume, status in statuses.items() if status != cinder.AVAILABLE]
        return NotYet(f"Cinder copies {plural(len(waiting), 'volume')}") if waiting else True

    await wait_until(look, timeout=COPY_TIMEOUT, pause=(0.5, 5), say=say)


async def _note_namespace(old: Side, new: Side, chosen: Sequence[Leaving]) -> None:
    """Have the copied database note the new namespace: otherwise servers would start in the old one, on the same cluster even
    with the real volumes."""
    hub = next((each.volume for each in chosen if reattach.is_hub(each.volume)), None)
    if hub is None or old.namespace == new.namespace:
        return
    run, values = new.run, planning.merged_values(new)
    database = accounts.on_volume(values, hub.owner.claim, pull.images_of(values)[0])
    if database:
        with graph.step(run, "accounts") as step:
            await reattach.claim_for_hub(new.kube, hub.owner.claim, new.release, await hub_of(run))
            await accounts.prepare(
                new.kube, new.namespace, database, noted=old.namespace, wanted=new.namespace, back=False, say=run.say
            )
            step.outcome = "done"


async def _try(run: Run, user: str) -> Tried:
    """Start the user's server, and count their files."""
    run.say(f"starting the server of {user}")
    async with HubClient(run[Endpoint], run[Chart].secrets.api_token) as client:
        started = time.monotonic()
        await client.start_server(user)
        async for _ in client.progress(user, timeout=START_TIMEOUT):
            pass
        seconds = round(time.monotonic() - started, 1)
        there = await client.user(user)
        if there is None or "" not in there.servers:
            raise ZeroJHubError(f"the server of {user} stopped right after it had started")
        token = await client.create_token(user, seconds=600)
        async with HubClient(urljoin(client.url, there.servers[""].url), token) as server:
            files = int(await run_cell(server, COUNT))
        await client.stop_server(user)
    return Tried(user, files, seconds)


async def _refuse_new_volumes(new: Side, people: Sequence[str]) -> None:
    """ZeroJHubError if one of them got a volume that is not a copy of theirs, as if the hub had no files of theirs."""
    volumes = {each["metadata"]["name"]: cinder_id(each) for each in await new.kube.list(PERSISTENT_VOLUME)}
    copies = {each["id"] for each in await cinder.volumes(new.run.cloud) if COPY_OF in each["metadata"]}
    for claim in await new.kube.list(PERSISTENT_VOLUME_CLAIM, new.namespace):
        name, user = claim["metadata"]["name"], claim["metadata"].get("annotations", {}).get(USERNAME)
        if user in people and volumes.get(claim["spec"].get("volumeName", "")) not in copies:
            raise ZeroJHubError(f"{user} got a new, empty volume with claim {name}, not the copy of theirs")


async def clean(old: Side, new: Side) -> None:
    """Delete what is there of a rehearsed hub, and all copies. Repeatable.

    ZeroJHubError with the copies that Cinder does not delete.
    """
    run = new.run
    ids = {each["id"] for each in await cinder.volumes(run.cloud) if is_copy(each, new)}
    marked = bool(new.data.kube) and await _is_marked(new.kube, new.namespace, old.name)
    if not ids and not marked:
        return
    if marked:
        await graph.down(run, STAGES, Teardown(doomed=ids), act=(Address, Chart))
    with graph.step(run, "clean up") as step:
        there = {each["id"] for each in await cinder.volumes(run.cloud)}
        left = [volume for volume in ids & there if not await leftovers.delete_volume(run.cloud, volume)]
        if left:
            raise ZeroJHubError(f"Cinder did not delete {', '.join(left)}", hint="see: openstack volume show")
        if marked and await _is_marked(new.kube, new.namespace, old.name):
            await new.kube.annotate(NAMESPACE, new.namespace, rehearsal_of=None)
        step.outcome, step.detail = "done", f"deleted {len(ids)} {'copy' if len(ids) == 1 else 'copies'}"


async def _is_marked(kube: Kube, namespace: str, name: str) -> bool:
    there = await kube.get(NAMESPACE, namespace)
    return there is not None and there["metadata"].get("annotations", {}).get(REHEARSAL) == name


def is_copy(volume: cinder.Volume, new: Side) -> bool:
    """Is it a copy for the new deployment?"""
    owner = recorded(volume["metadata"])
    return COPY_OF in volume["metadata"] and owner is not None and owner.deployment == new.name
