"""The states of a server, and the actions that each allows: Nova's own map (`nova/api/openstack/common.py`)."""

from __future__ import annotations

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, now

MICROSECONDS = "%Y-%m-%dT%H:%M:%S.000000"
STATUS = {
    "active": "ACTIVE",
    "building": "BUILD",
    "stopped": "SHUTOFF",
    "resized": "VERIFY_RESIZE",
    "error": "ERROR",
}
"""vm_state -> status of a server without a task."""
TASKS = {
    "rebooting": "REBOOT",
    "rebooting_hard": "HARD_REBOOT",
    "rebuilding": "REBUILD",
    "resize_migrating": "RESIZE",
    "resize_reverting": "REVERT_RESIZE",
}
"""task_state -> status of a server during the task."""
RUNNING, SHUTDOWN = 1, 4
"""Power states."""


def status(server: Record) -> str:
    return TASKS.get(server["task_state"] or "", STATUS[server["vm_state"]])


def power_state(server: Record) -> int:
    if server["vm_state"] == "resized":
        return SHUTDOWN if server["resized"]["vm_state"] == "stopped" else RUNNING
    return {"active": RUNNING, "stopped": SHUTDOWN}.get(server["vm_state"], 0)


def set_state(server: Record, vm_state: str) -> None:
    """Set the server's state and clear its task."""
    server |= {"vm_state": vm_state, "task_state": None, "updated": now()}


def check_unlocked(server: Record) -> None:
    """Raises Refusal (409) if the server is locked."""
    if server["locked"]:
        raise Refusal(409, f"Instance {server['id']} is locked")


def check_state(server: Record, action: str, *vm_states: str, idle: bool = True) -> None:
    """Raises Refusal (409) if the server is locked, in another vm_state, or (with `idle`) has a task."""
    check_unlocked(server)
    for attribute, wrong in (
        ("vm_state", server["vm_state"] not in vm_states),
        ("task_state", idle and server["task_state"] is not None),
    ):
        if wrong:
            why = f"while it is in {attribute} {server[attribute]}"
            raise Refusal(409, f"Cannot '{action}' instance {server['id']} {why}")
