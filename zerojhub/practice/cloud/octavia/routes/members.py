"""Members, which belong to a pool."""

from __future__ import annotations

from zerojhub.practice.cloud.octavia.records import get, new_member, render, revise
from zerojhub.practice.cloud.octavia.routes.resources import BASE, apply_change, check_mutable
from zerojhub.practice.cloud.octavia.traffic import update_traffic
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes, collection

routes = Routes()


def pool_of(call: Call) -> Record:
    return get(call.store, "pools", call.path_params["pool"])


def changeable_pool_of(call: Call) -> Record:
    """Raises Refusal (409) if its load balancer cannot be changed."""
    pool = pool_of(call)
    check_mutable(call.store, pool["loadbalancer_id"])
    return pool


def member_of(call: Call) -> Record:
    record = get(call.store, "members", call.path_params["ident"])
    if record["pool_id"] != pool_of(call)["id"]:
        raise Refusal(404, f"Member {record['id']} not found.")
    return record


@routes("GET", BASE + "/pools/{pool}/members")
async def list_members(call: Call) -> Record:
    records = call.store.members.where(pool_id=pool_of(call)["id"])
    return collection(call, "members", [render(call.store, "members", record) for record in records])


@routes("POST", BASE + "/pools/{pool}/members", status=201)
async def create_member(call: Call) -> Record:
    return await apply_change(call, "members", new_member(call.store, changeable_pool_of(call), call.inner("member")))


@routes("PUT", BASE + "/pools/{pool}/members", status=202)
async def replace_members(call: Call) -> None:
    """Batch update: replace all members of the pool."""
    pool, wanted = changeable_pool_of(call), (call.data or {}).get("members", [])
    keep = {(item.get("address"), int(item.get("protocol_port", 0))): item for item in wanted}
    for member in call.store.members.where(pool_id=pool["id"]):
        new = keep.pop((member["address"], member["protocol_port"]), None)
        if new is None and call.query_params.get("additive_only", "").lower() != "true":
            del call.store.members[member["id"]]
        elif new is not None:
            revise("members", member, new)
    for item in keep.values():
        new_member(call.store, pool, item)
    await update_traffic(call.store, call.ground, pool["loadbalancer_id"])


@routes("GET", BASE + "/pools/{pool}/members/{ident}")
async def show_member(call: Call) -> Record:
    return {"member": render(call.store, "members", member_of(call))}


@routes("PUT", BASE + "/pools/{pool}/members/{ident}")
async def update_member(call: Call) -> Record:
    changeable_pool_of(call)
    record = member_of(call)
    revise("members", record, call.inner("member"))
    return await apply_change(call, "members", record)


@routes("DELETE", BASE + "/pools/{pool}/members/{ident}", status=204)
async def delete_member(call: Call) -> None:
    changeable_pool_of(call)
    record = member_of(call)
    del call.store.members[record["id"]]
    await update_traffic(call.store, call.ground, pool_of(call)["loadbalancer_id"])
