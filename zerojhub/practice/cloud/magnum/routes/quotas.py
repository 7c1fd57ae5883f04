"""Quotas, statistics and Magnum's own services. Most are for administrators."""

from __future__ import annotations

from itertools import count

from zerojhub.practice.cloud.magnum.pages import page
from zerojhub.practice.cloud.magnum.records import OFFSET, enforce
from zerojhub.practice.cloud.magnum.schema import QUOTA, parse_body
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, now
from zerojhub.practice.cloud.wire import TRUE, Call, Routes

routes = Routes()

CLUSTER = "Cluster"
"""The only resource with a quota."""
NUMBERS = count(1)
STARTED = now(OFFSET)


def limit_of(call: Call, project: str) -> int:
    """How many clusters the project may have."""
    return call.store.cluster_quotas.get(project, {"hard_limit": call.store.quotas["container-infra"][CLUSTER]})[
        "hard_limit"
    ]


def found_quota(call: Call) -> Record:
    """The quota in the path that an administrator has set. Raises Refusal (404)."""
    project, resource = call.path_params["project"], call.path_params["resource"]
    if resource != CLUSTER or project not in call.store.cluster_quotas:
        raise Refusal(404, f"Quota could not be found: project_id {project} resource {resource}.")
    return call.store.cluster_quotas[project]


@routes("GET", "/v1/quotas")
async def list_quotas(call: Call) -> Record:
    enforce(call, "quota:get_all")
    records = list(call.store.cluster_quotas.values())
    if call.query_params.get("all_tenants", "").lower() not in TRUE:
        records = [record for record in records if record["project_id"] == call.project]
    marker = call.query_params.get("marker")
    if marker and marker not in [str(record["id"]) for record in records]:
        raise Refusal(404, f"Quota could not be found: quota id {marker} .")
    part, more = page(call, "quotas", records, "Quota", ("project_id", "resource", "hard_limit"), key="id")
    return {"quotas": part, **more}


@routes("GET", "/v1/quotas/{project}/{resource}")
async def show_quota(call: Call) -> Record:
    project = call.path_params["project"]
    if project != call.project and not call.is_admin:
        raise Refusal(403, "Not authorized.")
    if call.path_params["resource"] == CLUSTER and project in call.store.cluster_quotas:
        return call.store.cluster_quotas[project]
    return {"project_id": project, "resource": CLUSTER, "hard_limit": call.store.quotas["container-infra"][CLUSTER]}


@routes("POST", "/v1/quotas", status=201)
async def create_quota(call: Call) -> Record:
    body = parse_body("quota", QUOTA, call.data)
    project, resource = body["project_id"], body["resource"]
    if project not in call.store.projects:
        raise Refusal(404, f"The project_id {project} could not be found.")
    enforce(call, "quota:create")
    if project in call.store.cluster_quotas:
        raise Refusal(409, f"Quota for project {project} already exists for resource {resource}.")
    times = {"created_at": now(OFFSET), "updated_at": None}
    record = {"id": next(NUMBERS), "project_id": project, "resource": resource, "hard_limit": body["hard_limit"]}
    return call.store.cluster_quotas.add(record | times, "project_id")


@routes("PATCH", "/v1/quotas/{project}/{resource}", status=202)
async def update_quota(call: Call) -> Record:
    body = parse_body("quotapatch", QUOTA, call.data)
    enforce(call, "quota:update")
    quota = found_quota(call)
    quota.update(hard_limit=body["hard_limit"], updated_at=now(OFFSET))
    return quota


@routes("DELETE", "/v1/quotas/{project}/{resource}")
async def delete_quota(call: Call) -> None:
    enforce(call, "quota:delete")
    del call.store.cluster_quotas[found_quota(call)["project_id"]]


@routes("GET", "/v1/stats")
async def stats(call: Call) -> Record:
    kind = call.query_params.get("type", "cluster")
    if kind.lower() != "cluster":
        raise Refusal(400, "Invalid stats type. Allowed values are 'cluster'")
    project = call.query_params.get("project_id") or (None if call.is_admin else call.project)
    if project != call.project and not call.is_admin:
        raise Refusal(403, "Not authorized.")
    clusters = [each for each in call.store.clusters.values() if project in (None, each["project_id"])]
    groups = [group for cluster in clusters for group in cluster["nodegroups"]]
    return {"clusters": len(clusters), "nodes": sum(group["node_count"] for group in groups)}


@routes("GET", "/v1/mservices")
async def services(call: Call) -> Record:
    enforce(call, "magnum-service:get_all")
    conductor = {
        "id": 1,
        "host": call.store.region,
        "binary": "magnum-conductor",
        "state": "up",
        "disabled": False,
        "disabled_reason": None,
        "report_count": 1,
        "created_at": STARTED,
        "updated_at": now(OFFSET),
    }
    return {"mservices": [conductor]}
