"""Volume attachments: each is a disk of the server's machine."""

from __future__ import annotations

import string
from itertools import product

from zerojhub.practice.cloud.cinder.records import attach, detach, find_volume
from zerojhub.practice.cloud.nova.events import done
from zerojhub.practice.cloud.nova.routes.servers import requested_server
from zerojhub.practice.cloud.nova.states import check_state
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store
from zerojhub.practice.cloud.wire import Call, Routes, collection
from zerojhub.practice.ground import GroundError

routes = Routes()


PATH = "/v2.1/servers/{ident}/os-volume_attachments"


def render(call: Call, item: Record) -> Record:
    version = call.state.version
    body = {"id": item["volume_id"], "volumeId": item["volume_id"], "serverId": item["instance"]}
    if item.get("device"):
        body["device"] = item["device"]
    if version >= (2, 70):
        body["tag"] = None
    if version >= (2, 79):
        body["delete_on_termination"] = item.get("delete_on_termination", False)
    if version >= (2, 89):
        body |= {"attachment_id": item["id"], "bdm_uuid": item["id"]}
        del body["id"]
    return body


def next_device(store: Store, server: Record) -> str:
    """The first free device name: vdb to vdz, then vdaa and so on; vda is the root disk."""
    taken = {"/dev/vda", *(item.get("device") for item in store.attachments.where(instance=server["id"]))}
    letters = (letters for length in (1, 2) for letters in product(string.ascii_lowercase, repeat=length))
    return next(name for name in (f"/dev/vd{''.join(each)}" for each in letters) if name not in taken)


def requested_attachment(call: Call) -> Record:
    volume, server = call.path_params["volume"], requested_server(call)
    found = call.store.attachments.where(instance=server["id"], volume_id=volume)
    if not found:
        raise Refusal(404, f"Instance {server['id']} is not attached to volume {volume}")
    return found[0]


@routes("GET", PATH)
async def list_attachments(call: Call) -> Record:
    mine = call.store.attachments.where(instance=requested_server(call)["id"])
    return collection(call, "volumeAttachments", [render(call, item) for item in mine])


@routes("GET", PATH + "/{volume}")
async def show_attachment(call: Call) -> Record:
    return {"volumeAttachment": render(call, requested_attachment(call))}


@routes("POST", PATH)
async def create_attachment(call: Call) -> Record:
    store, server, wanted = call.store, requested_server(call), call.inner("volumeAttachment")
    check_state(server, "attach_volume", "active", "stopped", "resized")
    own = {
        # A requested name is ignored, as with the libvirt driver since Nova 12.0.
        "device": next_device(store, server),
        "delete_on_termination": wanted.get("delete_on_termination", False),
    }
    try:
        attachment = attach(store, wanted.get("volumeId"), server["id"], "rw", **own)
    except Refusal as refusal:
        if refusal.status != 400:
            raise
        # Nova adds its own prefix to Cinder's message.
        raise Refusal(400, f"Invalid volume: {refusal.message}") from None
    try:
        await call.ground.attach_volume(attachment["volume_id"], server["id"], attachment["device"])
    except GroundError:
        detach(store, attachment)
        raise
    done(call, server, "attach_volume")
    return {"volumeAttachment": {"id": attachment["volume_id"], **render(call, attachment)}}


@routes("PUT", PATH + "/{volume}", status=202)
async def update(call: Call) -> None:
    item, wanted = requested_attachment(call), call.inner("volumeAttachment")
    if call.state.version < (2, 85) or wanted.get("volumeId") != item["volume_id"]:
        raise Refusal(403, "Policy doesn't allow os_compute_api:os-volumes-attachments:swap to be performed.")
    item["delete_on_termination"] = bool(wanted.get("delete_on_termination", item.get("delete_on_termination")))


@routes("DELETE", PATH + "/{volume}", status=202)
async def delete_attachment(call: Call) -> None:
    server = requested_server(call)
    volume = find_volume(call.store, call.path_params["volume"])
    attachment = requested_attachment(call)
    check_state(server, "detach_volume", "active", "stopped", "resized")
    if volume["status"] != "in-use":
        why = "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach."
        raise Refusal(400, f"Invalid volume: Invalid volume: {why}")
    await call.ground.detach_volume(attachment["volume_id"], server["id"])
    detach(call.store, attachment)
    done(call, server, "detach_volume")
