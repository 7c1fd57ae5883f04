"""What the exercise checks look at: the project's clusters, Kubernetes and the hub, as they are now."""

from __future__ import annotations

import base64
import gzip
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from zerojhub.kube import kinds
from zerojhub.kube.volumes import cinder_id
from zerojhub.openstack import cinder, magnum
from zerojhub.workshops.base import NotDone
from zerojhub.yamlfile import load, plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from zerojhub.hub.charts import ChartValues
    from zerojhub.hub.client import HubClient, User
    from zerojhub.kube.kinds import Kind
    from zerojhub.kube.reach import Reach
    from zerojhub.kube.types import PersistentVolumeClaim
    from zerojhub.openstack.cinder import Volume
    from zerojhub.openstack.magnum import Cluster

T = TypeVar("T")

HOME = "/home/jovyan"
"""Where a pod of ours has a user's files."""
NAME = "workshop"
"""The name of the workshops' deployment, and so of its cluster, namespace and release."""


@dataclass(frozen=True)
class Revision:
    """A revision of a Helm release. `status`: Helm's, such as `deployed`; `values`: those of the user."""

    number: int
    status: str
    description: str
    values: ChartValues


class Unseen:
    """A terminal without input, whose output nobody sees."""

    interactive = False

    async def read(self) -> bytes:
        return b""

    def write(self, data: bytes, *, error: bool) -> None:
        pass

    async def sizes(self) -> AsyncIterator[tuple[int, int]]:
        return
        yield


class World:
    """The practice cloud as a user sees it. An async context manager that keeps its connections open for reuse.

    Methods raise NotDone when something is missing, and ZeroJHubError when the cloud or the cluster cannot be reached.
    """

    def __init__(self, cloud: str):
        from zerojhub.openstack.session import Cloud

        self.cloud = Cloud(cloud)
        self._open = AsyncExitStack()
        self._reach: Reach | None = None

    async def __aenter__(self) -> World:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def clusters(self) -> list[Cluster]:
        """The project's complete Magnum clusters, with all their fields."""
        whole = [await magnum.show_cluster(self.cloud, each["uuid"]) for each in await magnum.clusters(self.cloud)]
        return [cluster for cluster in whole if cluster and cluster["status"].endswith("COMPLETE")]

    async def cluster(self, name: str = NAME) -> Cluster:
        """The complete cluster with that name."""
        found = [cluster for cluster in await self.clusters() if cluster["name"] == name]
        if not found:
            raise NotDone(f"no complete cluster named {name}")
        return found[0]

    async def reach(self) -> Reach:
        """A connection to the workshops' cluster."""
        from zerojhub import graph
        from zerojhub.cluster.adopt import deployment_of
        from zerojhub.run import Run, Silent
        from zerojhub.stages import Access

        await self.cluster()
        if self._reach is None:
            deployment = await deployment_of(self.cloud, NAME, self.cloud.name)
            run = Run(deployment, Silent(), self.cloud)
            self._open.push_async_callback(run.close)
            await graph.require(run, Access)
            self._reach = run[Access]
        return self._reach

    async def objects(self, kind: Kind[T], namespace: str | None = NAME, *, labels: str = "") -> list[T]:
        """The Kubernetes objects of that kind in the workshops' cluster."""
        return await (await self.reach()).kube.list(kind, namespace, labels=labels)

    async def values(self) -> ChartValues:
        """The running hub's values, merged with the chart's defaults."""
        for secret in await self.objects(kinds.SECRET, labels="component=hub"):
            if text := secret.get("data", {}).get("values.yaml"):
                values: ChartValues = plain(load(base64.b64decode(text), "values.yaml"))
                return values
        raise NotDone("no hub in the cluster")

    async def revisions(self) -> list[Revision]:
        """The revisions that Helm keeps of the hub's release, oldest first."""
        found = []
        for secret in await self.objects(kinds.SECRET, labels=f"owner=helm,name={NAME}"):
            packed = base64.b64decode(base64.b64decode(secret.get("data", {})["release"]))
            release = json.loads(gzip.decompress(packed))
            info = release["info"]
            found.append(Revision(release["version"], info["status"], info["description"], release["config"] or {}))
        return sorted(found, key=lambda revision: revision.number)

    async def hub(self) -> HubClient:
        """A client for the hub's API, authenticated as the service that zerojhub registers."""
        from zerojhub.hub import discovery
        from zerojhub.hub.client import HubClient

        reach = await self.reach()
        token = await discovery.token_of(reach, NAME)
        services = await discovery.services(reach, NAME)
        url = discovery.url_of(reach, services[0]) if services else None
        if not url or not token:
            raise NotDone("no hub with an address in the cluster")
        return HubClient(url, token)

    async def users(self) -> dict[str, User]:
        """The hub's users, by name."""
        async with await self.hub() as client:
            return {user.name: user for user in await client.users()}

    async def claims(self) -> list[PersistentVolumeClaim]:
        """The claims of the hub and its users."""
        return await self.objects(kinds.PERSISTENT_VOLUME_CLAIM)

    async def volume_of(self, claim: PersistentVolumeClaim) -> Volume:
        """What Cinder says of the claim's volume."""
        bound = {each["metadata"]["name"]: each for each in await self.objects(kinds.PERSISTENT_VOLUME, None)}
        volume = bound.get(claim["spec"].get("volumeName", ""))
        for each in await cinder.volumes(self.cloud):
            if volume and each["id"] == cinder_id(volume):
                return each
        raise NotDone(f"claim {claim['metadata']['name']} has no volume")

    async def require_file(self, claim: PersistentVolumeClaim, path: str) -> None:
        """NotDone unless there is a file of that path on the claim's volume. It is looked for by a pod, where the volume is."""
        from zerojhub.data import pods
        from zerojhub.data.inventory import in_kubernetes
        from zerojhub.kube.exec import execute

        kube, name = (await self.reach()).kube, claim["metadata"]["name"]
        hubs = await self.objects(kinds.DEPLOYMENT, labels="component=hub")
        if not hubs:
            raise NotDone("no hub in the cluster")
        node = (await in_kubernetes(kube, NAME)).attached.get(claim["spec"].get("volumeName", ""))
        image = hubs[0]["spec"]["template"]["spec"]["containers"][0]["image"]
        pod = pods.manifest(NAME, image, ["sleep", "infinity"], {HOME: name}, node=node)
        async with pods.running(kube, pod, lambda text: None) as started:
            if await execute(kube, NAME, started, pods.CONTAINER, ["test", "-f", f"{HOME}/{path}"], Unseen()):
                raise NotDone(f"there is no {path} on the volume of claim {name}")
