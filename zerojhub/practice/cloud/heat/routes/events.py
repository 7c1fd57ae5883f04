"""Events of stacks and their resources."""

from __future__ import annotations

from zerojhub.practice.cloud.heat.errors import refusal
from zerojhub.practice.cloud.heat.project import ProjectRoutes
from zerojhub.practice.cloud.heat.routes.resources import requested_resource
from zerojhub.practice.cloud.heat.routes.stacks import href, page, requested_stack
from zerojhub.practice.cloud.heat.values import whole
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call

routes = ProjectRoutes()


def event_body(call: Call, stack: Record, event: Record) -> Record:
    rest = f"/resources/{event['resource_name']}"
    own = href(call, stack, f"{rest}/events/{event['id']}")
    links = [("self", own), ("resource", href(call, stack, rest)), ("stack", href(call, stack))]
    body = {name: value for name, value in event.items() if name != "resource_type"}
    return {**body, "links": [{"rel": rel, "href": url} for rel, url in links]}


def events_of(call: Call, stack: Record, depth: int) -> list[Record]:
    events = [event_body(call, stack, event) for event in stack["events"]]
    if depth > 0:
        for inner in call.store.stacks.where(parent=stack["id"]):
            events += events_of(call, inner, depth - 1)
    return events


@routes("GET", "/stacks/{stack}/{ident}/events")
async def list_events(call: Call) -> Record:
    depth = whole("nested_depth", call.query_params.get("nested_depth")) or 0
    events = sorted(events_of(call, requested_stack(call), depth), key=lambda event: event["event_time"])
    return {"events": page(call, events)[0]}


@routes("GET", "/stacks/{stack}/{ident}/resources/{name}/events")
async def list_events_of_resource(call: Call) -> Record:
    stack = requested_stack(call)
    name = requested_resource(call, stack)["resource_name"]
    events = [event_body(call, stack, event) for event in stack["events"] if event["resource_name"] == name]
    return {"events": page(call, events)[0]}


@routes("GET", "/stacks/{stack}/{ident}/resources/{name}/events/{event}")
async def show_event(call: Call) -> Record:
    stack, ident = requested_stack(call), call.path_params["event"]
    for event in stack["events"]:
        if event["id"] == ident:
            more = {"resource_type": event["resource_type"], "resource_properties": {}}
            return {"event": {**event_body(call, stack, event), **more}}
    raise refusal("HTTPNotFound", f"No event {ident} found", 404)
