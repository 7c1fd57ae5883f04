"""The resource types and template versions that this Heat knows, and its build."""

from __future__ import annotations

import re

from zerojhub.practice.cloud.heat.errors import refusal
from zerojhub.practice.cloud.heat.functions import CONDITION_HISTORY, HISTORY, REMOVED, since
from zerojhub.practice.cloud.heat.project import ProjectRoutes
from zerojhub.practice.cloud.heat.resource_types import TYPES
from zerojhub.practice.cloud.heat.templates import RELEASES, VERSIONS
from zerojhub.practice.cloud.heat.values import flag
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call

routes = ProjectRoutes()


PREFIX = "heat_template_version."
DESCRIPTIONS = {
    "OS::Magnum::ClusterTemplate": "A resource for the ClusterTemplate in Magnum.\n\n"
    "ClusterTemplate is an object that stores template information about the\n"
    "cluster which is used to create new clusters consistently.",
    "OS::Magnum::Cluster": "A resource that creates a magnum cluster.\n\n"
    "This resource creates a magnum cluster, which is a\ncollection of node objects where work is scheduled.",
}
# The Heat release that introduced Magnum's resource types.
SINCE = "9.0.0"
STATUSES = ("UNKNOWN", "SUPPORTED", "DEPRECATED", "UNSUPPORTED", "HIDDEN")


@routes("GET", "/build_info")
async def build_info(_call: Call) -> Record:
    # Heat's default when no revision is configured.
    return {"api": {"revision": "unknown"}, "engine": {"revision": "unknown"}}


@routes("GET", "/resource_types")
async def list_resource_types(call: Call) -> Record:
    query = call.query_params
    described = flag("with_description", query.get("with_description", "false"))
    status = query.get("support_status", "SUPPORTED")
    if status not in STATUSES:
        said = f"Data supplied was not valid: Invalid support status and should be one of {STATUSES}"
        raise refusal("Invalid", said)
    names = sorted(TYPES) if (status, query.get("version", SINCE)) == ("SUPPORTED", SINCE) else []
    try:
        names = [name for name in names if re.match(query.get("name", ""), name)]
    except re.error:
        names = []
    if not described:
        return {"resource_types": names}
    return {"resource_types": [{"resource_type": name, "description": DESCRIPTIONS[name]} for name in names]}


@routes("GET", "/template_versions")
async def list_template_versions(_call: Call) -> Record:
    dates = [version for version in VERSIONS if version not in RELEASES]
    aliases = {date: [f"{PREFIX}{name}" for name, of in RELEASES.items() if of == date] for date in dates}
    return {
        "template_versions": [
            {"version": f"{PREFIX}{date}", "type": "hot", "aliases": aliases[date]} for date in sorted(dates)
        ]
    }


@routes("GET", "/template_versions/{version}/functions")
async def list_template_functions(call: Call) -> Record:
    version = call.path_params["version"]
    date = version.removeprefix(PREFIX)
    date = RELEASES.get(date, date)
    if not version.startswith(PREFIX) or date not in VERSIONS:
        raise refusal("NotFound", f"Template with version {version} not found", 404)
    functions = since(HISTORY, date)
    if flag("with_condition_func", call.query_params.get("with_condition_func", "false")):
        functions |= since(CONDITION_HISTORY, date)
    listed = [(name, each.summary) for name, each in functions.items() if each is not REMOVED]
    return {"template_functions": [{"functions": name, "description": summary} for name, summary in listed]}
