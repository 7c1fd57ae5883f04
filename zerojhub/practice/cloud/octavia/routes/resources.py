"""Load balancers, listeners, pools and health monitors. Every change reaches the ground at once."""

from __future__ import annotations

from zerojhub.practice.cloud.octavia.records import (
    NAMES,
    check_default_pool,
    delete_loadbalancer,
    forget,
    get,
    loadbalancer_of,
    new_healthmonitor,
    new_listener,
    new_loadbalancer,
    new_pool,
    render,
    revise,
    table,
)
from zerojhub.practice.cloud.octavia.traffic import update_traffic
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, now
from zerojhub.practice.cloud.wire import Call, Routes, collection

routes = Routes()


BASE = "/v2.0/lbaas"


@routes("GET", "", public=True)
async def versions(call: Call) -> Record:
    links = [{"rel": "self", "href": f"{call.origin}/load-balancer/v2"}]
    numbers = [("v2.0", "SUPPORTED"), ("v2.27", "CURRENT")]
    return {
        "versions": [{"id": ident, "status": status, "updated": now(), "links": links} for ident, status in numbers]
    }


def body_of(call: Call, kind: str) -> Record:
    return call.inner(NAMES[kind][0])


def check_mutable(store: Store, loadbalancer: str | None) -> None:
    """Raises Refusal (409) unless the load balancer is ACTIVE, or there is none."""
    record = store.loadbalancers.get(loadbalancer or "")
    if record and record["provisioning_status"] != "ACTIVE":
        raise Refusal(409, f"Load Balancer {record['id']} is immutable and cannot be updated.")


def balancer_in(store: Store, wanted: Record) -> str | None:
    """The load balancer that a new listener, pool or health monitor is for."""
    pool = store.pools.get(wanted.get("pool_id") or "") or {}
    listener = store.listeners.get(wanted.get("listener_id") or "") or {}
    return wanted.get("loadbalancer_id") or pool.get("loadbalancer_id") or listener.get("loadbalancer_id")


async def apply_change(call: Call, kind: str, record: Record) -> Record:
    await update_traffic(call.store, call.ground, loadbalancer_of(call.store, kind, record))
    return {NAMES[kind][0]: render(call.store, kind, record)}


@routes("GET", BASE + "/{kind}")
async def list_records(call: Call) -> Record:
    kind, query = call.path_params["kind"], call.query_params
    records = [item for item in table(call.store, kind).values() if item["project_id"] == call.project]
    for name in set(query) - {"limit", "marker", "sort", "fields"}:
        records = [item for item in records if name not in item or str(item[name]) in query.getlist(name)]
    return collection(call, kind, [render(call.store, kind, record) for record in records])


@routes("GET", BASE + "/{kind}/{ident}")
async def show_record(call: Call) -> Record:
    kind = call.path_params["kind"]
    record = get(call.store, kind, call.path_params["ident"])
    return {NAMES[kind][0]: render(call.store, kind, record)}


@routes("POST", BASE + "/{kind}", status=201)
async def create_record(call: Call) -> Record:
    kind = call.path_params["kind"]
    makers = {"loadbalancers": new_loadbalancer, "listeners": new_listener, "pools": new_pool}
    maker = {**makers, "healthmonitors": new_healthmonitor}.get(kind)
    if not maker:
        raise Refusal(404, "Not Found")
    check_mutable(call.store, balancer_in(call.store, body_of(call, kind)))
    return await apply_change(call, kind, maker(call.store, call.project, body_of(call, kind)))


@routes("PUT", BASE + "/{kind}/{ident}")
async def update_record(call: Call) -> Record:
    kind = call.path_params["kind"]
    record = get(call.store, kind, call.path_params["ident"])
    wanted = body_of(call, kind)
    check_mutable(call.store, loadbalancer_of(call.store, kind, record))
    if kind == "listeners":
        check_default_pool(call.store, wanted)
    revise(kind, record, wanted)
    return await apply_change(call, kind, record)


@routes("DELETE", BASE + "/{kind}/{ident}", status=204)
async def delete_record(call: Call) -> None:
    kind, store = call.path_params["kind"], call.store
    record = get(store, kind, call.path_params["ident"])
    if kind == "loadbalancers":
        children = store.listeners.where(loadbalancer_id=record["id"]) or store.pools.where(
            loadbalancer_id=record["id"]
        )
        if children and call.query_params.get("cascade", "").lower() not in ("true", "1"):
            message = f"Cannot delete Load Balancer {record['id']} - it has children"
            raise Refusal(400, f"Validation failure: {message}")
        await delete_loadbalancer(store, call.ground, record)
        return
    loadbalancer = loadbalancer_of(store, kind, record)
    check_mutable(store, loadbalancer)
    forget(store, kind, record)
    await update_traffic(store, call.ground, loadbalancer)
