"""Status trees and statistics."""

from __future__ import annotations

from zerojhub.practice.cloud.octavia.records import get, render
from zerojhub.practice.cloud.octavia.routes.resources import BASE
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


def brief(call: Call, kind: str, item: Record, *more: str) -> Record:
    names = ("id", "name", "operating_status", "provisioning_status", *more)
    body = render(call.store, kind, item)
    return {name: body[name] for name in names}


def pool_tree(call: Call, pool: Record) -> Record:
    members = call.store.members.where(pool_id=pool["id"])
    tree = {
        **brief(call, "pools", pool),
        "members": [brief(call, "members", member, "address", "protocol_port") for member in members],
    }
    if monitor := call.store.healthmonitors.get(pool["healthmonitor_id"] or ""):
        tree["health_monitor"] = brief(call, "healthmonitors", monitor, "type")
    return tree


@routes("GET", BASE + "/loadbalancers/{ident}/status")
async def status_tree(call: Call) -> Record:
    store, record = call.store, get(call.store, "loadbalancers", call.path_params["ident"])
    listeners = []
    for listener in store.listeners.where(loadbalancer_id=record["id"]):
        pools = [store.pools[listener["default_pool_id"]]] if listener["default_pool_id"] else []
        tree = [pool_tree(call, pool) for pool in pools]
        listeners.append({**brief(call, "listeners", listener), "pools": tree})
    return {"statuses": {"loadbalancer": {**brief(call, "loadbalancers", record), "listeners": listeners}}}


@routes("GET", BASE + "/loadbalancers/{ident}/stats")
async def loadbalancer_statistics(call: Call) -> Record:
    return statistics(call, "loadbalancers")


@routes("GET", BASE + "/listeners/{ident}/stats")
async def listener_statistics(call: Call) -> Record:
    return statistics(call, "listeners")


def statistics(call: Call, kind: str) -> Record:
    """All zero, as with providers that do not count traffic."""
    get(call.store, kind, call.path_params["ident"])
    names = ("bytes_in", "bytes_out", "active_connections", "total_connections", "request_errors")
    return {"stats": dict.fromkeys(names, 0)}
