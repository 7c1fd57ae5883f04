"""Zones."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.designate import errors, records, requests
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, words
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()

SORT_KEYS = words("created_at id updated_at name tenant_id serial ttl status")


def requested_zone(call: Call) -> Record:
    return records.find_zone(call.store, call.project, requests.uuid_of(call, "zone_id"))


@routes("GET", "/v2/zones")
async def list_zones(call: Call) -> Record:
    zones = call.store.zones.where(project_id=call.project)
    return requests.listed(call, "zones", zones, filters="name type email status description ttl", keys=SORT_KEYS)


@routes("POST", "/v2/zones")
async def create(call: Call) -> JSONResponse:
    wanted = requests.checked(requests.body_of(call), "zone", requests.ZONE)
    requests.check_zone(wanted)
    zone = records.new_zone(call.store, call.project, wanted)
    records.publish_soon(call.store, zone)
    body = requests.shown(call, "zones", zone)
    return JSONResponse(body, 202, {"Location": body["links"]["self"]})


@routes("GET", "/v2/zones/{zone_id}")
async def show(call: Call) -> Record:
    return requests.shown(call, "zones", requested_zone(call))


@routes("PATCH", "/v2/zones/{zone_id}", status=202)
async def update(call: Call) -> Record:
    zone = requested_zone(call)
    if zone["action"] == "DELETE":
        raise Refusal(400, "Can not update a deleting zone", "bad_request")
    zone |= requests.checked(requests.body_of(call), "zone", requests.ZONE, zone)
    records.changed(call.store, zone)
    return requests.shown(call, "zones", zone)


@routes("DELETE", "/v2/zones/{zone_id}", status=202)
async def delete(call: Call) -> Record:
    zone = requested_zone(call)
    if any(records.zones_below(call.store, zone)):
        raise Refusal(400, "Please delete any subzones before deleting this zone", "zone_has_sub_zone")
    records.pending(zone, "DELETE")
    records.publish_soon(call.store, zone)
    return requests.shown(call, "zones", zone)


@routes("PUT POST", "/v2/zones/{zone_id}")
@routes("PUT PATCH DELETE", "/v2/zones")
async def not_allowed(call: Call) -> None:
    raise errors.not_allowed()


@routes("GET", "/v2/zones/{zone_id}/nameservers")
async def name_servers(call: Call) -> Record:
    requested_zone(call)
    return {"nameservers": records.servers(call.store)}
