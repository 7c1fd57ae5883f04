"""Heat v1: stacks to read, those behind clusters and people's own. What makes and deletes them is in heat_changes."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.apis import heat_work
from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.wire import Call, Refusal, Service, paged

TITLES = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
EXPLANATIONS = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    404: "The resource could not be found.",
    409: "There was a conflict when trying to complete your request.",
}


def say_no(refusal: Refusal) -> JSONResponse:
    status = refusal.status
    body = {
        "code": status,
        "title": TITLES.get(status, "Internal Server Error"),
        "explanation": EXPLANATIONS.get(status, refusal.message),
        "error": {"message": refusal.message, "traceback": None, "type": refusal.kind or "HTTPNotFound"},
    }
    return JSONResponse(body, status)


heat = Service("orchestration", "/orchestration", say_no)


@heat.route("GET", "", status=300, public=True)
@heat.route("GET", "/v1", public=True)
async def versions(call: Call) -> Record:
    links = [{"rel": "self", "href": f"{call.origin}/orchestration/v1/"}]
    return {"versions": [{"id": "v1.0", "status": "CURRENT", "links": links}]}


def href(call: Call, stack: Record, rest: str = "") -> str:
    name, ident = stack["stack_name"], stack["id"]
    return f"{call.origin}/orchestration/v1/{stack['project']}/stacks/{name}/{ident}{rest}"


def brief(call: Call, stack: Record) -> Record:
    names = ("id", "stack_name", "description", "creation_time", "updated_time", "deletion_time", "parent")
    return {
        **{name: stack[name] for name in names},
        "stack_status": f"{stack['action']}_{stack['status']}",
        "stack_status_reason": stack["reason"],
        "stack_owner": None,
        "stack_user_project_id": stack["project"],
        "project": stack["project"],
        "tags": None,
        "links": [{"rel": "self", "href": href(call, stack)}],
    }


def shown(call: Call, stack: Record) -> Record:
    return {
        **brief(call, stack),
        "parameters": heat_work.parameters(stack),
        "outputs": heat_work.outputs(call.cloud, stack),
        "capabilities": [],
        "notification_topics": [],
        "timeout_mins": stack["timeout_mins"],
        "disable_rollback": stack["disable_rollback"],
        "template_description": stack["description"],
    }


def a_stack(call: Call) -> Record:
    ident = call.path_params["stack"]
    own = call.cloud.stacks.where(project=call.project, hidden=False)
    found = [item for item in own if ident in (item["id"], item["stack_name"])]
    if not found:
        raise Refusal(404, f"The Stack ({ident}) could not be found.", "EntityNotFound")
    return found[0]


@heat.route("GET", "/v1/{project}/stacks")
@heat.route("GET", "/v1/{project}/stacks/detail")
async def list_stacks(call: Call) -> Record:
    query = call.query_params
    stacks = call.cloud.stacks.where(project=call.project, hidden=False)
    if query.get("show_nested", "").lower() != "true":
        stacks = [stack for stack in stacks if stack["parent"] is None]
    bodies = [brief(call, stack) for stack in stacks]
    for name, field in (("name", "stack_name"), ("status", "stack_status"), ("id", "id")):
        if wanted := query.getlist(name):
            bodies = [body for body in bodies if body[field] in wanted or body[field].endswith(tuple(wanted))]
    part, following = paged(call, bodies)
    body: Record = {"stacks": part}
    if query.get("with_count", "").lower() == "true":
        body["count"] = len(bodies)
    if following:
        body["links"] = [{"rel": "next", "href": f"{call.origin}{call.url.path}?{following}"}]
    return body


@heat.route("GET", "/v1/{project}/stacks/{stack}/{ident}")
async def show_stack(call: Call) -> Record:
    return {"stack": shown(call, a_stack(call))}


@heat.route("GET PUT PATCH DELETE", "/v1/{project}/stacks/{stack}")
async def find_stack(call: Call) -> JSONResponse:
    # By name or id alone Heat answers with the place that has both, and clients follow.
    stack = a_stack(call)
    query = f"?{call.url.query}" if call.url.query else ""
    message = "302 Found\n\nThe resource was found at"
    return JSONResponse({"message": message}, 302, {"Location": href(call, stack) + query})


def resource_body(call: Call, stack: Record, resource: Record, parent: str | None) -> Record:
    body = {name: value for name, value in resource.items() if name not in ("nested", "properties")}
    rest = f"/resources/{resource['resource_name']}"
    links = [{"rel": "self", "href": href(call, stack, rest)}, {"rel": "stack", "href": href(call, stack)}]
    if nested := call.cloud.stacks.get(resource["nested"] or ""):
        links.append({"rel": "nested", "href": href(call, nested)})
    if parent:
        body["parent_resource"] = parent
    return {**body, "links": links, "required_by": []}


def resources_of(call: Call, stack: Record, depth: int, parent: str | None = None) -> list[Record]:
    result = []
    for resource in stack["resources"].values():
        result.append(resource_body(call, stack, resource, parent))
        nested = call.cloud.stacks.get(resource["nested"] or "")
        if nested and depth > 0:
            result += resources_of(call, nested, depth - 1, resource["resource_name"])
    return result


@heat.route("GET", "/v1/{project}/stacks/{stack}/{ident}/resources")
async def list_resources(call: Call) -> Record:
    try:
        depth = int(call.query_params.get("nested_depth") or 0)
    except ValueError:
        raise Refusal(400, "Only integer is acceptable by 'nested_depth'.", "HTTPBadRequest") from None
    found = resources_of(call, a_stack(call), depth)
    for query, field in (("type", "resource_type"), ("status", "resource_status"), ("name", "resource_name")):
        if wanted := call.query_params.getlist(query):
            found = [item for item in found if item[field] in wanted or item[field].endswith(tuple(wanted))]
    return {"resources": found}


@heat.route("GET", "/v1/{project}/stacks/{stack}/{ident}/resources/{name}")
async def show_resource(call: Call) -> Record:
    stack, name = a_stack(call), call.path_params["name"]
    if name not in stack["resources"]:
        words = f"The Resource ({name}) could not be found in Stack {stack['stack_name']}."
        raise Refusal(404, words, "EntityNotFound")
    return {
        "resource": {**resource_body(call, stack, stack["resources"][name], None), "attributes": {}, "description": ""}
    }


def events_of(call: Call, stack: Record, depth: int) -> list[Record]:
    events = []
    for event in stack["events"]:
        rest = f"/resources/{event['resource_name']}"
        own = href(call, stack, f"{rest}/events/{event['id']}")
        links = [("self", own), ("resource", href(call, stack, rest)), ("stack", href(call, stack))]
        events.append({**event, "links": [{"rel": rel, "href": url} for rel, url in links]})
    if depth > 0:
        for inner in call.cloud.stacks.where(parent=stack["id"]):
            events += events_of(call, inner, depth - 1)
    return events


@heat.route("GET", "/v1/{project}/stacks/{stack}/{ident}/events")
async def list_events(call: Call) -> Record:
    depth = call.query_params.get("nested_depth") or "0"
    events = events_of(call, a_stack(call), int(depth) if depth.isdigit() else 0)
    part, _ = paged(call, sorted(events, key=lambda event: event["event_time"]))
    return {"events": part}


@heat.route("GET", "/v1/{project}/stacks/{stack}/environment")
@heat.route("GET", "/v1/{project}/stacks/{stack}/events")
@heat.route("GET", "/v1/{project}/stacks/{stack}/files")
@heat.route("GET", "/v1/{project}/stacks/{stack}/outputs")
@heat.route("GET", "/v1/{project}/stacks/{stack}/resources")
@heat.route("GET", "/v1/{project}/stacks/{stack}/template")
async def find_part(call: Call) -> JSONResponse:
    query = f"?{call.url.query}" if call.url.query else ""
    part = call.url.path.rstrip("/").rpartition("/")[2]
    return JSONResponse({}, 302, {"Location": href(call, a_stack(call), f"/{part}") + query})
