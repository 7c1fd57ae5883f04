"""Heat's records: stacks, with their resources and events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from zerojhub.practice.cloud.store import Record, Store, hex_id, new_id, now, short_id


class ResourceFailed(Exception):
    """A resource failed. Each enclosing stack adds its location, as in Heat's status reasons."""

    def __init__(self, kind: str, why: str):
        super().__init__(why)
        self.kind, self.why, self.where = kind, why, ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.why}" if self.where else f"{self.kind}: {self.why}"


def new_stack(
    store: Store, project: str, name: str, timeout: int | None, parent: Record | None = None, *, hidden: bool = False
) -> Record:
    """A new stack in CREATE_IN_PROGRESS; `timeout` is in minutes.

    A `hidden` stack is internal (Cluster API drivers have none in Heat); its name is also its ID.
    """
    stack: Record = {
        "id": name if hidden else new_id(),
        "stack_name": name,
        "description": "" if parent else "This template will boot a Kubernetes cluster with one or more minions.\n",
        "creation_time": now(),
        "updated_time": None,
        "deletion_time": None,
        "action": "CREATE",
        "status": "IN_PROGRESS",
        "reason": "Stack CREATE started",
        "project": project,
        # Heat creates a project for each stack's own users.
        "stack_user_project_id": hex_id(),
        "timeout_mins": timeout,
        "parent": parent["id"] if parent else None,
        "disable_rollback": True,
        "hidden": hidden or bool(parent and parent["hidden"]),
        # Only for users' own stacks; the builder creates the resources of Magnum's.
        "template": None,
        # (type, ID) of resources that an update has replaced but not deleted yet.
        "replaced": [],
        "resources": {},
        "events": [],
    }
    store.stacks.add(stack)
    record_event(stack, stack["stack_name"], stack["id"], "CREATE_IN_PROGRESS", stack["reason"], "OS::Heat::Stack")
    return stack


def record_event(stack: Record, name: str, physical: str, status: str, reason: str, kind: str) -> None:
    event = {
        "id": new_id(),
        "event_time": now(),
        "logical_resource_id": name,
        "physical_resource_id": physical,
        "resource_name": name,
        "resource_status": status,
        "resource_status_reason": reason,
        "resource_type": kind,
    }
    stack["events"].append(event)


def set_stack(stack: Record, action: str, status: str, reason: str | None = None) -> None:
    done = {"COMPLETE": "completed successfully", "IN_PROGRESS": "started", "FAILED": "failed"}[status]
    stack |= {"action": action, "status": status, "reason": reason or f"Stack {action} {done}"}
    if action != "CREATE":
        stack["updated_time"] = now()
    record_event(stack, stack["stack_name"], stack["id"], f"{action}_{status}", stack["reason"], "OS::Heat::Stack")


def set_resource(stack: Record, name: str, action: str, status: str, reason: str = "state changed") -> None:
    resource = stack["resources"][name]
    resource |= {"resource_status": f"{action}_{status}", "resource_status_reason": reason, "updated_time": now()}
    physical, kind = resource["physical_resource_id"] or resource["physical_name"], resource["resource_type"]
    record_event(stack, name, physical, f"{action}_{status}", reason, kind)


@contextlib.contextmanager
def making(stack: Record, name: str, kind: str, action: str = "CREATE") -> Iterator[Record]:
    """A resource of the stack: in progress inside the block, complete or failed after it."""
    resource = stack["resources"].setdefault(
        name,
        {
            "resource_name": name,
            "logical_resource_id": name,
            "physical_resource_id": "",
            "resource_type": kind,
            "creation_time": now(),
            "nested": None,
            # Used in events until the resource has an ID.
            "physical_name": f"{stack['stack_name']}-{name}-{short_id()}",
        },
    )
    set_resource(stack, name, action, "IN_PROGRESS")
    try:
        yield resource
    except ResourceFailed as failure:
        here = f"resources[{name}]" if name.isdigit() else f"resources.{name}"
        failure.where = f"{here}.{failure.where}" if failure.where else here
        set_resource(stack, name, action, "FAILED", str(failure))
        raise
    except BaseException:
        # Aborted from outside: a sibling failed, or the timeout expired.
        set_resource(stack, name, action, "FAILED", f"{action} aborted")
        raise
    set_resource(stack, name, action, "COMPLETE")


@contextlib.contextmanager
def nesting(store: Store, stack: Record, name: str, kind: str, action: str = "CREATE") -> Iterator[Record]:
    """A resource that is itself a stack; it fails if something inside fails."""
    with making(stack, name, kind, action) as resource:
        inner = store.stacks.get(resource["nested"] or "")
        if not inner:
            inner = new_stack(store, stack["project"], resource["physical_name"], stack["timeout_mins"], stack)
            resource |= {"nested": inner["id"], "physical_resource_id": inner["id"]}
        set_stack(inner, action, "IN_PROGRESS")
        try:
            yield inner
        except ResourceFailed as failure:
            set_stack(inner, action, "FAILED", f"Resource {action} failed: {failure}")
            raise
        except BaseException:
            set_stack(inner, action, "FAILED", f"{action} aborted")
            raise
        set_stack(inner, action, "COMPLETE")


def forget(store: Store, stack: Record) -> None:
    """Delete the stack and its nested stacks. It can still be shown by its ID."""
    for inner in store.stacks.where(parent=stack["id"]):
        forget(store, inner)
    if store.stacks.pop(stack["id"], None) and not stack["hidden"]:
        stack |= {"action": "DELETE", "status": "COMPLETE", "reason": "Stack DELETE completed successfully"}
        stack |= {"deletion_time": now(), "resources": {}}
        store.deleted_stacks.append(stack)
