"""Resize and rebuild a server: both boot its machine again."""

from __future__ import annotations

import secrets
from functools import partial

from starlette.responses import JSONResponse, Response

from zerojhub.practice.cloud.magnum.machines import Machines
from zerojhub.practice.cloud.nova.actions import ACCEPTED, Actions, accept
from zerojhub.practice.cloud.nova.boot import machine_of
from zerojhub.practice.cloud.nova.errors import require
from zerojhub.practice.cloud.nova.events import done
from zerojhub.practice.cloud.nova.records import check_quota
from zerojhub.practice.cloud.nova.rendering import render_server
from zerojhub.practice.cloud.nova.states import check_state, set_state
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store
from zerojhub.practice.cloud.wire import Call
from zerojhub.practice.ground import MachineSpec

actions = Actions()

# -- flavors ------------------------------------------------------------------------------------------------------------


@actions("resize")
def resize(call: Call, server: Record, wanted: Record) -> Response:
    """Change the flavor. Machines share this computer's resources, so they only restart."""
    require("resize", wanted, "flavorRef")
    store, ident = call.store, str(wanted["flavorRef"])
    if ident not in store.flavors:
        raise Refusal(400, f"Flavor {ident} could not be found.")
    check_state(server, "resize", "active", "stopped")
    if ident == server["flavor"]:
        raise Refusal(400, "When resizing, instances must change flavor!")
    old, new = store.flavors[server["flavor"]], store.flavors[ident]
    more = {"cores": new["vcpus"] - old["vcpus"], "ram": new["ram"] - old["ram"]}
    check_quota(store, call.project, {name: count for name, count in more.items() if count > 0})
    before = {"flavor": server["flavor"], "vm_state": server["vm_state"]}

    async def work() -> None:
        await restart(call, server, before["vm_state"])
        server.update(resized=before, flavor=ident)
        set_state(server, "resized")

    return accept(call, server, "resize", "resize_migrating", work)


@actions("confirmResize")
def confirm(call: Call, server: Record, wanted: Record) -> Response:
    check_state(server, "confirmResize", "resized")
    set_state(server, server.pop("resized")["vm_state"])
    done(call, server, "confirmResize")
    return Response(status_code=204)


@actions("revertResize")
def revert(call: Call, server: Record, wanted: Record) -> Response:
    check_state(server, "revertResize", "resized")

    async def work() -> None:
        before = server["resized"]
        await restart(call, server, before["vm_state"])
        server["flavor"] = before["flavor"]
        set_state(server, server.pop("resized")["vm_state"])

    return accept(call, server, "revertResize", "resize_reverting", work)


async def restart(call: Call, server: Record, vm_state: str) -> None:
    if vm_state == "active":
        await call.ground.stop(server["id"])
        await call.ground.start(server["id"])


# -- disks --------------------------------------------------------------------------------------------------------------


@actions("rebuild")
def rebuild(call: Call, server: Record, wanted: Record) -> JSONResponse:
    """Boot from a new disk. A worker becomes a node again; a master's etcd is lost."""
    require("rebuild", wanted, "imageRef")
    store, image = call.store, str(wanted["imageRef"]).rpartition("/")[2]
    check_state(server, "rebuild", "active", "stopped", "error")
    if image not in store.images:
        raise Refusal(400, "Cannot find image for rebuild")
    key = wanted.get("key_name", server["key_name"])
    if key and key not in store.keypairs:
        raise Refusal(400, "Invalid key_name provided.")
    server |= {"image": image, "key_name": key, "fault": None}
    server |= {name: wanted[name] for name in ("name", "description", "metadata") if name in wanted}
    accept(call, server, "rebuild", "rebuilding", partial(rebuild_machine, call, server, server["vm_state"]))
    body = {**render_server(call, server), "adminPass": wanted.get("adminPass") or secrets.token_urlsafe(9)}
    if call.state.version >= (2, 57):
        body["user_data"] = None
    location = f"{call.origin}/compute/v2.1/servers/{server['id']}"
    return JSONResponse({"server": body}, ACCEPTED, {"Location": location})


async def rebuild_machine(call: Call, server: Record, vm_state: str) -> None:
    if call.store.ports.where(device_id=server["id"]):
        await call.ground.rebuild(spec_of(call, server))
    if vm_state == "stopped":
        await call.ground.stop(server["id"])
    set_state(server, "stopped" if vm_state == "stopped" else "active")


def spec_of(call: Call, server: Record) -> MachineSpec:
    """The machine's spec; for a node, that of its cluster."""
    store: Store = call.store
    for cluster in store.clusters.values():
        if any(server["id"] in group["servers"] for group in cluster["nodegroups"]):
            return Machines(store, call.ground, cluster).spec(server)
    return machine_of(store, server)
