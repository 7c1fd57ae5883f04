"""The work behind the APIs: clusters are created, scaled, upgraded and deleted; servers and stacks are queued."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Self

from zerojhub.practice.cloud.heat.records import ResourceFailed, set_stack
from zerojhub.practice.cloud.magnum.builder import Builder
from zerojhub.practice.cloud.magnum.drivers import is_cluster_api
from zerojhub.practice.cloud.magnum.records import OFFSET
from zerojhub.practice.cloud.nova.records import mark_failed
from zerojhub.practice.cloud.store import Record, Store, now
from zerojhub.practice.faults import Break
from zerojhub.practice.ground import Ground, GroundError

log = logging.getLogger(__name__)

MINUTE = 60.0
"""Seconds in a minute of create_timeout; tests shorten it."""
HEALTH_PERIOD = 10.0
"""Seconds between checks of the clusters' nodes. Magnum's default is 60."""

LATE = ("WaitConditionTimeout", "0 of 1 received")
IN_USE = (
    "Conflict",
    "Unable to complete operation on subnet: One or more ports have an IP allocation from this subnet.",
)
"""Kinds and reasons of failures on purpose, as Heat gives them."""


def mark(record: Record, status: str, reason: str | None = None) -> None:
    """Set the status of a cluster or a node group."""
    record |= {"status": status, "status_reason": reason, "updated_at": now(OFFSET)}


class Conductor:
    """Runs one task at a time for each cluster, server or stack; later ones wait in a queue."""

    def __init__(self, store: Store, ground: Ground):
        self.store, self.ground = store, ground
        self.tasks: dict[str, list[asyncio.Task[None]]] = {}
        self.health: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.health = asyncio.create_task(self._watch_health())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for queue in self.tasks.values() for task in queue]
        tasks += [self.health] if self.health else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- what the API asks for --------------------------------------------------------------------------------------

    def create(self, cluster: Record, auth_url: str) -> None:
        self.queue(cluster["uuid"], partial(self._create, cluster, auth_url))

    def resize(self, cluster: Record, group: Record, count: int, remove: list[str], *, rollback: bool = False) -> None:
        """`rollback`: if it fails, go back to the number of nodes before it. Only Heat drivers can."""
        before = group["node_count"] if rollback and not is_cluster_api(self.store, cluster) else None
        group["node_count"] = count
        self._update(cluster, group, "UPDATE", remove, before)

    def create_nodegroup(self, cluster: Record, group: Record) -> None:
        self._update(cluster, group, "CREATE", [])

    def update_nodegroup(self, cluster: Record, group: Record) -> None:
        """Let a change that involves no servers take effect."""
        mark(group, "UPDATE_IN_PROGRESS")
        mark(cluster, "UPDATE_IN_PROGRESS")
        self.queue(cluster["uuid"], partial(self._save, cluster, group))

    def delete_nodegroup(self, cluster: Record, group: Record) -> None:
        group["node_count"] = 0
        self._update(cluster, group, "DELETE", [])

    def _update(
        self, cluster: Record, group: Record, action: str, remove: list[str], before: int | None = None
    ) -> None:
        mark(group, f"{action}_IN_PROGRESS")
        mark(cluster, "UPDATE_IN_PROGRESS")
        self.queue(cluster["uuid"], partial(self._reconcile, cluster, group, action, remove, before))

    def upgrade(self, cluster: Record, template: Record, group: Record, batch: int) -> None:
        """Upgrade the masters and default workers together, or another node group alone; `batch` workers at once.

        Cluster API drivers always upgrade everything, and change no label except kube_tag.
        """
        groups, labels = cluster["nodegroups"], template["labels"]
        if is_cluster_api(self.store, cluster):
            labels = {"kube_tag": labels["kube_tag"]} if "kube_tag" in labels else {}
            group = groups[0]
        else:
            groups = [each for each in groups if each["is_default"]] if group["is_default"] else [group]
        for each in groups:
            each["labels"] = {**each["labels"], **labels}
        if group["is_default"]:
            cluster |= {"cluster_template_id": template["uuid"], "labels": dict(group["labels"])}
        for record in (cluster, *groups):
            mark(record, "UPDATE_IN_PROGRESS")
        self.queue(cluster["uuid"], partial(self._upgrade, cluster, groups, batch))

    def rotate_ca(self, cluster: Record) -> None:
        for record in (cluster, *cluster["nodegroups"]):
            mark(record, "UPDATE_IN_PROGRESS")
        self.queue(cluster["uuid"], partial(self._rotate_ca, cluster))

    async def rotate_credential(self, cluster: Record, auth_url: str) -> None:
        """Not queued: as in Magnum, the response waits for it. Raises GroundError, and sets the cluster's status."""
        try:
            await Builder(self.store, self.ground, cluster).rotate_credential(auth_url)
        except GroundError as error:
            mark(cluster, "UPDATE_FAILED", str(error))
            raise
        mark(cluster, "UPDATE_COMPLETE")

    def delete(self, cluster: Record) -> None:
        """Cancel whatever the cluster is doing, and delete it."""
        for record in (cluster, *cluster["nodegroups"]):
            mark(record, "DELETE_IN_PROGRESS")
        self.cancel(cluster["uuid"])
        self.queue(cluster["uuid"], partial(self._delete, cluster))

    def end_what_was_interrupted(self) -> None:
        """Mark what was in progress when the practice cloud's process was killed as failed, as a restarted Heat does."""
        for stack in self.store.stacks.values():
            if stack["status"] == "IN_PROGRESS":
                set_stack(stack, stack["action"], "FAILED", f"Engine went down during stack {stack['action']}")
        for cluster in self.store.clusters.values():
            for record in (*cluster["nodegroups"], cluster):
                action, _, status = record["status"].partition("_")
                if status == "IN_PROGRESS":
                    mark(record, f"{action}_FAILED", f"Engine went down during stack {action}")
        for server in self.store.servers.values():
            if server["vm_state"] == "building":
                mark_failed(server, "Build of instance aborted: nova-compute was restarted")
            server["task_state"] = None

    def cancel(self, ident: str) -> None:
        for task in self.tasks.get(ident, []):
            task.cancel()

    def queue(self, ident: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the work after everything that is queued for the cluster, server or stack with this ID."""
        queue = self.tasks.setdefault(ident, [])
        before = list(queue)

        async def in_turn() -> None:
            if before:
                await asyncio.wait(before)
            await work()

        task = asyncio.create_task(in_turn())
        queue.append(task)
        task.add_done_callback(queue.remove)

    def is_last(self, ident: str) -> bool:
        """Whether the running task is the last in the queue of the cluster, server or stack."""
        return self.tasks[ident][-1] is asyncio.current_task()

    # -- how it is done ---------------------------------------------------------------------------------------------

    @staticmethod
    def _limit(cluster: Record) -> float | None:
        """The time limit for one change of the cluster, in seconds. For Magnum a timeout of 0 means no limit."""
        return cluster["create_timeout"] * MINUTE or None

    async def _create(self, cluster: Record, auth_url: str) -> None:
        try:
            async with asyncio.timeout(self._limit(cluster)):
                await Builder(self.store, self.ground, cluster).create(auth_url)
            self._break(Break.create_failed, *LATE)
        except Exception as error:
            self._fail(cluster, "CREATE", cluster["nodegroups"], error)
        else:
            await self._settle(cluster, "CREATE", cluster["nodegroups"])

    async def _reconcile(
        self, cluster: Record, group: Record, action: str, remove: list[str], before: int | None
    ) -> None:
        try:
            self._break(Break.update_failed, *LATE)
            async with asyncio.timeout(self._limit(cluster)):
                await Builder(self.store, self.ground, cluster).reconcile(group, action, remove)
        except Exception as error:
            self._fail(cluster, action, [group], error)
            if before is not None:
                await self._roll_back(cluster, group, before)
            return
        if action == "DELETE":
            cluster["nodegroups"].remove(group)
        await self._settle(cluster, action, [group])

    async def _roll_back(self, cluster: Record, group: Record, count: int) -> None:
        """Give the group its former number of nodes again, as Heat does with a stack whose update fails."""
        group["node_count"] = count
        for record in (cluster, group):
            mark(record, "ROLLBACK_IN_PROGRESS")
        try:
            await Builder(self.store, self.ground, cluster).reconcile(group, "ROLLBACK", [])
        except Exception as error:
            self._fail(cluster, "ROLLBACK", [group], error)
            return
        reason = "Stack ROLLBACK completed successfully"
        set_stack(self.store.stacks[group["stack_id"]], "ROLLBACK", "COMPLETE", reason)
        for record in (cluster, group):
            mark(record, "ROLLBACK_COMPLETE", reason)

    async def _save(self, cluster: Record, group: Record) -> None:
        mark(group, "UPDATE_COMPLETE")
        if self.is_last(cluster["uuid"]):
            mark(cluster, "UPDATE_COMPLETE")

    async def _upgrade(self, cluster: Record, groups: list[Record], batch: int) -> None:
        version = groups[0]["labels"].get("kube_tag") or cluster["coe_version"]
        try:
            self._break(Break.update_failed, *LATE)
            async with asyncio.timeout(self._limit(cluster)):
                await Builder(self.store, self.ground, cluster).upgrade(groups, version, batch)
        except Exception as error:
            self._fail(cluster, "UPDATE", groups, error)
            return
        if groups[0]["is_default"]:
            cluster["coe_version"] = version
        await self._settle(cluster, "UPDATE", groups)

    async def _rotate_ca(self, cluster: Record) -> None:
        try:
            async with asyncio.timeout(self._limit(cluster)):
                await self.ground.rotate_ca(cluster["uuid"])
        except Exception as error:
            self._fail(cluster, "UPDATE", cluster["nodegroups"], error)
        else:
            await self._settle(cluster, "UPDATE", cluster["nodegroups"])

    async def _delete(self, cluster: Record) -> None:
        try:
            self._break(Break.delete_failed, *IN_USE)
            await Builder(self.store, self.ground, cluster).delete()
        except Exception as error:
            self._fail(cluster, "DELETE", cluster["nodegroups"], error)
        else:
            self.store.clusters.pop(cluster["uuid"], None)

    def _break(self, what: Break, kind: str, reason: str) -> None:
        """Raises ResourceFailed if it is to fail on purpose."""
        if self.store.faults.breaks("container-infra", what):
            raise ResourceFailed(kind, reason)

    def _fail(self, cluster: Record, action: str, groups: list[Record], error: Exception) -> None:
        """The cluster names the failed node groups, and each of those gives the reason, as with Magnum's Heat driver."""
        if isinstance(error, TimeoutError):
            reason = f"{action.title()} timed out"
        elif isinstance(error, ResourceFailed | GroundError):
            reason = f"Resource {action} failed: {error}"
        else:
            log.error("%s of cluster %s", action.lower(), cluster["uuid"], exc_info=error)
            reason = f"Resource {action} failed: {type(error).__name__}: {error}"
        for group in groups:
            mark(group, f"{action}_FAILED", reason)
            if stack := self.store.stacks.get(group["stack_id"] or ""):
                set_stack(stack, action, "FAILED", reason)
        # If only some node groups failed, it counts as an update of the cluster.
        verb = action if len(groups) == len(cluster["nodegroups"]) else "UPDATE"
        mark(cluster, f"{verb}_FAILED", ", ".join(f"{group['name']} failed" for group in groups))

    async def _settle(self, cluster: Record, action: str, groups: list[Record]) -> None:
        """Mark the work as complete; the cluster stays in progress while more is queued."""
        await self._look_at(cluster)
        for group in groups:
            mark(group, f"{action}_COMPLETE")
            if stack := self.store.stacks.get(group["stack_id"] or ""):
                set_stack(stack, action, "COMPLETE")
        if self.is_last(cluster["uuid"]):
            mark(cluster, "CREATE_COMPLETE" if len(groups) > 1 and action == "CREATE" else "UPDATE_COMPLETE")

    # -- health -----------------------------------------------------------------------------------------------------

    async def _watch_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_PERIOD)
            for cluster in list(self.store.clusters.values()):
                if cluster["status"].endswith("_COMPLETE"):
                    await self._look_at(cluster)

    async def _look_at(self, cluster: Record) -> None:
        try:
            nodes = await self.ground.ready(cluster["uuid"])
        except Exception as error:
            # No error may end the health checks of the other clusters or leave this one in progress.
            if not isinstance(error, GroundError):
                log.exception("health of cluster %s", cluster["uuid"])
            cluster |= {"health_status": "UNHEALTHY", "health_status_reason": {"api": str(error)}}
            return
        reason = {f"{name}.Ready": str(ready) for name, ready in nodes.items()}
        healthy = bool(nodes) and all(nodes.values())
        cluster["health_status"] = "HEALTHY" if healthy else "UNHEALTHY"
        cluster["health_status_reason"] = {**reason, "api": "ok"}
