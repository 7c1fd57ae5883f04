"""Quotas."""

from __future__ import annotations

from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes, change_quota

routes = Routes()


@routes("GET", "/v2.0/quotas/{project}")
async def show_quota(call: Call) -> Record:
    return {"quota": call.store.quotas["network"]}


@routes("GET", "/v2.0/quotas/{project}/default")
async def show_default_quota(call: Call) -> Record:
    return {"quota": call.store.quotas["network"]}


@routes("PUT", "/v2.0/quotas/{project}")
async def update_quota(call: Call) -> Record:
    return change_quota(call, "network", "quota")


@routes("GET", "/v2.0/quotas/{project}/details.json")
@routes("GET", "/v2.0/quotas/{project}/details")
async def quota_details(call: Call) -> Record:
    used = call.store.usage("network", call.project)
    limits = call.store.quotas["network"]
    return {
        "quota": {name: {"limit": limit, "used": used.get(name, 0), "reserved": 0} for name, limit in limits.items()}
    }
