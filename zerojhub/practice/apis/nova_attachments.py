"""Nova's attachments of volumes to servers: each is a disk of the server's machine."""

from __future__ import annotations

import string
from itertools import product

from zerojhub.practice.apis.cinder import find_volume
from zerojhub.practice.apis.cinder_types import attach, detach
from zerojhub.practice.apis.cloud import Cloud, Record
from zerojhub.practice.apis.nova import nova
from zerojhub.practice.apis.nova_events import done
from zerojhub.practice.apis.nova_states import a_server, allow
from zerojhub.practice.apis.wire import Call, Refusal, collection
from zerojhub.practice.ground import GroundError

PATH = "/v2.1/servers/{ident}/os-volume_attachments"


def shown(call: Call, item: Record) -> Record:
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


def next_device(cloud: Cloud, server: Record) -> str:
    """The first name that no volume of the server has: vdb to vdz, then vdaa; vda is the machine's own disk."""
    taken = {"/dev/vda", *(item.get("device") for item in cloud.attachments.where(instance=server["id"]))}
    letters = (letters for length in (1, 2) for letters in product(string.ascii_lowercase, repeat=length))
    return next(name for name in (f"/dev/vd{''.join(each)}" for each in letters) if name not in taken)


def an_attachment(call: Call) -> Record:
    volume, server = call.path_params["volume"], a_server(call)
    found = call.cloud.attachments.where(instance=server["id"], volume_id=volume)
    if not found:
        raise Refusal(404, f"Instance {server['id']} is not attached to volume {volume}")
    return found[0]


@nova.route("GET", PATH)
async def list_attachments(call: Call) -> Record:
    mine = call.cloud.attachments.where(instance=a_server(call)["id"])
    return collection(call, "volumeAttachments", [shown(call, item) for item in mine])


@nova.route("GET", PATH + "/{volume}")
async def show_attachment(call: Call) -> Record:
    return {"volumeAttachment": shown(call, an_attachment(call))}


@nova.route("POST", PATH)
async def create_attachment(call: Call) -> Record:
    cloud, server, wanted = call.cloud, a_server(call), call.inner("volumeAttachment")
    allow(server, "attach_volume", "active", "stopped", "resized")
    own = {
        # Whatever name is asked for: like libvirt's driver since Nova 12.0.
        "device": next_device(cloud, server),
        "delete_on_termination": wanted.get("delete_on_termination", False),
    }
    try:
        attachment = attach(cloud, wanted.get("volumeId"), server["id"], "rw", **own)
    except Refusal as refusal:
        if refusal.status != 400:
            raise
        # Nova says of Cinder's refusal once more what it is.
        raise Refusal(400, f"Invalid volume: {refusal.message}") from None
    try:
        await call.ground.attach_volume(attachment["volume_id"], server["id"], attachment["device"])
    except GroundError:
        detach(cloud, attachment)
        raise
    done(call, server, "attach_volume")
    return {"volumeAttachment": {"id": attachment["volume_id"], **shown(call, attachment)}}


@nova.route("PUT", PATH + "/{volume}", status=202)
async def update(call: Call) -> None:
    item, wanted = an_attachment(call), call.inner("volumeAttachment")
    if call.state.version < (2, 85) or wanted.get("volumeId") != item["volume_id"]:
        raise Refusal(403, "Policy doesn't allow os_compute_api:os-volumes-attachments:swap to be performed.")
    item["delete_on_termination"] = bool(wanted.get("delete_on_termination", item.get("delete_on_termination")))


@nova.route("DELETE", PATH + "/{volume}", status=202)
async def delete_attachment(call: Call) -> None:
    server = a_server(call)
    find_volume(call.cloud, call.path_params["volume"])
    attachment = an_attachment(call)
    allow(server, "detach_volume", "active", "stopped", "resized")
    await call.ground.detach_volume(attachment["volume_id"], server["id"])
    detach(call.cloud, attachment)
    done(call, server, "detach_volume")
