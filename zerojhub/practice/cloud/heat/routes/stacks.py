"""Stacks, both Magnum's and users' own: list and show."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.heat import engine
from zerojhub.practice.cloud.heat.errors import plain_error, refusal
from zerojhub.practice.cloud.heat.project import ProjectRoutes
from zerojhub.practice.cloud.heat.values import flag, whole
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, rank

routes = ProjectRoutes()


def href(call: Call, stack: Record, rest: str = "") -> str:
    name, ident = stack["stack_name"], stack["id"]
    return f"{call.origin}/orchestration/v1/{stack['project']}/stacks/{name}/{ident}{rest}"


def brief(call: Call, stack: Record) -> Record:
    names = ("id", "stack_name", "creation_time", "updated_time", "deletion_time", "parent", "stack_user_project_id")
    return {
        **{name: stack[name] for name in names},
        # Heat leaves the description out of lists.
        "description": "",
        "stack_status": f"{stack['action']}_{stack['status']}",
        "stack_status_reason": stack["reason"],
        "stack_owner": call.state.user,
        "tags": None,
        "links": [{"rel": "self", "href": href(call, stack)}],
    }


def render_stack(call: Call, stack: Record) -> Record:
    body = {
        **brief(call, stack),
        "parameters": engine.parameters(stack),
        "capabilities": [],
        "notification_topics": [],
        "tags": [],
        "timeout_mins": stack["timeout_mins"],
        "disable_rollback": stack["disable_rollback"],
        "description": stack["description"],
        "template_description": stack["description"],
    }
    if not stack["deletion_time"] and flag("resolve_outputs", call.query_params.get("resolve_outputs", "true")):
        body["outputs"] = engine.outputs(call.store, stack)
    return body


def requested_stack(call: Call) -> Record:
    """The stack in the path, by name, by ID or by both. Deleted stacks can be shown by ID."""
    name, ident = call.path_params["stack"], call.path_params.get("ident")
    own = [each for each in call.store.stacks.values() if each["project"] == call.project and not each["hidden"]]
    if call.method == "GET":
        own += [each for each in call.store.deleted_stacks if each["project"] == call.project]
    for each in own:
        if (ident or name) == each["id"] and name in (each["stack_name"], ident or name):
            return each
        if not ident and name == each["stack_name"] and not each["deletion_time"]:
            return each
    raise refusal("EntityNotFound", f"The Stack ({name}) could not be found.", 404)


KEYS = {"name": "stack_name", "status": "stack_status", "created_at": "creation_time", "updated_at": "updated_time"}


def page(call: Call, records: list[Record]) -> tuple[list[Record], str | None]:
    """The page selected by `limit` and `marker`, and the query string of the next page.

    Records are given oldest first, and listed newest first unless a sort order is requested.
    """
    query = call.query_params
    limit = whole("limit", query.get("limit"))
    if keys := [KEYS[key] for key in query.getlist("sort_keys") if key in KEYS]:
        records = sorted(records, key=lambda record: [rank(record.get(key)) for key in keys])
    if query.get("sort_dir", "asc" if keys else "desc") == "desc":
        records = records[::-1]
    ids = [record["id"] for record in records]
    if (marker := query.get("marker")) in ids:
        records = records[ids.index(marker) + 1 :]
    part = records[:limit] if limit else records
    if not limit or len(part) < limit:
        return part, None
    rest = [(name, value) for name, value in query.multi_items() if name not in ("limit", "marker")]
    return part, urlencode([*rest, ("limit", limit), ("marker", part[-1]["id"])])


@routes("GET", "/stacks")
@routes("GET", "/stacks/detail")
async def list_stacks(call: Call) -> Record:
    query = call.query_params
    nested, counted = (flag(name, query.get(name, "false")) for name in ("show_nested", "with_count"))
    stacks = call.store.stacks.where(project=call.project, hidden=False)
    for name, field in (("id", "id"), ("name", "stack_name"), ("status", "status"), ("action", "action")):
        if wanted := query.getlist(name):
            stacks = [stack for stack in stacks if stack[field] in wanted]
    # Stacks here have no tags.
    if query.get("tags") or query.get("tags_any"):
        stacks = []
    bodies = [brief(call, stack) for stack in stacks if nested or stack["parent"] is None]
    part, following = page(call, bodies)
    body: Record = {"stacks": part}
    if counted:
        body["count"] = len(bodies)
    if following:
        body["links"] = [{"rel": "next", "href": f"{call.origin}{call.url.path}?{following}"}]
    return body


@routes("GET", "/stacks/{stack}/{ident}")
async def show_stack(call: Call) -> Record:
    return {"stack": render_stack(call, requested_stack(call))}


def redirect(call: Call, rest: str = "") -> JSONResponse:
    """Redirect from a URL with a name or an ID to the one with both, as Heat does."""
    place = href(call, requested_stack(call), rest) + (f"?{call.url.query}" if call.url.query else "")
    message = f'The resource was found at <a href="{place}">{place}</a>;\nyou should be redirected automatically.\n\n'
    return plain_error("Found", 302, message, {"Location": place})


@routes("GET PUT PATCH DELETE", "/stacks/{stack}")
async def find_stack(call: Call) -> JSONResponse:
    return redirect(call)


@routes("GET POST", "/stacks/{stack}/actions")
@routes("GET", "/stacks/{stack}/environment")
@routes("GET", "/stacks/{stack}/events")
@routes("GET", "/stacks/{stack}/files")
@routes("GET", "/stacks/{stack}/resources")
@routes("GET", "/stacks/{stack}/template")
async def find_part(call: Call) -> JSONResponse:
    return redirect(call, "/" + call.url.path.rpartition("/")[2])
