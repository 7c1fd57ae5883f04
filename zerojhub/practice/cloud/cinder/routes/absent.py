"""What this Cinder has none of: backups (as on a cloud without their service), transfers, groups and messages."""

from __future__ import annotations

from zerojhub.practice.cloud.cinder.records import find_volume
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


LISTS = ("backups", "groups", "group_snapshots", "volume-transfers")


async def list_none(call: Call) -> Record:
    name = call.url.path.removesuffix("/detail").rpartition("/")[2]
    return {name.removeprefix("volume-"): []}


for name in ("group_types", "messages", *LISTS, *(f"{name}/detail" for name in LISTS)):
    routes("GET", f"/v3/{{project}}/{name}")(list_none)


@routes("POST", "/v3/{project}/backups")
async def create_backup(call: Call) -> None:
    volume = find_volume(call.store, call.inner("backup").get("volume_id"))
    if volume["status"] == "in-use" and not call.inner("backup").get("force"):
        raise Refusal(400, "Invalid volume: Backing up an in-use volume must use the force flag.")
    raise Refusal(503, "Service cinder-backup could not be found.")


@routes("GET PUT DELETE", "/v3/{project}/backups/{ident}")
async def find_backup(call: Call) -> None:
    raise Refusal(404, f"Backup {call.path_params['ident']} could not be found.")
