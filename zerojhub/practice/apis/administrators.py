"""What only an administrator of the cloud may do: a member of a project is told so, and not that there is no such thing."""

from __future__ import annotations

from zerojhub.practice.apis.cinder import cinder
from zerojhub.practice.apis.glance import glance
from zerojhub.practice.apis.magnum import magnum
from zerojhub.practice.apis.nova import nova
from zerojhub.practice.apis.octavia import octavia
from zerojhub.practice.apis.wire import Call, Refusal, Service

# Method and path of each request, and the policy that it falls under.
NOVA = {
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
CINDER = {
    "GET /v3/{project}/os-services": "volume_extension:services:index",
    "GET /v3/{project}/scheduler-stats/get_pools": "scheduler_extension:scheduler_stats:get_pools",
    "GET /v3/{project}/qos-specs": "volume_extension:qos_specs_manage:get_all",
    "POST /v3/{project}/qos-specs": "volume_extension:qos_specs_manage:create",
    "POST /v3/{project}/group_types": "group:group_types:create",
    "POST /v3/{project}/types": "volume_extension:type_create",
    "PUT /v3/{project}/types/{ident}": "volume_extension:type_update",
    "DELETE /v3/{project}/types/{ident}": "volume_extension:type_delete",
}
OCTAVIA = {
    "POST /v2.0/lbaas/availabilityzones": "os_load-balancer_api:availability-zone:post",
    "POST /v2.0/lbaas/flavorprofiles": "os_load-balancer_api:flavor-profile:post",
    "POST /v2.0/lbaas/flavors": "os_load-balancer_api:flavor:post",
    "PUT /v2.0/lbaas/loadbalancers/{ident}/failover": "os_load-balancer_api:loadbalancer:put_failover",
    "GET /v2.0/lbaas/providers/{name}/flavor_capabilities": "os_load-balancer_api:provider-flavor:get_all",
    "GET /v2.0/octavia/amphorae": "os_load-balancer_api:amphora:get_all",
}
MAGNUM = {
    "GET /v1/quotas": "quota:get_all",
    "POST /v1/quotas": "quota:create",
    "PATCH /v1/quotas/{project}/{resource}": "quota:update",
    "DELETE /v1/quotas/{project}/{resource}": "quota:delete",
}
GLANCE = {"GET /v2/tasks": "tasks_api_access", "POST /v2/metadefs/namespaces": "add_metadef_namespace"}


def refuse(service: Service, requests: dict[str, str], words: str) -> None:
    for request, policy in requests.items():

        async def refused(call: Call, policy: str = policy) -> None:
            raise Refusal(403, words.format(policy))

        service.route(*request.split())(refused)


refuse(nova, NOVA, "Policy doesn't allow {} to be performed.")
refuse(cinder, CINDER, "Policy doesn't allow {} to be performed.")
refuse(magnum, MAGNUM, "Policy doesn't allow {} to be performed.")
refuse(octavia, OCTAVIA, "Policy does not allow this request to be performed.")
refuse(glance, GLANCE, "You are not authorized to complete {} action.")
