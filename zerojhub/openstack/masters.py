"""The master of a cluster of Magnum's Heat drivers: its server, its port, and the host keys on its console."""

from __future__ import annotations

import re

from zerojhub.errors import CloudError, ZeroJHubError
from zerojhub.openstack import magnum, nova, stacks
from zerojhub.openstack.session import Cloud

LOGINS = {"fedora-atomic": "fedora", "fedora": "fedora", "fedora-coreos": "core", "coreos": "core", "ubuntu": "ubuntu"}
"""The login user, by the image's os_distro (Magnum user guide, driver images)."""


def login(template: magnum.ClusterTemplate) -> str:
    """The login user of the servers that the template makes."""
    return LOGINS.get(template.get("cluster_distro") or "", "core")


async def first_master(cloud: Cloud, cluster: magnum.Cluster) -> nova.Server:
    """The server of the cluster's first master. ZeroJHubError when the project does not see one."""
    in_stacks = await stacks.resources(cloud, cluster, resource_type="OS::Nova::Server")
    ids = [each["physical_resource_id"] for each in in_stacks if "master" in each["resource_name"]]
    if ids:
        found = [server for server_id in ids if (server := await nova.find_server(cloud, server_id))]
    else:  # no Heat for this project: by the name that the Heat drivers give, and an address that Magnum shows
        known = set(cluster.get("master_addresses") or [])
        candidates = await nova.servers(cloud, name="-master-")
        found = [server for server in candidates if known & set(nova.addresses(server))]
    if not found:
        hint = "a Cluster API cloud? set access.road: api"
        raise ZeroJHubError(f"cluster {cluster['name']} has no master server in this project", hint=hint)
    return min(found, key=lambda server: server["name"])


addresses = nova.addresses


async def port_of(cloud: Cloud, server: nova.Server) -> str:
    """The Neutron port of the server's first interface."""
    ports = await nova.port_ids(cloud, server)
    if not ports:
        raise ZeroJHubError(f"server {server['name']} has no network port")
    return ports[0]


async def host_keys(cloud: Cloud, server: nova.Server) -> list[str]:
    """The SSH host keys that the server printed on its console: key lines, or else SHA256 fingerprints.

    cloud-init prints both between markers, Fedora CoreOS fingerprints only. Empty when there are neither.
    """
    try:
        log = await nova.console_log(cloud, server)
    except CloudError as error:
        raise ZeroJHubError(
            f"cannot read the console log of {server['name']}: {error.message}", where=error.where
        ) from None
    return parse_console(log)


def parse_console(text: str) -> list[str]:
    """The host keys in a console log, as `host_keys` returns them."""
    keys = re.search(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", text, re.S)
    if keys and (lines := re.findall(r"((?:ssh-|ecdsa-)\S+ AAAA[0-9A-Za-z+/=]+)", keys[1])):
        return lines
    marked = re.search(
        r"-----BEGIN SSH HOST KEY FINGERPRINTS-----(.*?)-----END SSH HOST KEY FINGERPRINTS-----", text, re.S
    )
    printed = (marked[1] if marked else "") + "\n".join(re.findall(r"SSH host key: .*", text))
    return list(dict.fromkeys(re.findall(r"SHA256:[0-9A-Za-z+/]{43}", printed)))
