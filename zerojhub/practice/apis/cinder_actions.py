"""What Cinder does to a volume on request: make it larger, and say more of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from zerojhub.practice.apis.cinder import VOLUMES, a_volume, beyond_quota, cinder
from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.wire import TRUE, Call, Refusal


@cinder.route("POST", VOLUMES + "/{ident}/action")
async def act(call: Call) -> Response:
    volume = a_volume(call)
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
    # Since 3.42 volumes grow while they are in use.
    status = "in-use" if volume["status"] == "in-use" and call.state.version >= (3, 42) else "available"
    if volume["status"] != status:
        said = f"Volume {volume['id']} status must be '{{'status': '{status}'}}' to extend"
        raise Refusal(400, f"Invalid volume: {said}, currently {volume['status']}.")
    beyond_quota(call.cloud, call.project, gigabytes=size - before)
    await call.ground.grow_volume(volume["id"], size)
    volume["size"] = size


async def set_bootable(_call: Call, volume: Record, wanted: Record) -> None:
    volume["bootable"] = str(wanted.get("bootable")).lower() in TRUE


async def set_read_only(_call: Call, volume: Record, wanted: Record) -> None:
    volume["metadata"]["readonly"] = str(str(wanted.get("readonly")).lower() in TRUE)


async def retype(call: Call, volume: Record, wanted: Record) -> None:
    kinds = call.cloud.volume_types.find(str(wanted.get("new_type")))
    if not kinds:
        raise invalid_input(f"Invalid volume_type passed: {wanted.get('new_type')}.")
    volume["volume_type"] = kinds[0]["name"]


def invalid_input(why: str) -> Refusal:
    return Refusal(400, f"Invalid input received: {why}")


ACTIONS: dict[str, Callable[[Call, Record, Record], Awaitable[None]]] = {
    "os-extend": extend,
    "os-set_bootable": set_bootable,
    "os-update_readonly_flag": set_read_only,
    "os-retype": retype,
}
