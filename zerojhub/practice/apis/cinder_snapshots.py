"""Cinder's snapshots: each is a copy of its volume, and volumes are made of it again."""

from __future__ import annotations

from zerojhub.practice.apis.cinder import MICROSECONDS, beyond_quota, cinder, find_volume
from zerojhub.practice.apis.cloud import Record, new_id, now
from zerojhub.practice.apis.wire import TRUE, Call, Refusal, collection

SNAPSHOTS = "/v3/{project}/snapshots"


def shown(call: Call, snapshot: Record) -> Record:
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


def a_snapshot(call: Call) -> Record:
    ident = call.path_params["ident"]
    if ident not in call.cloud.snapshots:
        raise Refusal(404, f"Snapshot {ident} could not be found.")
    return call.cloud.snapshots[ident]


@cinder.route("GET", SNAPSHOTS)
@cinder.route("GET", SNAPSHOTS + "/detail")
async def list_snapshots(call: Call) -> Record:
    snapshots = call.cloud.snapshots.where(project_id=call.project)
    for name in ("name", "status", "volume_id"):
        if wanted := call.query_params.get(name):
            snapshots = [snapshot for snapshot in snapshots if snapshot[name] == wanted]
    return collection(call, "snapshots", [shown(call, snapshot) for snapshot in snapshots])


@cinder.route("GET", SNAPSHOTS + "/{ident}")
async def show_snapshot(call: Call) -> Record:
    return {"snapshot": shown(call, a_snapshot(call))}


@cinder.route("POST", SNAPSHOTS, status=202)
async def create_snapshot(call: Call) -> Record:
    wanted, cloud = call.inner("snapshot"), call.cloud
    volume = find_volume(cloud, wanted.get("volume_id"))
    in_use = call.state.version >= (3, 66) or str(wanted.get("force")).lower() in TRUE
    fit = ("available", "in-use") if in_use else ("available",)
    if volume["status"] not in fit:
        said = f"status must be {', '.join(fit)}, but current status is: {volume['status']}."
        raise Refusal(400, f"Invalid volume: Volume {volume['id']} {said}")
    beyond_quota(cloud, call.project, snapshots=1, gigabytes=volume["size"])
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
    answer = shown(call, cloud.snapshots.add(snapshot))
    await call.ground.make_volume(snapshot["id"], snapshot["size"], like=volume["id"])
    snapshot["status"] = "available"
    return {"snapshot": answer}


@cinder.route("PUT", SNAPSHOTS + "/{ident}")
async def update_snapshot(call: Call) -> Record:
    snapshot, wanted = a_snapshot(call), call.inner("snapshot")
    snapshot |= {key: wanted[key] for key in ("name", "description") if key in wanted}
    snapshot["updated_at"] = now(MICROSECONDS)
    return {"snapshot": shown(call, snapshot)}


@cinder.route("POST PUT", SNAPSHOTS + "/{ident}/metadata")
async def set_metadata(call: Call) -> Record:
    snapshot = a_snapshot(call)
    kept = {} if call.method == "PUT" else snapshot["metadata"]
    snapshot["metadata"] = {**kept, **{key: str(value) for key, value in call.inner("metadata").items()}}
    return {"metadata": snapshot["metadata"]}


@cinder.route("DELETE", SNAPSHOTS + "/{ident}/metadata/{key}")
async def delete_metadata(call: Call) -> None:
    snapshot, key = a_snapshot(call), call.path_params["key"]
    if snapshot["metadata"].pop(key, None) is None:
        raise Refusal(404, f"Snapshot {snapshot['id']} has no metadata with key {key}.")


@cinder.route("DELETE", SNAPSHOTS + "/{ident}", status=202)
async def delete_snapshot(call: Call) -> None:
    snapshot = a_snapshot(call)
    await call.ground.remove_volume(snapshot["id"])
    del call.cloud.snapshots[snapshot["id"]]
