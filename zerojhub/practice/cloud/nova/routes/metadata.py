"""Metadata of servers, which the client calls properties, and tags."""

from __future__ import annotations

from starlette.responses import Response

from zerojhub.practice.cloud.nova.routes.servers import requested_server
from zerojhub.practice.cloud.nova.states import check_state
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


METADATA = "/v2.1/servers/{ident}/metadata"
TAGS = "/v2.1/servers/{ident}/tags"
PAGE = {"Content-Type": "text/html; charset=UTF-8"}
"""The content type of Nova's empty responses about tags."""


def to_change(call: Call, action: str) -> Record:
    server = requested_server(call)
    check_state(server, action, "active", "stopped", idle=False)
    return server


# -- metadata -----------------------------------------------------------------------------------------------------------


@routes("GET", METADATA)
async def show_metadata(call: Call) -> Record:
    return {"metadata": requested_server(call)["metadata"]}


@routes("POST", METADATA)
async def update_metadata(call: Call) -> Record:
    server = to_change(call, "update metadata")
    server["metadata"] = {**server["metadata"], **texts(call.inner("metadata"))}
    return {"metadata": server["metadata"]}


@routes("PUT", METADATA)
async def replace_metadata(call: Call) -> Record:
    server = to_change(call, "update metadata")
    server["metadata"] = texts(call.inner("metadata"))
    return {"metadata": server["metadata"]}


@routes("GET", METADATA + "/{key}")
async def show_metadata_item(call: Call) -> Record:
    key, metadata = call.path_params["key"], requested_server(call)["metadata"]
    if key not in metadata:
        raise Refusal(404, "Metadata item was not found")
    return {"meta": {key: metadata[key]}}


@routes("PUT", METADATA + "/{key}")
async def update_metadata_item(call: Call) -> Record:
    server, item = requested_server(call), call.inner("meta")
    if call.path_params["key"] not in item:
        raise Refusal(400, "Request body and URI mismatch")
    check_state(server, "update metadata", "active", "stopped", idle=False)
    server["metadata"] = {**server["metadata"], **texts(item)}
    return {"meta": item}


@routes("DELETE", METADATA + "/{key}", status=204)
async def delete_metadata(call: Call) -> None:
    key, server = call.path_params["key"], requested_server(call)
    if key not in server["metadata"]:
        raise Refusal(404, "Metadata item was not found")
    check_state(server, "delete metadata", "active", "stopped", idle=False)
    del server["metadata"][key]


def texts(metadata: Record) -> dict[str, str]:
    return {key: str(value) for key, value in metadata.items()}


# -- tags (2.26) --------------------------------------------------------------------------------------------------------


def tagged(call: Call) -> Record:
    if call.state.version < (2, 26):
        raise Refusal(404, "The resource could not be found.")
    return requested_server(call)


@routes("GET", TAGS)
async def list_tags(call: Call) -> Record:
    return {"tags": tagged(call)["tags"]}


@routes("PUT", TAGS)
async def replace_tags(call: Call) -> Record:
    server = tagged(call)
    server["tags"] = sorted({str(tag) for tag in (call.data or {}).get("tags") or []})
    return {"tags": server["tags"]}


@routes("DELETE", TAGS, status=204)
async def delete_tags(call: Call) -> None:
    tagged(call)["tags"] = []


@routes("GET", TAGS + "/{tag}", status=204)
async def show_tag(call: Call) -> None:
    server, tag = tagged(call), call.path_params["tag"]
    if tag not in server["tags"]:
        raise Refusal(404, f"Server {server['id']} has no tag '{tag}'")


@routes("PUT", TAGS + "/{tag}")
async def add_tag(call: Call) -> Response:
    server, tag = tagged(call), call.path_params["tag"]
    if tag in server["tags"]:
        return Response(status_code=204, headers=PAGE)
    server["tags"] = sorted([*server["tags"], tag])
    return Response(status_code=201, headers={**PAGE, "Location": f"{call.origin}{call.url.path}"})


@routes("DELETE", TAGS + "/{tag}", status=204)
async def delete_tag(call: Call) -> None:
    server, tag = tagged(call), call.path_params["tag"]
    if tag not in server["tags"]:
        raise Refusal(404, f"Instance {server['id']} has no tag '{tag}'")
    server["tags"] = [other for other in server["tags"] if other != tag]
