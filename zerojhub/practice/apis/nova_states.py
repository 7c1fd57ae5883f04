"""The states of a server, and what may be done in which: Nova's own map of them (`nova/api/openstack/common.py`)."""

from __future__ import annotations

from zerojhub.practice.apis.cloud import Record, now
from zerojhub.practice.apis.nova import get
from zerojhub.practice.apis.wire import Call, Refusal

MICROSECONDS = "%Y-%m-%dT%H:%M:%S.000000"
STATUS = {
    "active": "ACTIVE",
    "building": "BUILD",
    "stopped": "SHUTOFF",
    "resized": "VERIFY_RESIZE",
    "error": "ERROR",
}
"""The status that a server shows by its vm_state, while it has no task."""
TASKS = {
    "rebooting": "REBOOT",
    "rebooting_hard": "HARD_REBOOT",
    "rebuilding": "REBUILD",
    "resize_migrating": "RESIZE",
    "resize_reverting": "REVERT_RESIZE",
}
"""And the one that it shows meanwhile, by its task_state."""
RUNNING, SHUTDOWN = 1, 4
"""Power states."""


def a_server(call: Call) -> Record:
    """The one that the path names. Raises Refusal (404)."""
    return get(call.cloud.servers, call.path_params["ident"], "Instance {} could not be found.")


def status(server: Record) -> str:
    return TASKS.get(server["task_state"] or "", STATUS[server["vm_state"]])


def power_state(server: Record) -> int:
    if server["vm_state"] == "resized":
        return SHUTDOWN if server["resized"]["vm_state"] == "stopped" else RUNNING
    return {"active": RUNNING, "stopped": SHUTDOWN}.get(server["vm_state"], 0)


def set_state(server: Record, vm_state: str) -> None:
    """It is in this state, and no task is under way."""
    server |= {"vm_state": vm_state, "task_state": None, "updated": now()}


def unlocked(server: Record) -> None:
    """Refuse (409) whatever would change a server that is locked."""
    if server["locked"]:
        raise Refusal(409, f"Instance {server['id']} is locked")


def allow(server: Record, action: str, *vm_states: str, idle: bool = True) -> None:
    """Refuse (409) the action on a server that is locked, in no such vm_state, or (`idle`) at a task."""
    unlocked(server)
    for attribute, wrong in (
        ("vm_state", server["vm_state"] not in vm_states),
        ("task_state", idle and server["task_state"] is not None),
    ):
        if wrong:
            why = f"while it is in {attribute} {server[attribute]}"
            raise Refusal(409, f"Cannot '{action}' instance {server['id']} {why}")
