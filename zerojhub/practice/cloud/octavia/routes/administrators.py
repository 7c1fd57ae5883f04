"""Requests that only administrators may make: refused (403) rather than unknown (404)."""

from __future__ import annotations

from zerojhub.practice.cloud.wire import Routes

routes = Routes()

POLICIES = {
    "POST /v2.0/lbaas/availabilityzones": "os_load-balancer_api:availability-zone:post",
    "POST /v2.0/lbaas/flavorprofiles": "os_load-balancer_api:flavor-profile:post",
    "POST /v2.0/lbaas/flavors": "os_load-balancer_api:flavor:post",
    "PUT /v2.0/lbaas/loadbalancers/{ident}/failover": "os_load-balancer_api:loadbalancer:put_failover",
    "GET /v2.0/lbaas/providers/{name}/flavor_capabilities": "os_load-balancer_api:provider-flavor:get_all",
    "GET /v2.0/octavia/amphorae": "os_load-balancer_api:amphora:get_all",
}
"""Method and path of each request, and the policy that forbids it to others."""

routes.forbid(POLICIES, "Policy does not allow this request to be performed.")
