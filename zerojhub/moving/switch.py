"""What every move does, with volumes or with copies: announce it, stop the hub of one deployment, start that of the other."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerojhub import graph
from zerojhub.backup.installed import pause, resume
from zerojhub.errors import ZeroJHubError
from zerojhub.hub import standstill
from zerojhub.hub.client import HubClient
from zerojhub.hub.message import MOVING
from zerojhub.hub.secrets import Secrets
from zerojhub.moving import names, stop
from zerojhub.openstack import magnum
from zerojhub.stage import Teardown
from zerojhub.stages import STAGES, Chart, Check, Endpoint, KeptAddress, KeptCertificate, Values, chart
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.graph import AnyStage
    from zerojhub.moving.sides import Side
    from zerojhub.openstack.leftovers import KeptVolume
    from zerojhub.run import Run
    from zerojhub.text import Say


@dataclass(frozen=True)
class Moved:
    """What a move, or the way back, has done."""

    url: str
    """The hub's address now."""
    volumes: int
    """How many volumes its cluster has been given, or has copies of."""
    downtime_seconds: float | None
    """For how long there was no hub; None if an earlier run has stopped it."""
    restored: bool
    """The accounts are those from before the move."""
    copied: bool = False
    """The volumes themselves stay with the old deployment."""


@dataclass(frozen=True)
class Finished:
    """What the end of a move has left."""

    volumes: int
    """How many volumes of the new hub are there."""
    kept: list[KeptVolume]
    """Volumes that stay kept for the old deployment: those that were copied, or that no claim of the old hub had."""
    cluster: str | None
    """The old cluster, if zerojhub did not create it and so has left it."""
    copied: bool = False
    """The volumes of the old hub are there as well."""


async def announce(old: Side, run: Run) -> None:
    """Say so on the pages of the old hub, if there is anybody who works. A hub that cannot is not changed."""
    url = old.data.running.url
    if not url or not old.installed or Values not in old.found:
        return
    with graph.step(run, "announce") as step:
        try:
            secrets = Secrets.of(old.run.folder, old.installed.values)
            async with HubClient(url, secrets.api_token) as client:
                working = [user.name for user in await client.users() if user.servers]
            if working:
                await chart.announce(old.found, MOVING)
            step.outcome, step.detail = "done", f"{plural(len(working), 'user')} with a running server"
        except ZeroJHubError as error:
            step.outcome, step.detail = "kept", f"not announced: {error}"


async def halt(source: Side, target: Side, say: Say) -> None:
    """Bring the source's hub to a standstill, and give the target its secrets, DNS record and certificate. Repeatable.

    Its backups pause as well: it has nothing new to back up, and the target may use the same place for backups.
    """
    kube, namespace, installed = source.kube, source.namespace, source.require_release()
    await stop.refuse_others(kube, namespace)
    await standstill.mark(kube, namespace, target.name)
    await pause(source.crons, say)
    await chart.keep_secrets(source.found, installed.values)
    secrets = Secrets.of(source.run.folder, installed.values)
    secrets.keep(target.run.folder)
    url = source.data.running.url
    await stop.stop(kube, namespace, source.release, url=url, token=secrets.api_token, say=say)
    await names.hand_over(source, target)
    await names.hand_over_certificate(source, target)


async def start(target: Side, stopped: float | None) -> tuple[str, float | None]:
    """Install or start the target's hub, and test it: its address, and for how many seconds there was no hub.

    `stopped`: when the other one was stopped, by the monotonic clock; None if an earlier run did that.
    """
    run, downtime = target.run, None
    await standstill.mark(target.kube, target.namespace, None)
    run.forget_answers()
    if KeptAddress.applies(run.deployment):
        await graph.ensure(run, KeptAddress)
        await graph.ensure(run, Values)
    if KeptCertificate.applies(run.deployment):
        await graph.ensure(run, KeptCertificate)
    for stage in graph.downstream(STAGES, Chart):
        if stage is Check and stopped is not None:
            downtime = time.monotonic() - stopped
        if stage.applies(run.deployment):
            await graph.ensure(run, stage)
    await resume(target.crons)
    return run[Endpoint], downtime


async def delete(
    old: Side, new: Side, *, but_on_one_cluster: Collection[AnyStage]
) -> tuple[list[KeptVolume], str | None]:
    """Delete the old deployment, of which only these stages if both are on one cluster.

    Returns the volumes that are kept, and the name of the old cluster, if zerojhub did not create it and so has left it.
    """
    shared, teardown = old.party.cluster == new.party.cluster, Teardown()
    await graph.down(old.run, STAGES, teardown, act=but_on_one_cluster if shared else None)
    left = await magnum.find_cluster(old.run.cloud, old.run.deployment.cluster_name)
    return teardown.kept, left["name"] if left else None
