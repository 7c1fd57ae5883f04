"""Flavors."""

from __future__ import annotations

from zerojhub.practice.cloud.nova.records import get, links
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes, collection

routes = Routes()


def render_flavor(call: Call, flavor: Record) -> Record:
    body = {
        **flavor,
        "swap": 0 if call.state.version >= (2, 75) else "",
        "rxtx_factor": 1.0,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "links": links(call, f"flavors/{flavor['id']}"),
    }
    if call.state.version >= (2, 55):
        body["description"] = None
    if call.state.version >= (2, 61):
        body["extra_specs"] = {}
    return body


def requested_flavor(call: Call) -> Record:
    return get(call.store.flavors, call.path_params["ident"], "Flavor {} could not be found.")


@routes("GET", "/v2.1/flavors")
async def list_flavors(call: Call) -> Record:
    brief = ("id", "name", "links", "description")
    flavors = [render_flavor(call, flavor) for flavor in call.store.flavors.values()]
    return collection(call, "flavors", [{key: flavor[key] for key in brief if key in flavor} for flavor in flavors])


@routes("GET", "/v2.1/flavors/detail")
async def list_flavors_in_detail(call: Call) -> Record:
    return collection(call, "flavors", [render_flavor(call, flavor) for flavor in call.store.flavors.values()])


@routes("GET", "/v2.1/flavors/{ident}")
async def show_flavor(call: Call) -> Record:
    return {"flavor": render_flavor(call, requested_flavor(call))}


@routes("GET", "/v2.1/flavors/{ident}/os-extra_specs")
async def extra_specs(call: Call) -> Record:
    requested_flavor(call)
    return {"extra_specs": {}}
