"""Quotas, providers, and features that this Octavia does not support."""

from __future__ import annotations

from zerojhub.practice.cloud.octavia.routes.resources import BASE
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes, change_quota

routes = Routes()


@routes("GET", BASE + "/quotas/{project}")
@routes("GET", BASE + "/quotas/{project}/default")
async def show_quota(call: Call) -> Record:
    return {"quota": call.store.quotas["load-balancer"]}


@routes("GET", BASE + "/quotas")
async def list_quotas(call: Call) -> Record:
    return {"quotas": [{**call.store.quotas["load-balancer"], "project_id": call.project}]}


@routes("PUT", BASE + "/quotas/{project}", status=202)
async def update_quota(call: Call) -> Record:
    return change_quota(call, "load-balancer", "quota")


@routes("GET", BASE + "/providers")
async def providers(call: Call) -> Record:
    return {"providers": [provider.model_dump() for provider in call.store.profile.load_balancer_providers]}


@routes("GET", BASE + "/flavors")
@routes("GET", BASE + "/availabilityzones")
@routes("GET", BASE + "/l7policies")
async def list_none(call: Call) -> Record:
    kind = call.url.path.rpartition("/")[2]
    names = {"availabilityzones": "availability_zones"}
    return {names.get(kind, kind): [], f"{names.get(kind, kind)}_links": []}


@routes("POST", BASE + "/l7policies")
async def refuse_policy(call: Call) -> None:
    provider = call.store.profile.load_balancer_providers[0].name
    why = "This provider does not support creating l7policies."
    raise Refusal(501, f"Provider '{provider}' does not support a requested action: {why}")
