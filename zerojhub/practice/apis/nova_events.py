"""What was done to a server: Nova's instance actions, which the client calls a server's events."""

from __future__ import annotations

from zerojhub.practice.apis.cloud import Cloud, Record, new_id, now
from zerojhub.practice.apis.nova import host_id, nova
from zerojhub.practice.apis.nova_states import MICROSECONDS, a_server
from zerojhub.practice.apis.wire import Call, Refusal, paged

PATH = "/v2.1/servers/{ident}/os-instance-actions"
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
"""Nova's name of what it does, by that of the action."""


def begin(cloud: Cloud, server: Record, action: str, user: str, request: str | None = None) -> Record:
    """An action that begins now. What people did not ask Nova for themselves is a request of its own."""
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
    cloud.server_events.append(event)
    return event


def finish(event: Record, result: str = "Success") -> None:
    event |= {"updated_at": now(MICROSECONDS), "finish_time": now(MICROSECONDS), "result": result}


def done(call: Call, server: Record, action: str) -> None:
    """An action that is over as soon as it is asked for."""
    finish(begin(call.cloud, server, action, call.token.user, call.state.request_id))


def shown(call: Call, event: Record) -> Record:
    names = ["action", "instance_uuid", "request_id", "user_id", "project_id", "start_time"]
    names += ["updated_at"] if call.state.version >= (2, 58) else []
    return {**{name: event[name] for name in names}, "message": "Error" if event["result"] == "Error" else None}


def events_of(call: Call) -> list[Record]:
    """Those of the server in the path, the newest first; since 2.21 also of one that is gone."""
    found = [event for event in call.cloud.server_events if event["instance_uuid"] == call.path_params["ident"]]
    if not found or call.state.version < (2, 21):
        a_server(call)
    return found[::-1]


@nova.route("GET", PATH)
async def list_events(call: Call) -> Record:
    part, following = paged(call, events_of(call), key="request_id")
    body: Record = {"instanceActions": [shown(call, event) for event in part]}
    if following and call.state.version >= (2, 58):
        body["links"] = [{"rel": "next", "href": f"{call.origin}{call.url.path}?{following}"}]
    return body


@nova.route("GET", PATH + "/{request}")
async def show_event(call: Call) -> Record:
    request = call.path_params["request"]
    event = next((event for event in events_of(call) if event["request_id"] == request), None)
    if not event:
        raise Refusal(404, f"Action {request} not found")
    body = shown(call, event)
    if call.state.version >= (2, 51):
        times = {name: event[name] for name in ("start_time", "finish_time", "result")}
        body["events"] = [{"event": EVENTS[event["action"]], **times}]
        if call.state.version >= (2, 62):
            body["events"][0]["hostId"] = host_id(event["project_id"])
    return {"instanceAction": body}
