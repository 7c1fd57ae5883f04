"""Volume types."""

from __future__ import annotations

from zerojhub.practice.cloud.cinder.records import default_type
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes, collection

routes = Routes()


@routes("GET", "/v3/{project}/types")
async def list_types(call: Call) -> Record:
    return collection(call, "volume_types", list(call.store.volume_types.values()))


@routes("GET", "/v3/{project}/types/{ident}")
async def show_type(call: Call) -> Record:
    ident = call.path_params["ident"]
    found = [default_type(call.store)] if ident == "default" else call.store.volume_types.find(ident)
    if not found:
        raise Refusal(404, f"Volume type {ident} could not be found.")
    return {"volume_type": found[0]}
