"""What was done to a server: Nova's instance actions, which the client calls a server's events."""

from __future__ import annotations

from zerojhub.practice.cloud.nova.states import MICROSECONDS
from zerojhub.practice.cloud.store import Record, Store, new_id, now
from zerojhub.practice.cloud.wire import Call

EVENTS = {
    "create": "compute__do_build_and_run_instance",
    "stop": "compute_stop_instance",
    "start": "compute_start_instance",
    "reboot": "compute_reboot_instance",
    "rebuild": "compute_rebuild_instance",
    "resize": "compute_finish_resize",
    "confirmResize": "compute_confirm_resize",
    "revertResize": "compute_finish_revert_resize",
    "delete": "compute_terminate_instance",
    "lock": "api_lock",
    "unlock": "api_unlock",
    "attach_volume": "compute_attach_volume",
    "detach_volume": "compute_detach_volume",
    "attach_interface": "compute_attach_interface",
    "detach_interface": "compute_detach_interface",
    "createImage": "compute_snapshot_instance",
    "createBackup": "compute_backup_instance",
}
"""Name of an action -> Nova's name of its event."""


def begin(store: Store, server: Record, action: str, user: str, request: str | None = None) -> Record:
    """Record an action that starts now. `request` is the request ID; default: a new one."""
    event = {
        "action": action,
        "instance_uuid": server["id"],
        "request_id": request or f"req-{new_id()}",
        "project_id": server["project_id"],
        "user_id": user,
        "start_time": now(MICROSECONDS),
        "updated_at": now(MICROSECONDS),
        "finish_time": None,
        "result": None,
    }
    store.server_events.append(event)
    return event


def finish(event: Record, result: str = "Success") -> None:
    event |= {"updated_at": now(MICROSECONDS), "finish_time": now(MICROSECONDS), "result": result}


def done(call: Call, server: Record, action: str) -> None:
    """Record an action that is complete at once."""
    finish(begin(call.store, server, action, call.token.user, call.state.request_id))
