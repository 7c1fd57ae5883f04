"""Nova (compute API v2.1, microversion 2.60): servers, flavors, keypairs, zones and the project's limits.

Types have the keys that the product reads, as the Compute API reference names them.
"""

from __future__ import annotations

from typing import NotRequired
from urllib.parse import quote

from typing_extensions import TypedDict

from zerojhub import retry
from zerojhub.answers import Time
from zerojhub.machine.keyfiles import key_material
from zerojhub.openstack.session import Cloud

SHUTDOWN, CRASHED = 4, 6
"""Power states of a server that does not run (nova.compute.power_state)."""


class Address(TypedDict):
    """One address of a server on one of its networks."""

    addr: str


class Fault(TypedDict):
    """Why a server is in ERROR."""

    message: str


class EmbeddedFlavor(TypedDict, total=False):
    """The flavor inside a server: its name since microversion 2.47, before that only its ID."""

    id: str
    original_name: str


PowerState = TypedDict("PowerState", {"OS-EXT-STS:power_state": NotRequired[int | None]})
"""What the hypervisor says of a server; the key cannot be written as an attribute."""


class Server(PowerState):
    """A server (Compute API reference, "Show Server Details")."""

    id: str
    name: str
    status: str
    addresses: dict[str, list[Address]]
    flavor: EmbeddedFlavor
    fault: NotRequired[Fault]
    created: NotRequired[Time]


class Flavor(TypedDict):
    """A flavor; `ram` in MB."""

    id: str
    name: str
    vcpus: int
    ram: int


class Keypair(TypedDict):
    """A keypair of the user (not of the project); `public_key` is an OpenSSH public key line."""

    name: str
    public_key: str


class KeypairItem(TypedDict):
    """An item of the list of keypairs."""

    keypair: Keypair


class Interface(TypedDict):
    """A network interface of a server."""

    port_id: str


class AttachedVolume(TypedDict):
    """A volume that is attached to a server."""

    volumeId: str


class Console(TypedDict):
    """What a server has printed."""

    output: str | None


class ZoneState(TypedDict):
    """Whether servers can be created in a zone."""

    available: bool


class Zone(TypedDict):
    """An availability zone."""

    zoneName: str
    zoneState: ZoneState


class Limits(TypedDict, total=False):
    """The project's absolute limits and their usage; -1 is unlimited, memory in MB."""

    maxTotalInstances: int
    maxTotalCores: int
    maxTotalRAMSize: int
    totalInstancesUsed: int
    totalCoresUsed: int
    totalRAMUsed: int


class LimitsOfProject(TypedDict):
    """The project's limits."""

    absolute: Limits


async def servers(cloud: Cloud, **query: str) -> list[Server]:
    """The project's servers. `query` filters as the API does; `name` is a regular expression."""
    return await cloud.compute.all("/servers/detail", "servers", Server, **query)


async def find_server(cloud: Cloud, server_id: str) -> Server | None:
    return await cloud.compute.find(f"/servers/{server_id}", Server, within="server")


def is_off(server: Server) -> bool:
    """Is it certain that nothing runs on it? Not of one in ERROR whose hypervisor says nothing: it may run all the same."""
    power = server.get("OS-EXT-STS:power_state")
    if server["status"] == "SHUTOFF":
        return power in (None, SHUTDOWN, CRASHED)
    return server["status"] == "ERROR" and power in (SHUTDOWN, CRASHED)


async def detach_volume(cloud: Cloud, server_id: str, volume_id: str) -> None:
    """Request that the volume is detached from the server."""
    path = f"/servers/{server_id}/os-volume_attachments"

    async def detach() -> bool:
        # Nova refuses it (400) for a volume that is being detached.
        await cloud.compute.delete(f"{path}/{volume_id}", repeatable=False)
        return True

    async def look() -> bool | None:
        listed = await cloud.compute.get(path, list[AttachedVolume], within="volumeAttachments")
        return None if any(each["volumeId"] == volume_id for each in listed) else True

    await retry.settle(detach, look)


def addresses(server: Server) -> list[str]:
    """Every address of the server, fixed and floating."""
    return [address["addr"] for network in server["addresses"].values() for address in network]


async def port_ids(cloud: Cloud, server: Server) -> list[str]:
    """The Neutron ports of the server's interfaces, the first interface first."""
    path = f"/servers/{server['id']}/os-interface"
    interfaces = await cloud.compute.get(path, list[Interface], within="interfaceAttachments")
    return [interface["port_id"] for interface in interfaces]


async def console_log(cloud: Cloud, server: Server) -> str:
    """What the server has printed on its console. CloudError when the project may not read it."""
    path = f"/servers/{server['id']}/action"
    console = await cloud.compute.post(path, {"os-getConsoleOutput": {}}, Console, repeatable=True)
    return console["output"] or ""


async def flavors(cloud: Cloud) -> list[Flavor]:
    return await cloud.compute.all("/flavors/detail", "flavors", Flavor)


async def keypairs(cloud: Cloud) -> list[Keypair]:
    """The user's own keypairs: Nova does not show those of other users of the project."""
    return [item["keypair"] for item in await cloud.compute.all("/os-keypairs", "keypairs", KeypairItem)]


async def find_keypair(cloud: Cloud, name: str) -> Keypair | None:
    if name in (".", ".."):  # which would shorten the path
        return None
    return await cloud.compute.find(f"/os-keypairs/{quote(name, safe='')}", Keypair, within="keypair")


async def create_keypair(cloud: Cloud, name: str, public_key: str) -> Keypair:
    body = {"keypair": {"name": name, "public_key": public_key}}

    async def create() -> Keypair:
        return await cloud.compute.post("/os-keypairs", body, Keypair, within="keypair")

    async def look() -> Keypair | None:
        found = await find_keypair(cloud, name)
        return found if found and key_material(found["public_key"]) == key_material(public_key) else None

    return await retry.settle(create, look)


async def delete_keypair(cloud: Cloud, name: str) -> None:
    await cloud.compute.delete(f"/os-keypairs/{quote(name, safe='')}")


async def zones(cloud: Cloud) -> list[str]:
    """The names of the availability zones in which servers can be created."""
    listed = await cloud.compute.get("/os-availability-zone", list[Zone], within="availabilityZoneInfo")
    return [zone["zoneName"] for zone in listed if zone["zoneState"]["available"]]


async def limits(cloud: Cloud) -> Limits:
    return (await cloud.compute.get("/limits", LimitsOfProject, within="limits"))["absolute"]
