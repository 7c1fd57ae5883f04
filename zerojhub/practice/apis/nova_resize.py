"""A server gets another flavor, or another disk: both boot its machine anew."""

from __future__ import annotations

import secrets
from functools import partial

from starlette.responses import JSONResponse, Response

from zerojhub.practice.apis.cloud import Cloud, Record
from zerojhub.practice.apis.members import Members
from zerojhub.practice.apis.nova import require
from zerojhub.practice.apis.nova_actions import ACCEPTED, accept, action
from zerojhub.practice.apis.nova_boot import machine_of
from zerojhub.practice.apis.nova_events import done
from zerojhub.practice.apis.nova_servers import shown_server, within_quota
from zerojhub.practice.apis.nova_states import allow, set_state
from zerojhub.practice.apis.wire import Call, Refusal
from zerojhub.practice.ground import MachineSpec

# -- flavors ------------------------------------------------------------------------------------------------------------


@action("resize")
def resize(call: Call, server: Record, wanted: Record) -> Response:
    """To another flavor. A machine has what its computer has: it sees nothing of that but that it is booted."""
    require("resize", wanted, "flavorRef")
    cloud, ident = call.cloud, str(wanted["flavorRef"])
    if ident not in cloud.flavors:
        raise Refusal(400, f"Flavor {ident} could not be found.")
    allow(server, "resize", "active", "stopped")
    if ident == server["flavor"]:
        raise Refusal(400, "When resizing, instances must change flavor!")
    old, new = cloud.flavors[server["flavor"]], cloud.flavors[ident]
    more = {"cores": new["vcpus"] - old["vcpus"], "ram": new["ram"] - old["ram"]}
    within_quota(cloud, call.project, {name: count for name, count in more.items() if count > 0})
    before = {"flavor": server["flavor"], "vm_state": server["vm_state"]}

    async def work() -> None:
        await restart(call, server, before["vm_state"])
        server.update(resized=before, flavor=ident)
        set_state(server, "resized")

    return accept(call, server, "resize", "resize_migrating", work)


@action("confirmResize")
def confirm(call: Call, server: Record, wanted: Record) -> Response:
    allow(server, "confirmResize", "resized")
    set_state(server, server.pop("resized")["vm_state"])
    done(call, server, "confirmResize")
    return Response(status_code=204)


@action("revertResize")
def revert(call: Call, server: Record, wanted: Record) -> Response:
    allow(server, "revertResize", "resized")

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


@action("rebuild")
def rebuild(call: Call, server: Record, wanted: Record) -> JSONResponse:
    """The disk is as an image has it. What Magnum put on a worker it gets anew; a master is lost."""
    require("rebuild", wanted, "imageRef")
    cloud, image = call.cloud, str(wanted["imageRef"]).rpartition("/")[2]
    allow(server, "rebuild", "active", "stopped", "error")
    if image not in cloud.images:
        raise Refusal(400, "Cannot find image for rebuild")
    key = wanted.get("key_name", server["key_name"])
    if key and key not in cloud.keypairs:
        raise Refusal(400, "Invalid key_name provided.")
    server |= {"image": image, "key_name": key, "fault": None}
    server |= {name: wanted[name] for name in ("name", "description", "metadata") if name in wanted}
    accept(call, server, "rebuild", "rebuilding", partial(rebuild_machine, call, server, server["vm_state"]))
    body = {**shown_server(call, server), "adminPass": wanted.get("adminPass") or secrets.token_urlsafe(9)}
    if call.state.version >= (2, 57):
        body["user_data"] = None
    location = f"{call.origin}/compute/v2.1/servers/{server['id']}"
    return JSONResponse({"server": body}, ACCEPTED, {"Location": location})


async def rebuild_machine(call: Call, server: Record, vm_state: str) -> None:
    if call.cloud.ports.where(device_id=server["id"]):
        await call.ground.rebuild(spec_of(call, server))
    if vm_state == "stopped":
        await call.ground.stop(server["id"])
    set_state(server, "stopped" if vm_state == "stopped" else "active")


def spec_of(call: Call, server: Record) -> MachineSpec:
    """The machine as it is to be: as a node of its cluster, if it is one."""
    cloud: Cloud = call.cloud
    for cluster in cloud.clusters.values():
        if any(server["id"] in group["servers"] for group in cluster["nodegroups"]):
            return Members(cloud, call.ground, cluster).spec(server)
    return machine_of(cloud, server)
