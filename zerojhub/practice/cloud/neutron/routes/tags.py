"""Tags."""

from __future__ import annotations

from zerojhub.practice.cloud.neutron.records import get
from zerojhub.practice.cloud.neutron.requests import table_of
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


def tagged(call: Call) -> Record:
    table_of(call, call.path_params["kind"])
    return get(call.store, call.path_params["kind"], call.path_params["ident"])


@routes("GET", "/v2.0/{kind}/{ident}/tags")
async def list_tags(call: Call) -> Record:
    return {"tags": tagged(call)["tags"]}


@routes("PUT", "/v2.0/{kind}/{ident}/tags")
async def replace_tags(call: Call) -> Record:
    record = tagged(call)
    record["tags"] = list((call.data or {}).get("tags", []))
    return {"tags": record["tags"]}


@routes("POST", "/v2.0/{kind}/{ident}/tags")
async def add_tags(call: Call) -> Record:
    record = tagged(call)
    record["tags"] = sorted({*record["tags"], *(call.data or {}).get("tags", [])})
    return {"tags": record["tags"]}


@routes("DELETE", "/v2.0/{kind}/{ident}/tags", status=204)
async def delete_tags(call: Call) -> None:
    tagged(call)["tags"] = []


@routes("PUT", "/v2.0/{kind}/{ident}/tags/{tag}", status=201)
async def add_tag(call: Call) -> None:
    record = tagged(call)
    if call.path_params["tag"] not in record["tags"]:
        record["tags"].append(call.path_params["tag"])


@routes("DELETE", "/v2.0/{kind}/{ident}/tags/{tag}", status=204)
async def delete_tag(call: Call) -> None:
    record = tagged(call)
    if call.path_params["tag"] not in record["tags"]:
        raise Refusal(404, f"Tag {call.path_params['tag']} could not be found.", "TagNotFound")
    record["tags"].remove(call.path_params["tag"])
