"""The hub and the cluster that are running, whatever the deployment file says by now: for commands that only look.

The stages compare the world with the deployment, and stop where it differs. What runs can be used all the same: it is found
by the cluster's name, and connected as the cluster is, not as the file describes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from zerojhub import graph
from zerojhub.cluster import adopt
from zerojhub.data import inventory
from zerojhub.data.inventory import InCinder, InKubernetes, Item, State
from zerojhub.data.remove import refuse_snapshots
from zerojhub.errors import Unavailable, UserError, ZeroJHubError
from zerojhub.graph import AnyStage, StageStatus
from zerojhub.hub.client import HubClient, HubError
from zerojhub.kube.client import Kube
from zerojhub.kube.reach import Reach
from zerojhub.openstack.leftovers import KeptVolume
from zerojhub.openstack.magnum import Cluster as MagnumCluster
from zerojhub.run import Run
from zerojhub.stage import Found
from zerojhub.stages import STAGES, Access, Address, Chart, Cluster, Endpoint, HelmProgram, Kept, Preflight
from zerojhub.stages.address import address_of, public_service
from zerojhub.stages.chart import Release, release_as_installed
from zerojhub.stages.cluster import find
from zerojhub.tasks import gather


@dataclass(frozen=True)
class Running:
    """What a look found. `drift`: a line for everything that differs from the deployment, such as values not yet applied."""

    run: Run
    """Has the values of Access, HelmProgram, Chart, Address and Endpoint, as far as they were found."""
    statuses: list[StageStatus]
    """Of the deployment's stages; empty when the deployment file or the values file is invalid."""
    drift: list[str]

    @property
    def reach(self) -> Reach:
        """The cluster. ZeroJHubError when it was not found."""
        if Access not in self.run:
            raise self._nothing()
        return self.run[Access]

    @property
    def release(self) -> Release:
        """The hub's release. ZeroJHubError when it was not found."""
        if Chart not in self.run:
            raise self._nothing()
        return self.run[Chart]

    @property
    def url(self) -> str | None:
        """The hub's URL, if it answers there."""
        return self.run.get(Endpoint)

    def require_url(self) -> str:
        """The hub's URL. ZeroJHubError when it does not answer."""
        if self.url is None:
            raise self._nothing()
        return self.url

    def _nothing(self) -> ZeroJHubError:
        for status in self.statuses:
            if status.state not in ("found", "waiting"):
                return status.error()
        return ZeroJHubError(self.drift[0] if self.drift else "there is no hub", hint="zerojhub up")


@dataclass(frozen=True)
class Data:
    """The volumes of a deployment, and what says so."""

    running: Running
    cluster: MagnumCluster | None
    kube: Kube | None
    """None without a cluster that responds."""
    here: InKubernetes | None
    there: InCinder | None
    items: list[Item]

    def require_kube(self) -> Kube:
        """The cluster's API. ZeroJHubError without a cluster, or with the reason why it does not respond."""
        if self.cluster is None:
            raise ZeroJHubError("there is no cluster", hint="zerojhub up")
        return self.kube or self.running.reach.kube

    def require_answers(self) -> None:
        """Nothing is known of the claims of a cluster that does not respond: ZeroJHubError with the reason."""
        if self.cluster:
            self.require_kube()


async def look(run: Run, stages: Sequence[AnyStage] = STAGES) -> Running:
    """Look at the stages and, where they stop, at what is running. Changes nothing.

    Raises UserError for a mistake of the user's when nothing is running that could be shown instead.
    """
    mistake: UserError | None = None
    statuses: list[StageStatus] = []
    try:
        statuses = await graph.look(run, stages)
        drift = [
            f"{status.stage.name}: {status.detail}" for status in statuses if status.state not in ("found", "waiting")
        ]
    except UserError as error:
        mistake, drift = error, str(error).splitlines()
    if any(status.stage is Preflight and isinstance(status.failure, Unavailable) for status in statuses):
        return Running(run, statuses, drift)  # OpenStack kept failing; asking again would take as long as that did
    wanted = [stage for stage in (Access, HelmProgram, Chart, Address, Endpoint) if stage in stages]
    if all(stage in run for stage in wanted):
        return Running(run, statuses, drift)
    try:
        found = await _as_it_is(run, wanted)
    except ZeroJHubError:
        if mistake:
            raise mistake from None
        return Running(run, statuses, drift)
    return Running(found, statuses, drift)


async def volumes_of(run: Run) -> list[KeptVolume]:
    """The volumes of the deployment's users and of its hub: on its cluster, and without one. Changes nothing.

    UserError if one of them has snapshots, with which Cinder does not delete it.
    """
    await graph.look(run, graph.with_needs([Kept, Access]), checking=False)
    namespace = run.deployment.namespace
    here = await inventory.in_kubernetes(run[Access].kube, namespace) if Access in run else None
    there = await inventory.in_cinder(run.cloud, run.deployment, run.get(Cluster) or await find(run))
    found = [
        each
        for each in inventory.items(run.deployment, here, there, None)
        if each.state not in (State.doubtful, State.pending, State.no_volume)
    ]
    await refuse_snapshots(run.cloud, found)
    return [
        KeptVolume(
            each.volume or each.persistent_volume or "", each.persistent_volume or "", each.size_gb or 0, each.owner
        )
        for each in found
    ]


async def data_of(run: Run) -> Data:
    """Every volume of the deployment, with or without a hub, a cluster that responds, or any cluster. Changes nothing."""
    found = await look(run, graph.with_needs([Endpoint]))
    for status in found.statuses:
        if isinstance(status.failure, Unavailable):
            raise status.failure
    kube = found.run[Access].kube if Access in found.run else None
    cluster = found.run.get(Cluster) or run.get(Cluster) or await find(run)

    async def here() -> InKubernetes | None:
        return await inventory.in_kubernetes(kube, run.deployment.namespace) if kube else None

    async def users() -> dict[str, str | None] | None:
        if found.url:
            async with HubClient(found.url, found.release.secrets.api_token) as client:
                with contextlib.suppress(HubError):
                    return {user.name: user.last_activity for user in await client.users()}
        return None

    kubernetes, stored, known = await gather(here(), inventory.in_cinder(run.cloud, run.deployment, cluster), users())
    return Data(found, cluster, kube, kubernetes, stored, inventory.items(run.deployment, kubernetes, stored, known))


async def _as_it_is(run: Run, wanted: Sequence[AnyStage]) -> Run:
    """A run with the values of these stages as they are in the cluster. ZeroJHubError when there is no cluster."""
    found = Run(await adopt.running(run.cloud, run.deployment), run.progress, run.cloud, run.ask_passphrase)
    run.on_close(found.close)
    if Access in run:
        found[Access] = run[Access]
    if HelmProgram in run:
        found[HelmProgram] = run[HelmProgram]
    await graph.require(found, *(stage for stage in (Access, HelmProgram) if stage in wanted and stage not in found))
    if Chart in wanted and (release := await release_as_installed(found)):
        found[Chart] = release
    if Address in wanted and Chart in found:
        service = await public_service(found[Access].kube, found[Chart])
        if address := await address_of(found, service):
            found[Address] = address
    if Endpoint in wanted and Address in found:
        with found.step(Endpoint.name):
            state = await Endpoint().look(found)
        if isinstance(state, Found):
            found[Endpoint] = state.value
    return found
