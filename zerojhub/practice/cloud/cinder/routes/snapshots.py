"""Snapshots: each is a copy of its volume, and volumes are made from it."""

from __future__ import annotations

from zerojhub.practice.cloud.cinder.records import MICROSECONDS, check_quota, find_volume
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, new_id, now
from zerojhub.practice.cloud.wire import TRUE, Call, Routes, collection

routes = Routes()


SNAPSHOTS = "/v3/{project}/snapshots"


def render(call: Call, snapshot: Record) -> Record:
    body = {name: value for name, value in snapshot.items() if name not in ("project_id", "user_id")}
    body |= {
        "os-extended-snapshot-attributes:progress": "100%",
        "os-extended-snapshot-attributes:project_id": snapshot["project_id"],
    }
    if call.state.version >= (3, 14):
        body["group_snapshot_id"] = None
    if call.state.version >= (3, 41):
        body["user_id"] = snapshot["user_id"]
    if call.state.version >= (3, 65):
        body["consumes_quota"] = True
    return body


def requested_snapshot(call: Call) -> Record:
    ident = call.path_params["ident"]
    if ident not in call.store.snapshots:
        raise Refusal(404, f"Snapshot {ident} could not be found.")
    return call.store.snapshots[ident]


@routes("GET", SNAPSHOTS)
@routes("GET", SNAPSHOTS + "/detail")
async def list_snapshots(call: Call) -> Record:
    snapshots = call.store.snapshots.where(project_id=call.project)
    for name in ("name", "status", "volume_id"):
        if wanted := call.query_params.get(name):
            snapshots = [snapshot for snapshot in snapshots if snapshot[name] == wanted]
    return collection(call, "snapshots", [render(call, snapshot) for snapshot in snapshots])


@routes("GET", SNAPSHOTS + "/{ident}")
async def show_snapshot(call: Call) -> Record:
    return {"snapshot": render(call, requested_snapshot(call))}


@routes("POST", SNAPSHOTS, status=202)
async def create_snapshot(call: Call) -> Record:
    wanted, store = call.inner("snapshot"), call.store
    volume = find_volume(store, wanted.get("volume_id"))
    in_use = call.state.version >= (3, 66) or str(wanted.get("force")).lower() in TRUE
    fit = ("available", "in-use") if in_use else ("available",)
    if volume["status"] not in fit:
        said = f"status must be {', '.join(fit)}, but current status is: {volume['status']}."
        raise Refusal(400, f"Invalid volume: Volume {volume['id']} {said}")
    check_quota(store, call.project, snapshots=1, gigabytes=volume["size"])
    snapshot = {
        "id": new_id(),
        "created_at": now(MICROSECONDS),
        "updated_at": None,
        "name": wanted.get("name"),
        "description": wanted.get("description"),
        "volume_id": volume["id"],
        "status": "creating",
        "size": volume["size"],
        "metadata": wanted.get("metadata") or {},
        "project_id": call.project,
        "user_id": call.token.user,
    }
    answer = render(call, store.snapshots.add(snapshot))
    await call.ground.make_volume(snapshot["id"], snapshot["size"], like=volume["id"])
    snapshot["status"] = "available"
    return {"snapshot": answer}


@routes("PUT", SNAPSHOTS + "/{ident}")
async def update_snapshot(call: Call) -> Record:
    snapshot, wanted = requested_snapshot(call), call.inner("snapshot")
    snapshot |= {key: wanted[key] for key in ("name", "description") if key in wanted}
    snapshot["updated_at"] = now(MICROSECONDS)
    return {"snapshot": render(call, snapshot)}


@routes("POST PUT", SNAPSHOTS + "/{ident}/metadata")
async def set_metadata(call: Call) -> Record:
    snapshot = requested_snapshot(call)
    kept = {} if call.method == "PUT" else snapshot["metadata"]
    snapshot["metadata"] = {**kept, **{key: str(value) for key, value in call.inner("metadata").items()}}
    return {"metadata": snapshot["metadata"]}


@routes("DELETE", SNAPSHOTS + "/{ident}/metadata/{key}")
async def delete_metadata(call: Call) -> None:
    snapshot, key = requested_snapshot(call), call.path_params["key"]
    if snapshot["metadata"].pop(key, None) is None:
        raise Refusal(404, f"Snapshot {snapshot['id']} has no metadata with key {key}.")


@routes("DELETE", SNAPSHOTS + "/{ident}", status=202)
async def delete_snapshot(call: Call) -> None:
    snapshot = requested_snapshot(call)
    await call.ground.remove_volume(snapshot["id"])
    del call.store.snapshots[snapshot["id"]]
