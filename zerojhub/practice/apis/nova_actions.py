"""What Nova does with a server that is there: it is switched off and on, locked, copied, and shows its console."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.responses import JSONResponse, Response

from zerojhub.practice.apis import nova_events
from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.glance_changes import new_snapshot
from zerojhub.practice.apis.nova import nova, require
from zerojhub.practice.apis.nova_servers import delete_server, failed
from zerojhub.practice.apis.nova_states import a_server, allow, set_state, unlocked
from zerojhub.practice.apis.wire import Call, Refusal
from zerojhub.practice.ground import GroundError

Action = Callable[[Call, Record, Record], Any]
ACCEPTED = 202
ACTIONS: dict[str, Action] = {}
"""What a body may name, and what does it with the server and what the body says besides."""


def action(name: str) -> Callable[[Action], Action]:
    def register(handler: Action) -> Action:
        ACTIONS[name] = handler
        return handler

    return register


@nova.route("POST", "/v2.1/servers/{ident}/action")
async def act(call: Call) -> Any:
    server = a_server(call)
    name = next(iter(call.data or {}), "")
    if not name:
        raise Refusal(400, "Malformed request body")
    if name not in ACTIONS:
        raise Refusal(400, f"There is no such action: {name}")
    return ACTIONS[name](call, server, (call.data or {})[name] or {})


def accept(call: Call, server: Record, name: str, task: str, work: Callable[[], Awaitable[None]]) -> Response:
    """Accept the action: the server is at this task until the work is done, and in error when it can't be."""
    event = nova_events.begin(call.cloud, server, name, call.token.user, call.state.request_id)
    server["task_state"] = task

    async def do() -> None:
        try:
            await work()
        except GroundError as error:
            failed(server, str(error))
            nova_events.finish(event, "Error")
        else:
            nova_events.finish(event)

    call.conductor.queue(server["id"], do)
    return Response(status_code=ACCEPTED)


# -- power --------------------------------------------------------------------------------------------------------------


@action("os-stop")
def stop(call: Call, server: Record, wanted: Record) -> Response:
    allow(server, "stop", "active", "error")

    async def work() -> None:
        await call.ground.stop(server["id"])
        set_state(server, "stopped")

    return accept(call, server, "stop", "powering-off", work)


@action("os-start")
def start(call: Call, server: Record, wanted: Record) -> Response:
    allow(server, "start", "stopped")
    return accept(call, server, "start", "powering-on", partial(switch_on, call, server))


REBOOTS = {"SOFT": "rebooting", "HARD": "rebooting_hard"}


@action("reboot")
def reboot(call: Call, server: Record, wanted: Record) -> Response:
    require("reboot", wanted, "type")
    kind = wanted["type"]
    known = [word for name in reversed(REBOOTS) for word in (name, name.title(), name.lower())]
    if kind not in known:
        raise Refusal(400, f"Invalid input for field/attribute type. Value: {kind}. {kind!r} is not one of {known}")
    if kind.upper() == "SOFT":
        allow(server, "reboot", "active")
    else:
        # It helps when a soft one does not end.
        allow(server, "reboot", "active", "stopped", "error", idle=server["task_state"] not in REBOOTS.values())
    return accept(call, server, "reboot", REBOOTS[kind.upper()], partial(boot_again, call, server))


async def switch_on(call: Call, server: Record) -> None:
    await call.ground.start(server["id"])
    set_state(server, "active")
    server["fault"] = None


async def boot_again(call: Call, server: Record) -> None:
    await call.ground.stop(server["id"])
    await switch_on(call, server)


@action("forceDelete")
def force_delete(call: Call, server: Record, wanted: Record) -> Response:
    unlocked(server)
    call.conductor.cancel(server["id"])
    delete = partial(delete_server, call.cloud, call.ground, server)
    return accept(call, server, "delete", "deleting", delete)


# -- locks --------------------------------------------------------------------------------------------------------------


@action("lock")
def lock(call: Call, server: Record, wanted: Record) -> Response:
    server |= {"locked": True, "locked_reason": wanted.get("locked_reason")}
    nova_events.done(call, server, "lock")
    return Response(status_code=ACCEPTED)


@action("unlock")
def unlock(call: Call, server: Record, wanted: Record) -> Response:
    server |= {"locked": False, "locked_reason": None}
    nova_events.done(call, server, "unlock")
    return Response(status_code=ACCEPTED)


# -- images -------------------------------------------------------------------------------------------------------------


def made(call: Call, image: Record | None) -> Response:
    if call.state.version >= (2, 45):
        return JSONResponse({"image_id": image and image["id"]}, ACCEPTED)
    headers = {"Location": f"{call.origin}/image/v2/images/{image['id']}"} if image else {}
    return Response(status_code=ACCEPTED, headers=headers)


@action("createImage")
def create_image(call: Call, server: Record, wanted: Record) -> Response:
    """A snapshot of the server's disk, as an image of the project's own."""
    allow(server, "createImage", "active", "stopped")
    image = new_snapshot(call.cloud, call.project, server, wanted.get("name") or "", wanted.get("metadata") or {})
    nova_events.done(call, server, "createImage")
    return made(call, image)


@action("createBackup")
def create_backup(call: Call, server: Record, wanted: Record) -> Response:
    """Another one; of those of its type there are as many as `rotation` says, without the oldest."""
    require("createBackup", wanted, "name", "backup_type", "rotation")
    allow(server, "createBackup", "active", "stopped")
    cloud, told = call.cloud, {"image_type": "backup", "backup_type": wanted["backup_type"]}
    image = new_snapshot(cloud, call.project, server, wanted["name"], {**(wanted.get("metadata") or {}), **told})
    backups = cloud.images.where(instance_uuid=server["id"], **told)
    for old in backups[: max(0, len(backups) - int(wanted["rotation"]))]:
        del cloud.images[old["id"]]
    nova_events.done(call, server, "createBackup")
    return made(call, image if image["id"] in cloud.images else None)


# -- consoles and groups ------------------------------------------------------------------------------------------------


@action("os-getConsoleOutput")
def console(call: Call, server: Record, wanted: Record) -> Record:
    try:
        lines = call.ground.console(server["id"]).splitlines(keepends=True)
    except GroundError:
        raise Refusal(409, f"Instance {server['id']} is not ready") from None
    length = wanted.get("length")
    return {"output": "".join(lines[-int(length) :] if length else lines)}


@nova.route("POST", "/v2.1/servers/{ident}/remote-consoles")
async def remote_console(call: Call) -> None:
    a_server(call)
    raise Refusal(400, f"Unavailable console type {call.inner('remote_console').get('type')}.")


def change_groups(add: bool, call: Call, server: Record, wanted: Record) -> Response:
    """Put the server's ports into the security group of that name, or out of it."""
    cloud, name = call.cloud, wanted.get("name") or ""
    group = next((item for item in cloud.security_groups.find(name) if item["project_id"] == call.project), None)
    if not group or (not add and group["name"] not in server["security_groups"]):
        raise Refusal(404, f"Security group {name} not found.")
    for port in cloud.ports.where(device_id=server["id"]):
        others = [ident for ident in port["security_groups"] if ident != group["id"]]
        port["security_groups"] = [*others, group["id"]] if add else others
    others = [other for other in server["security_groups"] if other != group["name"]]
    server["security_groups"] = [*others, group["name"]] if add else others
    return Response(status_code=ACCEPTED)


ACTIONS |= {"addSecurityGroup": partial(change_groups, True), "removeSecurityGroup": partial(change_groups, False)}
