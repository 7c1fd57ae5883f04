"""What Magnum's conductor, Heat and Nova do behind the APIs: clusters come up, change their size and go."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any, Self

from zerojhub.practice.apis import builder, heat
from zerojhub.practice.apis.cloud import Cloud, Record, now
from zerojhub.practice.apis.heat import ResourceFailed
from zerojhub.practice.apis.magnum import OFFSET
from zerojhub.practice.ground import Ground, GroundError

log = logging.getLogger(__name__)

HEALTH_PERIOD = 10.0
"""Seconds between two looks at the clusters' nodes. Magnum itself takes 60."""


def failure_in(error: BaseException) -> BaseException:
    """What went wrong, out of the groups that concurrent tasks wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        named = [inner for inner in error.exceptions if isinstance(inner, ResourceFailed | BaseExceptionGroup)]
        error = (named or list(error.exceptions))[0]
    return error


class Conductor:
    """Runs one task a cluster at a time; what is asked for meanwhile waits for it."""

    def __init__(self, cloud: Cloud, ground: Ground):
        self.cloud, self.ground = cloud, ground
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.health: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.health = asyncio.create_task(self._watch_health())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self.tasks.values(), *([self.health] if self.health else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- what the API asks for --------------------------------------------------------------------------------------

    def create(self, cluster: Record, auth_url: str) -> None:
        self._go(cluster, self._create(cluster, auth_url))

    def resize(self, cluster: Record, group: Record, count: int, remove: list[str]) -> None:
        group |= {"node_count": count, "status": "UPDATE_IN_PROGRESS", "updated_at": now(OFFSET)}
        self._go(cluster, self._update(cluster, [group], remove))

    def create_nodegroup(self, cluster: Record, group: Record) -> None:
        self._go(cluster, self._update(cluster, [group], []))

    def delete_nodegroup(self, cluster: Record, group: Record) -> None:
        group |= {"node_count": 0, "status": "DELETE_IN_PROGRESS"}
        self._go(cluster, self._update(cluster, [group], []))

    def upgrade(self, cluster: Record, template: Record) -> None:
        self._go(cluster, self._upgrade(cluster, template))

    def delete(self, cluster: Record) -> None:
        """What the cluster is doing ends at once."""
        for group in cluster["nodegroups"]:
            group["status"] = "DELETE_IN_PROGRESS"
        self._mark(cluster, "DELETE_IN_PROGRESS")
        running = self.tasks.pop(cluster["uuid"], None)
        self._go(cluster, self._delete(cluster, running))

    def _go(self, cluster: Record, work: Coroutine[Any, Any, None]) -> None:
        before = self.tasks.get(cluster["uuid"])
        if not cluster["status"].startswith(("CREATE_IN", "DELETE_IN")):
            self._mark(cluster, "UPDATE_IN_PROGRESS")

        async def after(previous: asyncio.Task[None] | None) -> None:
            if previous:
                await asyncio.wait([previous])
            await work

        self.tasks[cluster["uuid"]] = asyncio.create_task(after(before))

    @staticmethod
    def _mark(cluster: Record, status: str, reason: str | None = None) -> None:
        cluster |= {"status": status, "status_reason": reason, "updated_at": now(OFFSET)}

    # -- how it is done ---------------------------------------------------------------------------------------------

    async def _create(self, cluster: Record, auth_url: str) -> None:
        build = builder.Builder(self.cloud, self.ground, cluster)
        # A timeout of 0 minutes is none to Magnum.
        limit = cluster["create_timeout"] * 60 or None
        try:
            async with asyncio.timeout(limit):
                await build.create(auth_url)
        except (Exception, ExceptionGroup) as error:
            self._fail(cluster, "CREATE", cluster["nodegroups"], error)
            return
        await self._settle(cluster, "CREATE")

    async def _update(self, cluster: Record, groups: list[Record], remove: list[str]) -> None:
        build = builder.Builder(self.cloud, self.ground, cluster)
        try:
            for group in groups:
                await build.reconcile(group, remove)
        except (Exception, ExceptionGroup) as error:
            self._fail(cluster, "UPDATE", groups, error)
            return
        for group in groups:
            if group["status"] == "DELETE_IN_PROGRESS":
                cluster["nodegroups"].remove(group)
        await self._settle(cluster, "UPDATE")

    async def _upgrade(self, cluster: Record, template: Record) -> None:
        wanted, running = template["labels"].get("kube_tag"), cluster["coe_version"]
        if wanted and wanted != running:
            why = f"Kubernetes {running} cannot become {wanted} in place on the practice cloud"
            self._fail(cluster, "UPDATE", cluster["nodegroups"], ResourceFailed("NotSupported", why))
            return
        cluster["cluster_template_id"] = template["uuid"]
        await self._settle(cluster, "UPDATE")

    async def _delete(self, cluster: Record, running: asyncio.Task[None] | None) -> None:
        if running:
            running.cancel()
            await asyncio.wait([running])
        try:
            await builder.Builder(self.cloud, self.ground, cluster).delete()
        except (Exception, ExceptionGroup) as error:
            self._fail(cluster, "DELETE", cluster["nodegroups"], error)
            return
        del self.cloud.clusters[cluster["uuid"]]
        self.tasks.pop(cluster["uuid"], None)

    def _fail(self, cluster: Record, action: str, groups: list[Record], error: BaseException) -> None:
        """The cluster says which node groups failed, each node group why, as Magnum's Heat driver has it."""
        error = failure_in(error)
        if isinstance(error, TimeoutError):
            reason = f"{action.title()} timed out"
        elif isinstance(error, ResourceFailed | GroundError):
            reason = f"Resource {action} failed: {error}"
        else:
            log.error("%s of cluster %s", action.lower(), cluster["uuid"], exc_info=error)
            reason = f"Resource {action} failed: {type(error).__name__}: {error}"
        for group in groups:
            group |= {"status": f"{action}_FAILED", "status_reason": reason, "updated_at": now(OFFSET)}
        if stack := self.cloud.stacks.get(cluster["cluster_id"] or ""):
            heat.set_stack(stack, action, "FAILED", reason)
        self._mark(cluster, f"{action}_FAILED", ", ".join(f"{group['name']} failed" for group in groups))

    async def _settle(self, cluster: Record, action: str) -> None:
        """The work is done; a cluster that more is asked of goes on."""
        for group in cluster["nodegroups"]:
            verb = "CREATE" if group["status"].startswith("CREATE") else action
            group |= {"status": f"{verb}_COMPLETE", "status_reason": None, "updated_at": now(OFFSET)}
        await self._look_at(cluster)
        if stack := self.cloud.stacks.get(cluster["cluster_id"] or ""):
            heat.set_stack(stack, action, "COMPLETE")
        if self.tasks.get(cluster["uuid"]) is asyncio.current_task():
            self._mark(cluster, f"{action}_COMPLETE")

    # -- health -----------------------------------------------------------------------------------------------------

    async def _watch_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_PERIOD)
            for cluster in list(self.cloud.clusters.values()):
                if cluster["status"].endswith("_COMPLETE"):
                    with contextlib.suppress(Exception):
                        await self._look_at(cluster)

    async def _look_at(self, cluster: Record) -> None:
        try:
            nodes = await self.ground.ready(cluster["uuid"])
        except GroundError as error:
            cluster |= {"health_status": "UNHEALTHY", "health_status_reason": {"api": str(error)}}
            return
        reason = {f"{name}.Ready": str(ready) for name, ready in nodes.items()}
        healthy = bool(nodes) and all(nodes.values())
        cluster["health_status"] = "HEALTHY" if healthy else "UNHEALTHY"
        cluster["health_status_reason"] = {**reason, "api": "ok"}
