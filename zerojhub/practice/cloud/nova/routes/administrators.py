"""Requests that only administrators may make: refused (403) rather than unknown (404)."""

from __future__ import annotations

from zerojhub.practice.cloud.wire import Routes

routes = Routes()

POLICIES = {
    "GET /v2.1/os-aggregates": "os_compute_api:os-aggregates:index",
    "POST /v2.1/os-aggregates": "os_compute_api:os-aggregates:create",
    "GET /v2.1/os-hypervisors": "os_compute_api:os-hypervisors:list",
    "GET /v2.1/os-hypervisors/detail": "os_compute_api:os-hypervisors:list-detail",
    "GET /v2.1/os-services": "os_compute_api:os-services:list",
    "GET /v2.1/os-migrations": "os_compute_api:os-migrations:index",
    "GET /v2.1/servers/{ident}/migrations": "os_compute_api:servers:migrations:index",
    "GET /v2.1/servers/{ident}/migrations/{number}": "os_compute_api:servers:migrations:show",
    "DELETE /v2.1/servers/{ident}/migrations/{number}": "os_compute_api:servers:migrations:delete",
    "POST /v2.1/servers/{ident}/migrations/{number}/action": "os_compute_api:servers:migrations:force_complete",
    "GET /v2.1/servers/{ident}/diagnostics": "os_compute_api:os-server-diagnostics",
    "POST /v2.1/flavors": "os_compute_api:os-flavor-manage:create",
    "PUT /v2.1/flavors/{ident}": "os_compute_api:os-flavor-manage:update",
    "DELETE /v2.1/flavors/{ident}": "os_compute_api:os-flavor-manage:delete",
}
"""Method and path of each request, and the policy that forbids it to others."""

routes.forbid(POLICIES, "Policy doesn't allow {} to be performed.")
