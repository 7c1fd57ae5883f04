"""Requests that only administrators may make: refused (403) rather than unknown (404)."""

from __future__ import annotations

from zerojhub.practice.cloud.wire import Routes

routes = Routes()

POLICIES = {
    "GET /v1/quotas": "quota:get_all",
    "POST /v1/quotas": "quota:create",
    "PATCH /v1/quotas/{project}/{resource}": "quota:update",
    "DELETE /v1/quotas/{project}/{resource}": "quota:delete",
}
"""Method and path of each request, and the policy that forbids it to others."""

routes.forbid(POLICIES, "Policy doesn't allow {} to be performed.")
