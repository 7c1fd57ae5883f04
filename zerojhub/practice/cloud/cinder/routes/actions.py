"""Volume actions: extend, retype, change flags."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from zerojhub.practice.cloud.cinder.errors import invalid_input
from zerojhub.practice.cloud.cinder.records import check_quota
from zerojhub.practice.cloud.cinder.routes.volumes import VOLUMES, requested_volume
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import TRUE, Call, Routes

routes = Routes()


@routes("POST", VOLUMES + "/{ident}/action")
async def act(call: Call) -> Response:
    volume = requested_volume(call)
    action = next(iter(call.data or {}), "")
    if action not in ACTIONS:
        raise Refusal(400, f"There is no such action: {action}")
    await ACTIONS[action](call, volume, call.inner(action))
    return Response(status_code=200 if action == "os-set_bootable" else 202)


async def extend(call: Call, volume: Record, wanted: Record) -> None:
    size, before = int(wanted.get("new_size") or 0), volume["size"]
    if size <= before:
        sizes = f"(current: {before}, extended: {size})"
        raise invalid_input(f"New size for extend must be greater than current size. {sizes}.")
    # Since 3.42 volumes can be extended while in use.
    in_use = volume["status"] == "in-use" and call.state.version >= (3, 42) and call.ground.grows_in_use
    status = "in-use" if in_use else "available"
    if volume["status"] != status:
        said = f"Volume {volume['id']} status must be '{{'status': '{status}'}}' to extend"
        raise Refusal(400, f"Invalid volume: {said}, currently {volume['status']}.")
    check_quota(call.store, call.project, gigabytes=size - before)
    await call.ground.grow_volume(volume["id"], size)
    volume["size"] = size


async def set_bootable(_call: Call, volume: Record, wanted: Record) -> None:
    volume["bootable"] = str(wanted.get("bootable")).lower() in TRUE


async def set_read_only(_call: Call, volume: Record, wanted: Record) -> None:
    volume["metadata"]["readonly"] = str(str(wanted.get("readonly")).lower() in TRUE)


async def retype(call: Call, volume: Record, wanted: Record) -> None:
    kinds = call.store.volume_types.find(str(wanted.get("new_type")))
    if not kinds:
        raise invalid_input(f"Invalid volume_type passed: {wanted.get('new_type')}.")
    volume["volume_type"] = kinds[0]["name"]


ACTIONS: dict[str, Callable[[Call, Record, Record], Awaitable[None]]] = {
    "os-extend": extend,
    "os-set_bootable": set_bootable,
    "os-update_readonly_flag": set_read_only,
    "os-retype": retype,
}
