"""Servers boot: their ports, their security groups, their machine."""

from __future__ import annotations

from zerojhub.practice.cloud.neutron.records import new_port
from zerojhub.practice.cloud.nova.records import fixed_address, mark_failed, mark_started
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store
from zerojhub.practice.cloud.wire import Call
from zerojhub.practice.faults import Break
from zerojhub.practice.ground import Ground, GroundError, MachineSpec

NO_HOST = "No valid host was found. There are not enough hosts available."
PANIC = """\
[    1.204113] VFS: Cannot open root device "UUID=6a1f3c2e" or unknown-block(0,0): error -6
[    1.205541] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
"""
"""What the console log of a server ends with whose image does not boot."""


def machine_of(store: Store, server: Record) -> MachineSpec:
    keypair = store.keypairs.get(server["key_name"] or "")
    return MachineSpec(
        id=server["id"],
        name=server["hostname"],
        address=fixed_address(store, server),
        login=store.images[server["image"]].get("os_admin_user", "root"),
        public_keys=(keypair["public_key"],) if keypair else (),
        machine_id=server["id"].replace("-", ""),
    )


async def start_machine(store: Store, ground: Ground, machine: MachineSpec) -> None:
    """Boot the machine of a new server; one that is to break does not come up. Raises GroundError."""
    if store.faults.breaks("compute", Break.no_valid_host):
        raise GroundError(NO_HOST)
    if store.faults.breaks("compute", Break.no_boot):
        store.consoles[machine.id] = PANIC
        return
    await ground.boot(machine)


async def boot(store: Store, ground: Ground, server: Record) -> None:
    """Start the server's machine. A server without a network has no machine: it would be unreachable anyway."""
    ports = store.ports.where(device_id=server["id"])
    try:
        if ports:
            await start_machine(store, ground, machine_of(store, server))
        for port in ports[1:]:
            await ground.plug(server["id"], port["fixed_ips"][0]["ip_address"])
    except GroundError as error:
        mark_failed(server, str(error))
    else:
        mark_started(server)


def possible_networks(call: Call) -> list[Record]:
    """The default network for a server: the project's only one, if any. Raises Refusal (409) if there are several."""
    own = [item for item in call.store.networks.where(project_id=call.project) if not item["router:external"]]
    if len(own) > 1:
        message = "More than one possible network found. Specify network ID(s) to select which one(s) to connect to."
        raise Refusal(409, message)
    return own


def plug(call: Call, server: Record, wanted: Record, groups: list[Record]) -> Record:
    """Give the server the port in `wanted`, or a new one on the network in it. Raises Refusal (400, 403, 409)."""
    store, owner = call.store, {"device_id": server["id"], "device_owner": "compute:nova"}
    if ident := wanted.get("port"):
        port = store.ports.get(ident)
        if not port:
            raise Refusal(400, f"Port id {ident} could not be found.")
        if port["device_id"]:
            raise Refusal(409, f"Port {ident} is still in use.")
        port |= owner
        return port
    network = store.networks.get(wanted.get("uuid") or "")
    if not network:
        raise Refusal(400, f"Network {wanted.get('uuid')} could not be found.")
    if network["router:external"]:
        raise Refusal(403, f"It is not allowed to create an interface on external network {network['id']}")
    if not network["subnets"]:
        raise Refusal(400, f"Network {network['id']} requires a subnet in order to boot instances on.")
    fields = {**owner, "security_groups": [group["id"] for group in groups]}
    port = new_port(store, call.project, network, "", wanted.get("fixed_ip") or "", **fields)
    server["own_ports"].append(port["id"])
    return port


def wanted_groups(call: Call, wanted: Record) -> list[Record]:
    own = call.store.security_groups.where(project_id=call.project)
    groups = []
    for name in [group.get("name") for group in wanted.get("security_groups") or [{"name": "default"}]]:
        found = [group for group in own if name in (group["id"], group["name"])]
        if not found:
            raise Refusal(400, f"Security group {name} not found.")
        groups += found[:1]
    return groups
