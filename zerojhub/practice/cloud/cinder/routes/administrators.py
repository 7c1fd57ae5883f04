"""Requests that only administrators may make: refused (403) rather than unknown (404)."""

from __future__ import annotations

from zerojhub.practice.cloud.wire import Routes

routes = Routes()

POLICIES = {
    "GET /v3/{project}/os-services": "volume_extension:services:index",
    "GET /v3/{project}/scheduler-stats/get_pools": "scheduler_extension:scheduler_stats:get_pools",
    "GET /v3/{project}/qos-specs": "volume_extension:qos_specs_manage:get_all",
    "POST /v3/{project}/qos-specs": "volume_extension:qos_specs_manage:create",
    "POST /v3/{project}/group_types": "group:group_types:create",
    "POST /v3/{project}/types": "volume_extension:type_create",
    "PUT /v3/{project}/types/{ident}": "volume_extension:type_update",
    "DELETE /v3/{project}/types/{ident}": "volume_extension:type_delete",
}
"""Method and path of each request, and the policy that forbids it to others."""

routes.forbid(POLICIES, "Policy doesn't allow {} to be performed.")
