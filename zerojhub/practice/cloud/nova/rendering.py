"""A server as Nova's API shows it, by microversion."""

from __future__ import annotations

from zerojhub.practice.cloud.nova.records import addresses, host_id, links
from zerojhub.practice.cloud.nova.states import power_state, status
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call

PROGRESSING = ("ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE")
"""The statuses in which Nova shows a progress."""


def render_server(call: Call, server: Record) -> Record:
    flavor, recent = call.store.flavors[server["flavor"]], call.state.version
    state = status(server)
    body: Record = {
        "id": server["id"],
        "name": server["name"],
        "status": state,
        "tenant_id": server["project_id"],
        "user_id": server["user_id"],
        "metadata": server["metadata"],
        "hostId": host_id(server["project_id"]),
        "image": {"id": server["image"], "links": links(call, f"images/{server['image']}")[1:]},
        "flavor": {"id": flavor["id"], "links": links(call, f"flavors/{flavor['id']}")[1:]},
        "created": server["created"],
        "updated": server["updated"],
        "addresses": addresses(call.store, server),
        "accessIPv4": "",
        "accessIPv6": "",
        "links": links(call, f"servers/{server['id']}"),
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": call.store.zone if server["launched"] else "",
        "config_drive": server["config_drive"],
        "key_name": server["key_name"],
        "OS-SRV-USG:launched_at": server["launched"],
        "OS-SRV-USG:terminated_at": None,
        "OS-EXT-STS:task_state": server["task_state"],
        "OS-EXT-STS:vm_state": server["vm_state"],
        "OS-EXT-STS:power_state": power_state(server),
        "os-extended-volumes:volumes_attached": [
            {"id": item["volume_id"]}
            | ({"delete_on_termination": item.get("delete_on_termination", False)} if recent >= (2, 3) else {})
            for item in call.store.attachments.where(instance=server["id"])
        ],
    }
    if server["security_groups"]:
        body["security_groups"] = [{"name": name} for name in server["security_groups"]]
    if state in PROGRESSING:
        body["progress"] = 0
    if server["fault"]:
        body["fault"] = server["fault"]
    if recent >= (2, 47):
        named = {"original_name": flavor["name"], "ephemeral": 0, "swap": 0, "extra_specs": {}}
        body["flavor"] = {**{name: flavor[name] for name in ("vcpus", "ram", "disk")}, **named}
    later = {
        (2, 9): ("locked", server["locked"]),
        (2, 19): ("description", server["description"]),
        (2, 26): ("tags", server["tags"]),
        (2, 63): ("trusted_image_certificates", None),
        (2, 71): ("server_groups", [server["server_group"]] if server["server_group"] else []),
        (2, 73): ("locked_reason", server["locked_reason"]),
        (2, 90): ("OS-EXT-SRV-ATTR:hostname", server["hostname"]),
        (2, 96): ("pinned_availability_zone", None),
    }
    return body | dict(field for version, field in later.items() if recent >= version)
