"""Stop, start, reboot, force-delete, lock and unlock a server."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from zerojhub.practice.cloud.nova.actions import ACCEPTED, Actions, accept
from zerojhub.practice.cloud.nova.errors import require
from zerojhub.practice.cloud.nova.events import done
from zerojhub.practice.cloud.nova.records import delete_server
from zerojhub.practice.cloud.nova.states import check_state, check_unlocked, set_state
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call

actions = Actions()


@actions("os-stop")
def stop(call: Call, server: Record, wanted: Record) -> Response:
    check_state(server, "stop", "active", "error")

    async def work() -> None:
        await call.ground.stop(server["id"])
        set_state(server, "stopped")

    return accept(call, server, "stop", "powering-off", work)


@actions("os-start")
def start(call: Call, server: Record, wanted: Record) -> Response:
    check_state(server, "start", "stopped")
    return accept(call, server, "start", "powering-on", partial(switch_on, call, server))


REBOOTS = {"SOFT": "rebooting", "HARD": "rebooting_hard"}


@actions("reboot")
def reboot(call: Call, server: Record, wanted: Record) -> Response:
    require("reboot", wanted, "type")
    kind = wanted["type"]
    known = [word for name in reversed(REBOOTS) for word in (name, name.title(), name.lower())]
    if kind not in known:
        raise Refusal(400, f"Invalid input for field/attribute type. Value: {kind}. {kind!r} is not one of {known}")
    if kind.upper() == "SOFT":
        check_state(server, "reboot", "active")
    else:
        # A hard reboot is allowed during a soft one that hangs.
        check_state(server, "reboot", "active", "stopped", "error", idle=server["task_state"] not in REBOOTS.values())
    return accept(call, server, "reboot", REBOOTS[kind.upper()], partial(boot_again, call, server))


async def switch_on(call: Call, server: Record) -> None:
    await call.ground.start(server["id"])
    set_state(server, "active")
    server["fault"] = None


async def boot_again(call: Call, server: Record) -> None:
    await call.ground.stop(server["id"])
    await switch_on(call, server)


@actions("forceDelete")
def force_delete(call: Call, server: Record, wanted: Record) -> Response:
    check_unlocked(server)
    call.conductor.cancel(server["id"])
    delete = partial(delete_server, call.store, call.ground, server)
    return accept(call, server, "delete", "deleting", delete)


@actions("lock")
def lock(call: Call, server: Record, wanted: Record) -> Response:
    server |= {"locked": True, "locked_reason": wanted.get("locked_reason")}
    done(call, server, "lock")
    return Response(status_code=ACCEPTED)


@actions("unlock")
def unlock(call: Call, server: Record, wanted: Record) -> Response:
    server |= {"locked": False, "locked_reason": None}
    done(call, server, "unlock")
    return Response(status_code=ACCEPTED)
