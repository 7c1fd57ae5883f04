"""The master of a cluster of Magnum's Heat drivers: its server, its ports, and the host keys on its console."""

from __future__ import annotations

import re

from zerojhub.errors import CloudError, ZeroJHubError
from zerojhub.openstack import heat
from zerojhub.openstack.session import Cloud

LOGINS = {"fedora-atomic": "fedora", "fedora": "fedora", "fedora-coreos": "core", "coreos": "core", "ubuntu": "ubuntu"}
"""Who logs in, by the image's os_distro (Magnum user guide, driver images)."""


async def first_master(cloud: Cloud, cluster: dict) -> dict:
    """Nova's server of the first master. ZeroJHubError when it cannot be told."""
    nested = await heat.resources(cloud, cluster, type="OS::Nova::Server")
    ids = [each["physical_resource_id"] for each in nested if "master" in each["resource_name"]]
    servers = [await cloud.compute.find(f"/servers/{server_id}") for server_id in ids]
    found = [answer["server"] for answer in servers if answer]
    if not ids:  # no Heat for this project: by the name that the Heat drivers give, and the address that Magnum tells
        named = await cloud.compute.all("/servers/detail", "servers", name="-master-")
        found = [server for server in named if set(addresses(server)) & set(cluster.get("master_addresses") or [])]
    if not found:
        hint = "a Cluster API cloud? set access.road: api"
        raise ZeroJHubError(f"no master server of cluster {cluster['name']} is to be found", hint=hint)
    return min(found, key=lambda server: server["name"])


def addresses(server: dict) -> list[str]:
    return [each["addr"] for network in server["addresses"].values() for each in network]


async def port_of(cloud: Cloud, server: dict) -> str:
    """The Neutron port of the server's first interface."""
    attached = (await cloud.compute.get(f"/servers/{server['id']}/os-interface"))["interfaceAttachments"]
    if not attached:
        raise ZeroJHubError(f"server {server['name']} has no network port")
    return attached[0]["port_id"]


async def host_keys(cloud: Cloud, server: dict) -> list[str]:
    """The SSH host keys that the server printed on its console: key lines, or else SHA256 fingerprints.

    cloud-init prints both between marks, Fedora CoreOS fingerprints only.
    """
    try:
        answer = await cloud.compute.post(f"/servers/{server['id']}/action", {"os-getConsoleOutput": {}})
    except CloudError as error:
        raise ZeroJHubError(
            f"the console log of {server['name']} cannot be read: {error.message}", where=error.where
        ) from None
    return parse_console(answer["output"])


def parse_console(text: str) -> list[str]:
    keys = re.search(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", text, re.S)
    if keys and (lines := re.findall(r"((?:ssh-|ecdsa-)\S+ AAAA[0-9A-Za-z+/=]+)", keys[1])):
        return lines
    marked = re.search(
        r"-----BEGIN SSH HOST KEY FINGERPRINTS-----(.*?)-----END SSH HOST KEY FINGERPRINTS-----", text, re.S
    )
    said = (marked[1] if marked else "") + "\n".join(re.findall(r"SSH host key: .*", text))
    return list(dict.fromkeys(re.findall(r"SHA256:[0-9A-Za-z+/]{43}", said)))
