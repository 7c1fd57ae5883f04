"""Quotas, statistics and Magnum's own services."""

from __future__ import annotations

from zerojhub.practice.cloud.magnum.records import of_role
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


@routes("GET", "/v1/quotas/{project}/{resource}")
async def show_quota(call: Call) -> Record:
    if call.path_params["project"] != call.project:
        raise Refusal(403, "Not authorized.")
    limit = call.store.quotas["container-infra"]["Cluster"]
    return {"project_id": call.project, "resource": call.path_params["resource"], "hard_limit": limit}


@routes("GET", "/v1/stats")
async def stats(call: Call) -> Record:
    kind = call.query_params.get("type", "cluster")
    if kind.lower() != "cluster":
        raise Refusal(400, "Invalid stats type. Allowed values are 'cluster'")
    if call.query_params.get("project_id", call.project) != call.project:
        raise Refusal(403, "Not authorized.")
    clusters = call.store.clusters.where(project_id=call.project)
    groups = [group for cluster in clusters for role in ("master", "worker") for group in of_role(cluster, role)]
    return {"clusters": len(clusters), "nodes": sum(group["node_count"] for group in groups)}


@routes("GET", "/v1/mservices")
async def services(call: Call) -> None:
    raise Refusal(403, "Policy doesn't allow magnum-service:get_all to be performed.")
