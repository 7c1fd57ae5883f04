"""Octavia v2: how load balancers are, what there may be of them, and what this Octavia does not do."""

from __future__ import annotations

from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.octavia import BASE, octavia
from zerojhub.practice.apis.octavia_records import get, shown
from zerojhub.practice.apis.wire import Call, Refusal, change_quota

# -- how they are -------------------------------------------------------------------------------------------------------


def brief(call: Call, kind: str, item: Record, *more: str) -> Record:
    names = ("id", "name", "operating_status", "provisioning_status", *more)
    body = shown(call.cloud, kind, item)
    return {name: body[name] for name in names}


def pool_tree(call: Call, pool: Record) -> Record:
    members = call.cloud.members.where(pool_id=pool["id"])
    tree = {
        **brief(call, "pools", pool),
        "members": [brief(call, "members", member, "address", "protocol_port") for member in members],
    }
    if monitor := call.cloud.healthmonitors.get(pool["healthmonitor_id"] or ""):
        tree["health_monitor"] = brief(call, "healthmonitors", monitor, "type")
    return tree


@octavia.route("GET", BASE + "/loadbalancers/{ident}/status")
async def status_tree(call: Call) -> Record:
    cloud, record = call.cloud, get(call.cloud, "loadbalancers", call.path_params["ident"])
    listeners = []
    for listener in cloud.listeners.where(loadbalancer_id=record["id"]):
        pools = [cloud.pools[listener["default_pool_id"]]] if listener["default_pool_id"] else []
        tree = [pool_tree(call, pool) for pool in pools]
        listeners.append({**brief(call, "listeners", listener), "pools": tree})
    return {"statuses": {"loadbalancer": {**brief(call, "loadbalancers", record), "listeners": listeners}}}


@octavia.route("GET", BASE + "/loadbalancers/{ident}/stats")
async def loadbalancer_statistics(call: Call) -> Record:
    return statistics(call, "loadbalancers")


@octavia.route("GET", BASE + "/listeners/{ident}/stats")
async def listener_statistics(call: Call) -> Record:
    return statistics(call, "listeners")


def statistics(call: Call, kind: str) -> Record:
    """Nothing counts the traffic here, and so do other providers than Octavia's own answer then."""
    get(call.cloud, kind, call.path_params["ident"])
    names = ("bytes_in", "bytes_out", "active_connections", "total_connections", "request_errors")
    return {"stats": dict.fromkeys(names, 0)}


# -- what there may be --------------------------------------------------------------------------------------------------


@octavia.route("GET", BASE + "/quotas/{project}")
@octavia.route("GET", BASE + "/quotas/{project}/default")
async def show_quota(call: Call) -> Record:
    return {"quota": call.cloud.quotas["load-balancer"]}


@octavia.route("GET", BASE + "/quotas")
async def list_quotas(call: Call) -> Record:
    return {"quotas": [{**call.cloud.quotas["load-balancer"], "project_id": call.project}]}


@octavia.route("PUT", BASE + "/quotas/{project}", status=202)
async def update_quota(call: Call) -> Record:
    return change_quota(call, "load-balancer", "quota")


@octavia.route("GET", BASE + "/providers")
async def providers(call: Call) -> Record:
    return {"providers": [provider.model_dump() for provider in call.cloud.profile.load_balancer_providers]}


@octavia.route("GET", BASE + "/flavors")
@octavia.route("GET", BASE + "/availabilityzones")
@octavia.route("GET", BASE + "/l7policies")
async def list_none(call: Call) -> Record:
    kind = call.url.path.rpartition("/")[2]
    names = {"availabilityzones": "availability_zones"}
    return {names.get(kind, kind): [], f"{names.get(kind, kind)}_links": []}


@octavia.route("POST", BASE + "/l7policies")
async def refuse_policy(call: Call) -> None:
    provider = call.cloud.profile.load_balancer_providers[0].name
    why = "This provider does not support creating l7policies."
    raise Refusal(501, f"Provider '{provider}' does not support a requested action: {why}")
