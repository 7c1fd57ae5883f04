"""The master of a cluster of Magnum's Heat drivers: its server, its port, and the host keys on its console."""

from __future__ import annotations

import re

from zerojhub.errors import CloudError, ZeroJHubError
from zerojhub.openstack import magnum, nova, stacks
from zerojhub.openstack.session import Cloud

LOGINS = {"fedora-atomic": "fedora", "fedora": "fedora", "fedora-coreos": "core", "coreos": "core", "ubuntu": "ubuntu"}
"""The login user, by the image's os_distro (Magnum user guide, driver images)."""

NAME_KEPT = 20
"""Characters of a cluster's name that the names of its servers begin with; Heat drivers cut long names off later."""


def login(template: magnum.ClusterTemplate) -> str:
    """The login user of the servers that the template makes."""
    return LOGINS.get(template.get("cluster_distro") or "", "core")


async def first_master(cloud: Cloud, cluster: magnum.Cluster) -> nova.Server:
    """The server of the cluster's first master. ZeroJHubError when the project does not see one."""
    known, prefix = set(cluster.get("master_addresses") or []), cluster["name"][:NAME_KEPT]
    candidates = [each for each in await nova.servers(cloud, name="-master-") if known & set(nova.addresses(each))]
    found = [server for server in candidates if server["name"].startswith(prefix)]
    if len(found) != cluster["master_count"]:
        # Two clusters may have the same name and, on networks of their own, the same addresses: ask for the stack's servers.
        found = await _in_stacks(cloud, cluster) or candidates
    if not found:
        hint = "a Cluster API cloud? set access.road: api"
        raise ZeroJHubError(f"cluster {cluster['name']} has no master server in this project", hint=hint)
    return min(found, key=lambda server: server["name"])


async def _in_stacks(cloud: Cloud, cluster: magnum.Cluster) -> list[nova.Server]:
    resources = await stacks.resources(cloud, cluster, resource_type="OS::Nova::Server")
    ids = [each["physical_resource_id"] for each in resources if "master" in each["resource_name"]]
    return [server for server_id in ids if (server := await nova.find_server(cloud, server_id))]


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
