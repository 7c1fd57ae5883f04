"""Resources of stacks."""

from __future__ import annotations

from zerojhub.practice.cloud.heat.engine import attribute
from zerojhub.practice.cloud.heat.errors import refusal
from zerojhub.practice.cloud.heat.project import ProjectRoutes
from zerojhub.practice.cloud.heat.routes.stacks import href, requested_stack
from zerojhub.practice.cloud.heat.values import whole
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call

routes = ProjectRoutes()


FILTERS = {
    "type": "resource_type",
    "status": "resource_status",
    "action": "resource_status",
    "name": "resource_name",
    "physical_resource_id": "physical_resource_id",
}

# Internal fields of a resource.
INTERNAL = ("nested", "properties", "physical_name")


def resource_body(call: Call, stack: Record, resource: Record, parent: str | None) -> Record:
    body = {name: value for name, value in resource.items() if name not in INTERNAL}
    rest = f"/resources/{resource['resource_name']}"
    links = [{"rel": "self", "href": href(call, stack, rest)}, {"rel": "stack", "href": href(call, stack)}]
    if nested := call.store.stacks.get(resource["nested"] or ""):
        links.append({"rel": "nested", "href": href(call, nested)})
    if parent:
        body["parent_resource"] = parent
    needed = stack["template"].needed_by(resource["resource_name"]) if stack["template"] else []
    return {**body, "links": links, "required_by": needed}


def resources_of(call: Call, stack: Record, depth: int, parent: str | None = None) -> list[Record]:
    result = []
    for resource in stack["resources"].values():
        result.append(resource_body(call, stack, resource, parent))
        nested = call.store.stacks.get(resource["nested"] or "")
        if nested and depth > 0:
            result += resources_of(call, nested, depth - 1, resource["resource_name"])
    return result


@routes("GET", "/stacks/{stack}/{ident}/resources")
async def list_resources(call: Call) -> Record:
    query = call.query_params
    if strange := query.keys() - FILTERS.keys() - {"nested_depth", "with_detail"}:
        raise refusal("HTTPBadRequest", f"Invalid filter parameters {sorted(strange)}")
    depth = whole("nested_depth", query.get("nested_depth")) or 0
    found = resources_of(call, requested_stack(call), depth)
    for name, field in FILTERS.items():
        for wanted in query.getlist(name)[-1:]:
            # A substring of the type matches, and `resource_status` is ACTION_STATUS.
            part = name in ("type", "status", "action")
            found = [item for item in found if item[field] == wanted or (part and wanted in item[field])]
    return {"resources": found}


def requested_resource(call: Call, stack: Record) -> Record:
    if not (resource := stack["resources"].get(name := call.path_params["name"])):
        said = f"The Resource ({name}) could not be found in Stack {stack['stack_name']}."
        raise refusal("ResourceNotFound", said, 404)
    return resource


@routes("GET", "/stacks/{stack}/{ident}/resources/{name}")
async def show_resource(call: Call) -> Record:
    stack = requested_stack(call)
    resource = requested_resource(call, stack)
    kind, made = resource["resource_type"], resource["physical_resource_id"]
    attributes = attribute(call.store, kind, made, "show") if stack["template"] else None
    body = resource_body(call, stack, resource, None)
    return {"resource": {**body, "attributes": attributes or {}, "description": ""}}
