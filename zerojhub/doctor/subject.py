"""What is examined: a deployment, or a cluster alone; everything is asked once, whichever checks need it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

import anyio

from zerojhub import graph
from zerojhub.cluster.usable import connected
from zerojhub.deployment import Deployment
from zerojhub.errors import ZeroJHubError
from zerojhub.kube import kinds, nodes
from zerojhub.kube.client import Kube
from zerojhub.kube.kinds import Kind
from zerojhub.kube.reach import Reach
from zerojhub.openstack import cinder, leftovers, magnum, neutron, nova, octavia, servers
from zerojhub.openstack.magnum import Cluster, ClusterTemplate
from zerojhub.openstack.session import NoService
from zerojhub.run import Run
from zerojhub.stages import Access
from zerojhub.tasks import gather

T = TypeVar("T")
P = ParamSpec("P")

CONNECT_TIMEOUT = 60
"""Seconds for the way into the cluster: an SSH server that does not answer takes long."""


class Subject:
    """A deployment with its cluster, if it has one; or a cluster alone.

    `options`: those with which commands such as `up` work on the deployment; None without a deployment file.
    """

    def __init__(self, run: Run, cluster: Cluster | None, options: str | None):
        self.run, self.found, self._options = run, cluster, options
        self.cloud, self.has_file = run.cloud, options is not None

    @classmethod
    async def of(cls, run: Run, options: str | None) -> Subject:
        """The subject as it is now. UserError when several clusters have the name; CloudError without an answer."""
        run.forget_answers()
        await run.cloud.authenticate()
        return cls(run, await magnum.find_cluster(run.cloud, run.deployment.cluster_name), options)

    @property
    def deployment(self) -> Deployment:
        return self.run.deployment

    @property
    def cluster(self) -> Cluster:
        """The cluster, which is there in checks that need one."""
        assert self.found
        return self.found

    def __str__(self) -> str:
        if self.found is None:
            return f"deployment {self.deployment.name}, which has no cluster yet"
        return f"cluster {self.found['name']} ({self.found['uuid']})"

    # -- commands to print ----------------------------------------------------------------------------------------------

    def openstack(self, command: str) -> str:
        """A command of OpenStack's client for the cloud."""
        return " ".join(["openstack", *self._option("--os-cloud"), command])

    def zerojhub(self, command: str) -> str:
        """A command of ours on the cluster."""
        return " ".join(["zerojhub", command, *self._option("--cloud")])

    def on_deployment(self, command: str) -> str:
        """A command of ours on the deployment, such as `up`."""
        return f"zerojhub {command}{self._options or ''}"

    def recreate(self) -> str:
        """The commands that delete the cluster, and create it again where there is a deployment file."""
        if self.has_file:
            return f"{self.on_deployment('down')} && {self.on_deployment('up')}"
        return self.zerojhub(f"cluster delete {self.cluster['uuid']}")

    def _option(self, name: str) -> list[str]:
        return [name, shlex.quote(self.deployment.cloud)] if self.deployment.cloud else []

    # -- OpenStack ------------------------------------------------------------------------------------------------------

    async def once(self, question: Callable[P, Awaitable[T]], *arguments: P.args, **options: P.kwargs) -> T:
        """As `Run.once`, also for a question that fails: no second check waits as long as the first one has."""
        answer = await self.run.once(_outcome, question, *arguments, **options)
        if isinstance(answer, ZeroJHubError):
            raise answer
        found: T = answer
        return found

    async def template(self) -> ClusterTemplate:
        return await self.once(magnum.get_template, self.cloud, self.cluster["cluster_template_id"])

    async def servers(self) -> list[nova.Server]:
        """The cluster's servers."""
        return await self.once(self._servers)

    async def _servers(self) -> list[nova.Server]:
        return await servers.of(self.cloud, self.cluster)

    async def all_servers(self) -> dict[str, nova.Server]:
        """Every server of the project, by ID."""
        return {each["id"]: each for each in await self.once(nova.servers, self.cloud)}

    async def volumes(self) -> list[cinder.Volume]:
        """Every volume of the project; none where the cloud has no Cinder."""
        return await _unless_lacking(self.once(cinder.volumes, self.cloud))

    async def load_balancers(self) -> list[octavia.LoadBalancer]:
        """The cluster's load balancers: of its API, and of its Services; none where the cloud has no Octavia."""
        listed = await _unless_lacking(self.once(octavia.load_balancers, self.cloud))
        owners, prefixes = await gather(
            leftovers.owner_names(self.cloud, self.cluster), leftovers.prefixes_of(self.cloud, self.cluster)
        )
        begins = (*(f"kube_service_{owner}_" for owner in owners), *prefixes)
        within = tuple(f"-{prefix}" for prefix in prefixes)
        names = [(each, each["name"] or "") for each in listed]
        return [each for each, name in names if name.startswith(begins) or any(part in name for part in within)]

    async def external_networks(self) -> list[neutron.Network]:
        """The networks that floating IPs come from."""
        return await self.once(neutron.networks, self.cloud, external=True)

    # -- Kubernetes -----------------------------------------------------------------------------------------------------

    async def kube(self) -> Kube:
        """The cluster's API. ZeroJHubError with the reason why it does not answer."""
        return await self.once(self._kube)

    async def _kube(self) -> Kube:
        try:
            return (await self.reach()).kube
        except ZeroJHubError as error:
            if not self.cluster.get("api_address"):
                raise ZeroJHubError(f"the cluster has no API yet ({self.cluster['status']})") from error
            # What the way of `up` needs, such as a private key, may be missing on this machine.
            stack = contextlib.AsyncExitStack()
            self.run.on_close(stack.aclose)
            try:
                return await stack.enter_async_context(connected(self.cloud, self.cluster))
            except ZeroJHubError:
                raise error from None

    async def reach(self) -> Reach:
        """The way into the cluster that other commands use. ZeroJHubError without one."""
        return await self.once(self._reach)

    async def _reach(self) -> Reach:
        if Access in self.run:  # since an earlier look
            return self.run[Access]
        with anyio.move_on_after(CONNECT_TIMEOUT):
            statuses = await graph.look(self.run, graph.with_needs([Access]), checking=False)
            if Access in self.run:
                return self.run[Access]
            raise next(each for each in statuses if each.state not in ("found", "waiting")).error()
        raise ZeroJHubError(f"the cluster does not answer in {CONNECT_TIMEOUT} s")

    async def objects(self, kind: Kind[T]) -> list[T]:
        """Every object of the kind, in all namespaces."""
        return await self.once((await self.kube()).list, kind)

    async def kube_time(self) -> datetime:
        """What time it is in the cluster."""
        return (await self.kube()).clock.now()

    async def is_ready(self, server_id: str) -> bool:
        """Is the server a node that is ready? Not if the cluster does not answer."""
        try:
            listed = await self.objects(kinds.NODE)
        except ZeroJHubError:
            return False
        return any(nodes.server_id(node) == server_id and nodes.is_ready(node) for node in listed)

    async def namespaces(self) -> list[str]:
        """Where there is a hub: the deployment's namespace, if it exists, and others on the same cluster."""
        hubs = [
            each["metadata"].get("namespace", "")
            for each in await self.objects(kinds.POD)
            if each["metadata"].get("labels", {}).get("component") == "hub"
        ]
        known = {each["metadata"]["name"] for each in await self.objects(kinds.NAMESPACE)}
        return [each for each in dict.fromkeys([self.deployment.namespace, *hubs]) if each in known]


async def _outcome(question: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
    """What the question is answered with, which may be an error."""
    try:
        return await question(*arguments, **options)
    except ZeroJHubError as error:
        return error


async def _unless_lacking(asked: Awaitable[list[T]]) -> list[T]:
    """The list; empty where the cloud does not have the service at all."""
    try:
        return await asked
    except NoService:
        return []
