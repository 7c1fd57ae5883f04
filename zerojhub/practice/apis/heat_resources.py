"""Heat v1: what stacks are made of, and what happened to it."""

from __future__ import annotations

from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.heat import a_stack, href, in_project, page
from zerojhub.practice.apis.heat_values import refusal, whole
from zerojhub.practice.apis.heat_work import attribute
from zerojhub.practice.apis.wire import Call

FILTERS = {
    "type": "resource_type",
    "status": "resource_status",
    "action": "resource_status",
    "name": "resource_name",
    "physical_resource_id": "physical_resource_id",
}

# What only the practice cloud itself keeps of a resource.
INTERNAL = ("nested", "properties", "physical_name")


def resource_body(call: Call, stack: Record, resource: Record, parent: str | None) -> Record:
    body = {name: value for name, value in resource.items() if name not in INTERNAL}
    rest = f"/resources/{resource['resource_name']}"
    links = [{"rel": "self", "href": href(call, stack, rest)}, {"rel": "stack", "href": href(call, stack)}]
    if nested := call.cloud.stacks.get(resource["nested"] or ""):
        links.append({"rel": "nested", "href": href(call, nested)})
    if parent:
        body["parent_resource"] = parent
    needed = stack["template"].needed_by(resource["resource_name"]) if stack["template"] else []
    return {**body, "links": links, "required_by": needed}


def resources_of(call: Call, stack: Record, depth: int, parent: str | None = None) -> list[Record]:
    result = []
    for resource in stack["resources"].values():
        result.append(resource_body(call, stack, resource, parent))
        nested = call.cloud.stacks.get(resource["nested"] or "")
        if nested and depth > 0:
            result += resources_of(call, nested, depth - 1, resource["resource_name"])
    return result


@in_project("GET", "/stacks/{stack}/{ident}/resources")
async def list_resources(call: Call) -> Record:
    query = call.query_params
    if strange := query.keys() - FILTERS.keys() - {"nested_depth", "with_detail"}:
        raise refusal("HTTPBadRequest", f"Invalid filter parameters {sorted(strange)}")
    depth = whole("nested_depth", query.get("nested_depth")) or 0
    found = resources_of(call, a_stack(call), depth)
    for name, field in FILTERS.items():
        for wanted in query.getlist(name)[-1:]:
            # A part of a type's name will do, and a status is half of what is shown as one.
            part = name in ("type", "status", "action")
            found = [item for item in found if item[field] == wanted or (part and wanted in item[field])]
    return {"resources": found}


def a_resource(call: Call, stack: Record) -> Record:
    if not (resource := stack["resources"].get(name := call.path_params["name"])):
        said = f"The Resource ({name}) could not be found in Stack {stack['stack_name']}."
        raise refusal("ResourceNotFound", said, 404)
    return resource


@in_project("GET", "/stacks/{stack}/{ident}/resources/{name}")
async def show_resource(call: Call) -> Record:
    stack = a_stack(call)
    resource = a_resource(call, stack)
    kind, made = resource["resource_type"], resource["physical_resource_id"]
    attributes = attribute(call.cloud, kind, made, "show") if stack["template"] else None
    body = resource_body(call, stack, resource, None)
    return {"resource": {**body, "attributes": attributes or {}, "description": ""}}


# -- events -----------------------------------------------------------------------------------------------------------


def event_body(call: Call, stack: Record, event: Record) -> Record:
    rest = f"/resources/{event['resource_name']}"
    own = href(call, stack, f"{rest}/events/{event['id']}")
    links = [("self", own), ("resource", href(call, stack, rest)), ("stack", href(call, stack))]
    body = {name: value for name, value in event.items() if name != "resource_type"}
    return {**body, "links": [{"rel": rel, "href": url} for rel, url in links]}


def events_of(call: Call, stack: Record, depth: int) -> list[Record]:
    events = [event_body(call, stack, event) for event in stack["events"]]
    if depth > 0:
        for inner in call.cloud.stacks.where(parent=stack["id"]):
            events += events_of(call, inner, depth - 1)
    return events


@in_project("GET", "/stacks/{stack}/{ident}/events")
async def list_events(call: Call) -> Record:
    depth = whole("nested_depth", call.query_params.get("nested_depth")) or 0
    events = sorted(events_of(call, a_stack(call), depth), key=lambda event: event["event_time"])
    return {"events": page(call, events)[0]}


@in_project("GET", "/stacks/{stack}/{ident}/resources/{name}/events")
async def list_events_of_resource(call: Call) -> Record:
    stack = a_stack(call)
    name = a_resource(call, stack)["resource_name"]
    events = [event_body(call, stack, event) for event in stack["events"] if event["resource_name"] == name]
    return {"events": page(call, events)[0]}


@in_project("GET", "/stacks/{stack}/{ident}/resources/{name}/events/{event}")
async def show_event(call: Call) -> Record:
    stack, ident = a_stack(call), call.path_params["event"]
    for event in stack["events"]:
        if event["id"] == ident:
            more = {"resource_type": event["resource_type"], "resource_properties": {}}
            return {"event": {**event_body(call, stack, event), **more}}
    raise refusal("HTTPNotFound", f"No event {ident} found", 404)
