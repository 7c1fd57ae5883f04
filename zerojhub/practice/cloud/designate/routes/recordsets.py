"""Recordsets: all records of a type at a name."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.designate import errors, records, requests
from zerojhub.practice.cloud.designate.routes.zones import requested_zone
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, words
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()

RECORDSETS = "/v2/zones/{zone_id}/recordsets"
SORT_KEYS = words("created_at id updated_at zone_id tenant_id name type ttl records")
FILTERS = "name type ttl data status description"


def requested(call: Call) -> tuple[Record, Record]:
    """The zone and its recordset."""
    # Designate checks both IDs before it looks for either.
    ident, zone = requests.uuid_of(call, "recordset_id"), requested_zone(call)
    return zone, records.find_recordset(call.store, zone, ident)


def refuse_managed(recordset: Record, verb: str) -> None:
    """Raises Refusal (400) for the recordsets that Designate itself keeps."""
    if recordset["managed"]:
        raise Refusal(400, f"Managed records may not be {verb}", "bad_request")


@routes("GET", RECORDSETS)
async def list_recordsets(call: Call) -> Record:
    own = call.store.recordsets.where(zone_id=requested_zone(call)["id"])
    return requests.listed(call, "recordsets", own, filters=FILTERS, keys=SORT_KEYS)


@routes("GET", "/v2/recordsets")
async def list_all(call: Call) -> Record:
    own = call.store.recordsets.where(project_id=call.project)
    return requests.listed(call, "recordsets", own, filters=FILTERS, keys=SORT_KEYS)


@routes("GET", "/v2/recordsets/{recordset_id}")
async def redirect(call: Call) -> JSONResponse:
    recordset = call.store.recordsets.get(requests.uuid_of(call, "recordset_id"))
    if recordset is None or recordset["project_id"] != call.project:
        raise errors.missing("RecordSet")
    place = requests.shown(call, "recordsets", recordset)["links"]["self"]
    return JSONResponse({"code": 301, "title": "Moved Permanently", "description": None}, 301, {"Location": place})


@routes("POST", RECORDSETS)
async def create(call: Call) -> JSONResponse:
    wanted = requests.checked(requests.body_of(call), "recordset", requests.RECORDSET)
    requests.check_recordset(wanted)
    if wanted["type"] == "SOA":
        raise Refusal(400, "Creating a SOA recordset is not allowed", "bad_request")
    zone = requested_zone(call)
    records.check_place(call.store, zone, wanted)
    records.check_records(call.store, zone, wanted["type"], wanted.get("records", []))
    recordset = records.add_recordset(call.store, zone, wanted)
    if recordset["records"]:
        records.changed(call.store, zone)
    else:
        recordset |= {"status": "ACTIVE", "action": "NONE"}
    body = requests.shown(call, "recordsets", recordset)
    return JSONResponse(body, 202 if recordset["records"] else 201, {"Location": body["links"]["self"]})


@routes("GET", RECORDSETS + "/{recordset_id}")
async def show(call: Call) -> Record:
    return requests.shown(call, "recordsets", requested(call)[1])


@routes("PUT", RECORDSETS + "/{recordset_id}", status=202)
async def update(call: Call) -> Record:
    zone, recordset = requested(call)
    refuse_managed(recordset, "updated")
    wanted = requests.checked(requests.body_of(call), "recordset", requests.RECORDSET, recordset)
    requests.check_recordset({**recordset, **wanted})
    if "records" in wanted:
        wanted["records"] = list(dict.fromkeys(wanted["records"]))
        records.check_records(call.store, zone, recordset["type"], wanted["records"], beside=recordset["id"])
    recordset |= wanted
    records.pending(recordset, "UPDATE")
    records.changed(call.store, zone)
    return requests.shown(call, "recordsets", recordset)


@routes("DELETE", RECORDSETS + "/{recordset_id}", status=202)
async def delete(call: Call) -> Record:
    zone, recordset = requested(call)
    if recordset["type"] == "SOA":
        raise Refusal(400, "Deleting a SOA recordset is not allowed", "bad_request")
    refuse_managed(recordset, "deleted")
    records.pending(recordset, "DELETE")
    records.changed(call.store, zone)
    return requests.shown(call, "recordsets", recordset)


@routes("PATCH POST", RECORDSETS + "/{recordset_id}")
@routes("PUT PATCH DELETE", RECORDSETS)
async def not_allowed(call: Call) -> None:
    raise errors.not_allowed()
