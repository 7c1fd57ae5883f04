"""The resource types and template versions that this Heat knows, and its build."""

from __future__ import annotations

import re

from zerojhub.practice.cloud.heat.errors import refusal
from zerojhub.practice.cloud.heat.project import ProjectRoutes
from zerojhub.practice.cloud.heat.resource_types import TYPES
from zerojhub.practice.cloud.heat.templates import VERSIONS
from zerojhub.practice.cloud.heat.values import flag
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call

routes = ProjectRoutes()


PREFIX = "heat_template_version."
RELEASES = {
    "2016-10-14": "newton",
    "2017-02-24": "ocata",
    "2017-09-01": "pike",
    "2018-03-02": "queens",
    "2018-08-31": "rocky",
    "2021-04-16": "wallaby",
}
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
FUNCTIONS = {
    "get_attr": "A function for resolving resource attributes.",
    "get_param": "A function for resolving parameter references.",
    "get_resource": "A function for resolving resource references.",
    "list_join": "A function for joining one or more lists of strings.",
    "str_replace": "A function for performing string substitutions.",
    "str_replace_strict": "A function for performing string substitutions.",
}


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
    dates = [version for version in VERSIONS if version not in RELEASES.values()]
    aliases = {date: [f"{PREFIX}{RELEASES[date]}"] if date in RELEASES else [] for date in dates}
    return {
        "template_versions": [
            {"version": f"{PREFIX}{date}", "type": "hot", "aliases": aliases[date]} for date in sorted(dates)
        ]
    }


@routes("GET", "/template_versions/{version}/functions")
async def list_template_functions(call: Call) -> Record:
    version = call.path_params["version"]
    date = {name: date for date, name in RELEASES.items()}.get(
        version.removeprefix(PREFIX), version.removeprefix(PREFIX)
    )
    if not version.startswith(PREFIX) or date not in VERSIONS:
        raise refusal("NotFound", f"Template with version {version} not found", 404)
    names = [name for name in FUNCTIONS if name != "str_replace_strict" or date >= "2017-02-24"]
    return {"template_functions": [{"functions": name, "description": FUNCTIONS[name]} for name in names]}
