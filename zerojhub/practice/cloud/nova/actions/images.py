"""Images of a server's disk: snapshots and rotating backups."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from zerojhub.practice.cloud.glance.records import new_snapshot
from zerojhub.practice.cloud.nova.actions import ACCEPTED, Actions
from zerojhub.practice.cloud.nova.errors import require
from zerojhub.practice.cloud.nova.events import done
from zerojhub.practice.cloud.nova.states import check_state
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call

actions = Actions()


def image_response(call: Call, image: Record | None) -> Response:
    if call.state.version >= (2, 45):
        return JSONResponse({"image_id": image and image["id"]}, ACCEPTED)
    headers = {"Location": f"{call.origin}/image/v2/images/{image['id']}"} if image else {}
    return Response(status_code=ACCEPTED, headers=headers)


@actions("createImage")
def create_image(call: Call, server: Record, wanted: Record) -> Response:
    """Create an image of the server's disk."""
    check_state(server, "createImage", "active", "stopped")
    image = new_snapshot(call.store, call.project, server, wanted.get("name") or "", wanted.get("metadata") or {})
    done(call, server, "createImage")
    return image_response(call, image)


@actions("createBackup")
def create_backup(call: Call, server: Record, wanted: Record) -> Response:
    """Create an image, and delete the oldest of its backup type so that `rotation` remain."""
    require("createBackup", wanted, "name", "backup_type", "rotation")
    check_state(server, "createBackup", "active", "stopped")
    store, kind = call.store, {"image_type": "backup", "backup_type": wanted["backup_type"]}
    image = new_snapshot(store, call.project, server, wanted["name"], {**(wanted.get("metadata") or {}), **kind})
    backups = store.images.where(instance_uuid=server["id"], **kind)
    for old in backups[: max(0, len(backups) - int(wanted["rotation"]))]:
        del store.images[old["id"]]
    done(call, server, "createBackup")
    return image_response(call, image if image["id"] in store.images else None)
