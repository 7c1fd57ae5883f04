"""Octavia v2: load balancers. Their traffic really flows: each change is told to the machine beneath."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.apis.balance import spread
from zerojhub.practice.apis.cloud import Record, now
from zerojhub.practice.apis.octavia_records import (
    NAMES,
    check_default_pool,
    delete_loadbalancer,
    forget,
    get,
    loadbalancer_of,
    new_healthmonitor,
    new_listener,
    new_loadbalancer,
    new_member,
    new_pool,
    revise,
    shown,
    table,
)
from zerojhub.practice.apis.wire import Call, Refusal, Service, collection

BASE = "/v2.0/lbaas"


def say_no(refusal: Refusal) -> JSONResponse:
    code = "Client" if refusal.status < 500 else "Server"
    return JSONResponse({"faultcode": code, "faultstring": refusal.message, "debuginfo": None}, refusal.status)


octavia = Service("load-balancer", "/load-balancer", say_no)


@octavia.route("GET", "", public=True)
async def versions(call: Call) -> Record:
    links = [{"rel": "self", "href": f"{call.origin}/load-balancer/v2"}]
    numbers = [("v2.0", "SUPPORTED"), ("v2.27", "CURRENT")]
    return {
        "versions": [{"id": ident, "status": status, "updated": now(), "links": links} for ident, status in numbers]
    }


def inner(call: Call, kind: str) -> Record:
    return call.inner(NAMES[kind][0])


async def changed(call: Call, kind: str, record: Record) -> Record:
    await spread(call.cloud, call.ground, loadbalancer_of(call.cloud, kind, record))
    return {NAMES[kind][0]: shown(call.cloud, kind, record)}


@octavia.route("GET", BASE + "/{kind}")
async def list_records(call: Call) -> Record:
    kind, query = call.path_params["kind"], call.query_params
    records = [item for item in table(call.cloud, kind).values() if item["project_id"] == call.project]
    for name in set(query) - {"limit", "marker", "sort", "fields"}:
        records = [item for item in records if name not in item or str(item[name]) in query.getlist(name)]
    return collection(call, kind, [shown(call.cloud, kind, record) for record in records])


@octavia.route("GET", BASE + "/{kind}/{ident}")
async def show_record(call: Call) -> Record:
    kind = call.path_params["kind"]
    record = get(call.cloud, kind, call.path_params["ident"])
    return {NAMES[kind][0]: shown(call.cloud, kind, record)}


@octavia.route("POST", BASE + "/{kind}", status=201)
async def create_record(call: Call) -> Record:
    kind = call.path_params["kind"]
    makers = {"loadbalancers": new_loadbalancer, "listeners": new_listener, "pools": new_pool}
    maker = {**makers, "healthmonitors": new_healthmonitor}.get(kind)
    if not maker:
        raise Refusal(404, "Not Found")
    return await changed(call, kind, maker(call.cloud, call.project, inner(call, kind)))


@octavia.route("PUT", BASE + "/{kind}/{ident}")
async def update_record(call: Call) -> Record:
    kind = call.path_params["kind"]
    record = get(call.cloud, kind, call.path_params["ident"])
    wanted = inner(call, kind)
    if kind == "listeners":
        check_default_pool(call.cloud, wanted)
    revise(kind, record, wanted)
    return await changed(call, kind, record)


@octavia.route("DELETE", BASE + "/{kind}/{ident}", status=204)
async def delete_record(call: Call) -> None:
    kind, cloud = call.path_params["kind"], call.cloud
    record = get(cloud, kind, call.path_params["ident"])
    if kind == "loadbalancers":
        children = cloud.listeners.where(loadbalancer_id=record["id"]) or cloud.pools.where(
            loadbalancer_id=record["id"]
        )
        if children and call.query_params.get("cascade", "").lower() not in ("true", "1"):
            message = f"Cannot delete Load Balancer {record['id']} - it has children"
            raise Refusal(400, f"Validation failure: {message}")
        await delete_loadbalancer(cloud, call.ground, record)
        return
    loadbalancer = loadbalancer_of(cloud, kind, record)
    forget(cloud, kind, record)
    await spread(cloud, call.ground, loadbalancer)


# -- members, which live under their pool ---------------------------------------------------------------------------------


def pool_of(call: Call) -> Record:
    return get(call.cloud, "pools", call.path_params["pool"])


def member_of(call: Call) -> Record:
    record = get(call.cloud, "members", call.path_params["ident"])
    if record["pool_id"] != pool_of(call)["id"]:
        raise Refusal(404, f"Member {record['id']} not found.")
    return record


@octavia.route("GET", BASE + "/pools/{pool}/members")
async def list_members(call: Call) -> Record:
    records = call.cloud.members.where(pool_id=pool_of(call)["id"])
    return collection(call, "members", [shown(call.cloud, "members", record) for record in records])


@octavia.route("POST", BASE + "/pools/{pool}/members", status=201)
async def create_member(call: Call) -> Record:
    return await changed(call, "members", new_member(call.cloud, pool_of(call), call.inner("member")))


@octavia.route("PUT", BASE + "/pools/{pool}/members", status=202)
async def replace_members(call: Call) -> None:
    """The batch update: the pool has exactly these members afterwards."""
    pool, wanted = pool_of(call), (call.data or {}).get("members", [])
    keep = {(item.get("address"), int(item.get("protocol_port", 0))): item for item in wanted}
    for member in call.cloud.members.where(pool_id=pool["id"]):
        new = keep.pop((member["address"], member["protocol_port"]), None)
        if new is None and call.query_params.get("additive_only", "").lower() != "true":
            del call.cloud.members[member["id"]]
        elif new is not None:
            revise("members", member, new)
    for item in keep.values():
        new_member(call.cloud, pool, item)
    await spread(call.cloud, call.ground, pool["loadbalancer_id"])


@octavia.route("GET", BASE + "/pools/{pool}/members/{ident}")
async def show_member(call: Call) -> Record:
    return {"member": shown(call.cloud, "members", member_of(call))}


@octavia.route("PUT", BASE + "/pools/{pool}/members/{ident}")
async def update_member(call: Call) -> Record:
    record = member_of(call)
    revise("members", record, call.inner("member"))
    return await changed(call, "members", record)


@octavia.route("DELETE", BASE + "/pools/{pool}/members/{ident}", status=204)
async def delete_member(call: Call) -> None:
    record = member_of(call)
    del call.cloud.members[record["id"]]
    await spread(call.cloud, call.ground, pool_of(call)["loadbalancer_id"])
