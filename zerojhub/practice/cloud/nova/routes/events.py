"""Instance actions: the history of a server."""

from __future__ import annotations

from zerojhub.practice.cloud.nova.events import EVENTS
from zerojhub.practice.cloud.nova.records import host_id
from zerojhub.practice.cloud.nova.routes.servers import requested_server
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes, paged

routes = Routes()


PATH = "/v2.1/servers/{ident}/os-instance-actions"


def render(call: Call, event: Record) -> Record:
    names = ["action", "instance_uuid", "request_id", "user_id", "project_id", "start_time"]
    names += ["updated_at"] if call.state.version >= (2, 58) else []
    return {**{name: event[name] for name in names}, "message": "Error" if event["result"] == "Error" else None}


def events_of(call: Call) -> list[Record]:
    """The events of the server in the path, newest first; since 2.21 also of a deleted server."""
    found = [event for event in call.store.server_events if event["instance_uuid"] == call.path_params["ident"]]
    if not found or call.state.version < (2, 21):
        requested_server(call)
    return found[::-1]


@routes("GET", PATH)
async def list_events(call: Call) -> Record:
    part, following = paged(call, events_of(call), key="request_id")
    body: Record = {"instanceActions": [render(call, event) for event in part]}
    if following and call.state.version >= (2, 58):
        body["links"] = [{"rel": "next", "href": f"{call.origin}{call.url.path}?{following}"}]
    return body


@routes("GET", PATH + "/{request}")
async def show_event(call: Call) -> Record:
    request = call.path_params["request"]
    event = next((event for event in events_of(call) if event["request_id"] == request), None)
    if not event:
        raise Refusal(404, f"Action {request} not found")
    body = render(call, event)
    if call.state.version >= (2, 51):
        times = {name: event[name] for name in ("start_time", "finish_time", "result")}
        body["events"] = [{"event": EVENTS[event["action"]], **times}]
        if call.state.version >= (2, 62):
            body["events"][0]["hostId"] = host_id(event["project_id"])
    return {"instanceAction": body}
