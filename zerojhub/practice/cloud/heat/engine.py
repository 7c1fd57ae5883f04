"""Heat's engine for users' own stacks: creates, updates and deletes their resources through Magnum's API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette

from zerojhub.practice.cloud.heat.records import ResourceFailed, forget, making, set_resource, set_stack
from zerojhub.practice.cloud.heat.resource_types import TYPES
from zerojhub.practice.cloud.heat.templates import Template
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store
from zerojhub.practice.cloud.wire import INSIDE

MINUTE = 60.0
TIMEOUT = 60
"""Default timeout of a stack in minutes, as in Heat."""
POLL = 0.1
"""Seconds between checks of a cluster's status."""
PATHS = {"OS::Magnum::ClusterTemplate": "/clustertemplates", "OS::Magnum::Cluster": "/clusters"}
# Properties whose names differ in Magnum.
RENAMED = {name: f"{name}_id" for name in ("image", "flavor", "master_flavor", "keypair", "external_network")}
KINDS = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}


def attribute(store: Store, kind: str, ident: str, name: str | None) -> Any:
    """An attribute of a resource; its ID if `name` is None. None if the resource does not exist."""
    if name is None:
        return ident
    table = store.clusters if kind == "OS::Magnum::Cluster" else store.templates
    record = table.get(ident)
    if record is None:
        return None
    if table is store.clusters:
        masters = [group for group in record["nodegroups"] if group["role"] == "master"]
        workers = [group for group in record["nodegroups"] if group["role"] != "master"]
        record = {**record, "stack_id": record["cluster_id"]}
        for prefix, groups in (("master", masters), ("node", workers)):
            record[f"{prefix}_count"] = sum(group["node_count"] for group in groups)
            record[f"{prefix}_addresses"] = [address for group in groups for address in group["node_addresses"]]
        del record["nodegroups"]
    return record if name == "show" else record.get(name)


def looking(store: Store, stack: Record):
    """The lookup of the stack's resources for the functions of its template."""

    def look(name: str, wanted: str | None) -> Any:
        resource = stack["resources"].get(name)
        return (
            attribute(store, resource["resource_type"], resource["physical_resource_id"], wanted) if resource else None
        )

    return look


def pseudo_parameters(stack: Record) -> Record:
    return {"OS::project_id": stack["project"], "OS::stack_id": stack["id"], "OS::stack_name": stack["stack_name"]}


def parameters(stack: Record) -> Record:
    """A stack's parameters as Heat shows them: as strings, hidden ones masked."""
    rendered = pseudo_parameters(stack)
    template: Template | None = stack["template"]
    for name, value in template.parameters.items() if template else ():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        text = json.dumps(value) if isinstance(value, dict) else text
        rendered[name] = "******" if template and template.schemas[name].get("hidden") else text
    return rendered


def outputs(store: Store, stack: Record) -> list[Record]:
    template: Template | None = stack["template"]
    if not template:
        return []
    look = looking(store, stack)
    rendered = []
    for name, output in template.outputs.items():
        body = {"output_key": name, "description": output.get("description", "No description given")}
        try:
            body["output_value"] = template.resolve(output["value"], look)
        except (ValueError, Refusal) as error:
            body |= {"output_value": None, "output_error": str(error)}
        rendered.append(body)
    return rendered


@dataclass(frozen=True)
class Engine:
    """Works on one stack with the permissions of its user."""

    app: Starlette
    origin: str
    user: str
    stack: Record

    @property
    def store(self) -> Store:
        return self.app.state.store

    async def create(self) -> None:
        template = self.stack["template"]

        async def make() -> None:
            for name in template.order:
                await self._make(template, name)

        if not await self._done("CREATE", make()) and not self.stack["disable_rollback"]:
            await self._take_down("ROLLBACK")

    async def update(self, template: Template) -> None:
        """Update to the template; if that fails, roll back to the previous one unless rollback is disabled."""
        before = self.stack["template"]
        if not await self._become(template, "UPDATE") and not self.stack["disable_rollback"]:
            set_stack(self.stack, "ROLLBACK", "IN_PROGRESS")
            await self._become(before, "ROLLBACK")

    async def _become(self, template: Template, action: str) -> bool:
        """Change resources in place or replace them, then delete those that are no longer in the template."""
        stack = self.stack
        stack["template"] = template

        async def change() -> None:
            for name in template.order:
                await self._change(template, name)
            for name in [name for name in stack["resources"] if name not in template.resources]:
                await self._unmake(name)
                del stack["resources"][name]
            await self._remove_replaced()

        return await self._done(action, change())

    async def _done(self, action: str, work: Coroutine[Any, Any, None]) -> bool:
        """Do the work within the stack's timeout and set the resulting status. Returns whether it succeeded."""
        stack, reason = self.stack, None
        try:
            async with asyncio.timeout((stack["timeout_mins"] or TIMEOUT) * MINUTE):
                await work
        except TimeoutError:
            reason = f"{action.title()} timed out"
        except ResourceFailed as failure:
            reason = f"Resource {action} failed: {failure}"
        # The result no longer matters if another action is queued for the stack.
        if not self.app.state.conductor.is_last(stack["id"]):
            return True
        set_stack(stack, action, "FAILED" if reason else "COMPLETE", reason)
        return not reason

    async def mark(self, action: str) -> None:
        """Check, suspend or resume the stack: for Magnum's resources Heat only sets the status."""
        stack, before = self.stack, {"SUSPEND": "_COMPLETE", "RESUME": "SUSPEND_COMPLETE", "CHECK": ""}[action]
        for name, resource in stack["resources"].items():
            if not (status := resource["resource_status"]).endswith(before):
                said = f"State {tuple(status.split('_', 1))} invalid for {action.lower()}"
                set_stack(stack, action, "FAILED", f"Resource {action} failed: Error: resources.{name}: {said}")
                return
            set_resource(stack, name, action, "COMPLETE")
        set_stack(stack, action, "COMPLETE")

    async def delete(self) -> None:
        if await self._take_down("DELETE"):
            forget(self.store, self.stack)

    async def _make(self, template: Template, name: str) -> None:
        kind = template.resources[name]["type"]
        with making(self.stack, name, kind) as resource:
            body = resource["properties"] = template.properties(name, looking(self.store, self.stack))
            if kind == "OS::Magnum::ClusterTemplate":
                body = {RENAMED.get(key, key): self._id_of(key, value) for key, value in body.items()}
                body.setdefault("name", resource["physical_name"])
            else:
                body = {"cluster_template_id" if key == "cluster_template" else key: body[key] for key in body}
            made = await self._ask("POST", PATHS[kind], body)
            assert made is not None
            resource["physical_resource_id"] = made["uuid"]
            if kind == "OS::Magnum::Cluster":
                await self._settled(name, made["uuid"], "CREATE")

    def _id_of(self, key: str, value: Any) -> Any:
        """The ID of a network or subnet given by name: Heat resolves those itself."""
        table = {"external_network": self.store.networks, "fixed_network": self.store.networks}
        table |= {"fixed_subnet": self.store.subnets}
        return table[key].find(value)[0]["id"] if key in table else value

    async def _change(self, template: Template, name: str) -> None:
        """Update one resource to the template. A resource that failed is replaced, whatever failed."""
        stack, kind = self.stack, template.resources[name]["type"]
        if not (resource := stack["resources"].get(name)):
            await self._make(template, name)
            return
        wanted, had = template.properties(name, looking(self.store, stack)), resource.get("properties", {})
        changed = {key: wanted.get(key) for key in TYPES[kind] if wanted.get(key) != had.get(key)}
        mutable = resource["resource_type"] == kind and all(TYPES[kind][key].mutable for key in changed)
        if not mutable or resource["resource_status"].endswith("FAILED"):
            stack["replaced"].append((resource["resource_type"], resource["physical_resource_id"]))
            del stack["resources"][name]
            await self._make(template, name)
        elif changed:
            with making(stack, name, kind, "UPDATE"):
                path = f"{PATHS[kind]}/{resource['physical_resource_id']}"
                patch = [{"op": "replace", "path": f"/{key}", "value": value} for key, value in changed.items()]
                await self._ask("PATCH", path, patch)
                await self._settled(name, resource["physical_resource_id"], "UPDATE")
                resource["properties"] = wanted

    async def _settled(self, name: str, uuid: str, action: str) -> None:
        # The cluster may not have started to change at the first check.
        going_on = {"CREATE": ("CREATE_IN_PROGRESS",), "UPDATE": ("UPDATE_IN_PROGRESS", "CREATE_COMPLETE")}[action]
        while cluster := self.store.clusters.get(uuid):
            status, why = cluster["status"], cluster["status_reason"]
            if status == f"{action}_COMPLETE":
                return
            if status == f"{action}_FAILED":
                why = f"Failed to {action.lower()} Cluster '{name}' - {why}"
                raise ResourceFailed("ResourceInError", f'Went to status {status} due to "{why}"')
            if status not in going_on:
                why = f"Unknown status {action.lower()[:-1]}ing Cluster '{name}' - {why}"
                raise ResourceFailed("ResourceUnknownStatus", f'{why} due to "{status}"')
            await asyncio.sleep(POLL)
        raise ResourceFailed("NotFound", f"Cluster {uuid} could not be found. (HTTP 404)")

    async def _take_down(self, action: str) -> bool:
        """Delete all resources, in reverse order. Those that are already gone are ignored."""
        stack = self.stack
        set_stack(stack, action, "IN_PROGRESS")
        try:
            await self._remove_replaced()
            order = stack["template"].order
            for name in [*(name for name in stack["resources"] if name not in order), *reversed(order)]:
                await self._unmake(name)
        except ResourceFailed as failure:
            set_stack(stack, action, "FAILED", f"Resource DELETE failed: {failure}")
            return False
        stack["resources"].clear()
        set_stack(stack, action, "COMPLETE")
        return True

    async def _remove_replaced(self) -> None:
        while replaced := self.stack["replaced"]:
            await self._remove(*replaced[-1])
            replaced.pop()

    async def _unmake(self, name: str) -> None:
        resource = self.stack["resources"].get(name)
        if resource and resource["resource_status"] != "DELETE_COMPLETE":
            with making(self.stack, name, resource["resource_type"], "DELETE"):
                await self._remove(resource["resource_type"], resource["physical_resource_id"])

    async def _remove(self, kind: str, uuid: str) -> None:
        if not uuid or await self._ask("DELETE", f"{PATHS[kind]}/{uuid}") is None:
            return
        while cluster := self.store.clusters.get(uuid):
            if cluster["status"] == "DELETE_FAILED":
                raise ResourceFailed(
                    "ResourceInError", f'Went to status DELETE_FAILED due to "{cluster["status_reason"]}"'
                )
            await asyncio.sleep(POLL)

    async def _ask(self, method: str, path: str, body: Record | list[Record] | None = None) -> Record | None:
        """Magnum's response; None if the resource to delete does not exist. Raises ResourceFailed if Magnum refuses."""
        import httpx

        token = self.store.issue(self.user, ["token"], self.stack["project"])
        headers = {"X-Auth-Token": token.id, "OpenStack-API-Version": "container-infra 1.12"}
        # Through Magnum's API, as Heat does.
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(INSIDE, 0))
        async with httpx.AsyncClient(transport=transport, base_url=self.origin, headers=headers) as client:
            answer = await client.request(method, f"/container-infra/v1{path}", json=body)
        self.store.tokens.pop(token.id, None)
        if answer.is_success:
            return answer.json() if answer.content else {}
        if answer.status_code == 404 and method == "DELETE":
            return None
        detail, request = answer.json()["errors"][0]["detail"], answer.headers["x-openstack-request-id"]
        kind = KINDS.get(answer.status_code, "InternalServerError")
        raise ResourceFailed(kind, f"{detail} (HTTP {answer.status_code}) (Request-ID: {request})")
