"""Attachments."""

from __future__ import annotations

from zerojhub.practice.cloud.cinder.records import attach, detach
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes, collection

routes = Routes()


def requested_attachment(call: Call) -> Record:
    ident = call.path_params["ident"]
    if ident not in call.store.attachments:
        raise Refusal(404, f"Volume attachment could not be found with filter: attachment_id = {ident}.")
    return call.store.attachments[ident]


@routes("GET", "/v3/{project}/attachments")
@routes("GET", "/v3/{project}/attachments/detail")
async def list_attachments(call: Call) -> Record:
    return collection(call, "attachments", list(call.store.attachments.values()))


@routes("GET", "/v3/{project}/attachments/{ident}")
async def show_attachment(call: Call) -> Record:
    return {"attachment": requested_attachment(call)}


@routes("POST", "/v3/{project}/attachments")
async def create_attachment(call: Call) -> Record:
    wanted = call.inner("attachment")
    server, mode = wanted.get("instance_uuid"), wanted.get("mode", "rw")
    return {"attachment": attach(call.store, wanted.get("volume_uuid"), server, mode)}


@routes("DELETE", "/v3/{project}/attachments/{ident}")
async def delete_attachment(call: Call) -> Record:
    attachment = requested_attachment(call)
    detach(call.store, attachment)
    return {"attachments": call.store.attachments.where(volume_id=attachment["volume_id"])}
