"""What the exercise checks look at: the project's clusters, Kubernetes and the hub, as they are now."""

from __future__ import annotations

import base64
import gzip
import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from zerojhub.workshops.base import NotYet

if TYPE_CHECKING:
    from zerojhub.hub.client import HubClient, User
    from zerojhub.kube.reach import Reach

NAME = "workshop"
"""The name of the workshops' deployment, and so of its cluster, namespace and release."""


class World:
    """The practice cloud as a user sees it. An async context manager that keeps its connections open for reuse.

    Methods raise NotYet when something is missing, and ZeroJHubError when the cloud or the cluster cannot be reached.
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

    async def clusters(self) -> list[dict]:
        """The project's complete Magnum clusters, with all their fields."""
        listed = await self.cloud.container_infra.all("/clusters", "clusters")
        whole = [await self.cloud.container_infra.find(f"/clusters/{each['uuid']}") for each in listed]
        return [cluster for cluster in whole if cluster and cluster["status"].endswith("COMPLETE")]

    async def cluster(self, name: str = NAME) -> dict:
        """The complete cluster with that name."""
        found = [cluster for cluster in await self.clusters() if cluster["name"] == name]
        if not found:
            raise NotYet(f"no complete cluster named {name}")
        return found[0]

    async def reach(self) -> Reach:
        """A connection to the workshops' cluster."""
        from zerojhub import journey
        from zerojhub.operations.adopt import deployment_of
        from zerojhub.report import Progress
        from zerojhub.stages import Access

        await self.cluster()
        if self._reach is None:
            deployment = await deployment_of(self.cloud, NAME, self.cloud.name)
            hub = journey.Hub(deployment, self._open.enter_context(Progress(quiet=True)))
            self._open.push_async_callback(hub.close)
            (self._reach,) = await journey.reach(hub, Access)
        return self._reach

    async def list(self, kind: str, namespace: str | None = NAME, *, labels: str = "") -> list[dict]:
        """The Kubernetes objects of that kind in the workshops' cluster."""
        return await (await self.reach()).kube.list(kind, namespace, labels=labels)

    async def values(self) -> dict[str, Any]:
        """The running hub's values, merged with the chart's defaults."""
        from ruamel.yaml import YAML

        for secret in await self.list("v1/Secret", labels="component=hub"):
            if kept := secret["data"].get("values.yaml"):
                return json.loads(json.dumps(YAML(typ="safe").load(base64.b64decode(kept)), default=str))
        raise NotYet("no hub in the cluster")

    async def releases(self) -> list[dict[str, Any]]:
        """The revisions that Helm keeps of the hub's release, oldest first: `version`, `info` and `config` (the values)."""
        found = []
        for secret in await self.list("v1/Secret", labels=f"owner=helm,name={NAME}"):
            packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
            found.append(json.loads(gzip.decompress(packed)))
        return sorted(found, key=lambda release: release["version"])

    async def hub(self) -> HubClient:
        """A client for the hub's API, authenticated as the service that zerojhub registers."""
        from zerojhub.hub import discovery
        from zerojhub.hub.client import HubClient

        reach = await self.reach()
        token = await discovery.token_of(reach, NAME)
        services = await discovery.services(reach, NAME)
        url = discovery.url_of(reach, services[0]) if services else None
        if not url or not token:
            raise NotYet("no hub with an address in the cluster")
        return HubClient(url, token)

    async def users(self) -> dict[str, User]:
        """The hub's users, by name."""
        async with await self.hub() as client:
            return {user.name: user for user in await client.users()}
