"""The words of the ssh client that log a person in, with the keys and host keys that the kit itself uses."""

from __future__ import annotations

import base64
import hashlib
import shlex
from typing import TYPE_CHECKING

from zerojhub import journey
from zerojhub.errors import UserError
from zerojhub.openstack import masters
from zerojhub.stages import Access, Keypair
from zerojhub.stages.access import known_hosts, only_fingerprints, pin, pinned

if TYPE_CHECKING:
    from zerojhub.journey import Hub


async def ssh_words(hub: Hub, node: str | None) -> list[str]:
    """`ssh …` to the first master, or through it to the node of that name. UserError when there is none."""
    reach, key = await journey.reach(hub, Access, Keypair)
    if reach.address is None:
        raise UserError(
            "there is no SSH to the nodes of this cluster", hint="zerojhub cluster kubeconfig, then kubectl"
        )
    words = ["ssh", "-o", f"UserKnownHostsFile={known_hosts(hub)}", "-o", "StrictHostKeyChecking=yes"]
    words += ["-i", str(key.private_key)] if key.private_key else []
    if node is None:
        return [*words, reach.machine.name]
    user = reach.machine.name.partition("@")[0]
    address = await _address_of(hub, reach, node)
    through = shlex.join([*words, "-W", "%h:%p", reach.machine.name])
    return [*words, "-o", f"ProxyCommand={through}", f"{user}@{address}"]


async def _address_of(hub: Hub, reach, name: str) -> str:
    """The node's address on the cluster's network, its host keys pinned from its own console."""
    nodes = {node["metadata"]["name"]: node for node in await reach.kube.list("v1/Node")}
    if name not in nodes:
        raise UserError(f"no node named {name!r}", hint=f"there are: {', '.join(nodes)}")
    address = next(each["address"] for each in nodes[name]["status"]["addresses"] if each["type"] == "InternalIP")
    servers = await hub.cloud.compute.all("/servers/detail", "servers", name=name)
    server = next((server for server in servers if address in masters.addresses(server)), None)
    if server is None:
        raise UserError(f"node {name} has no server in this project")
    if only_fingerprints(fingerprints := await pinned(hub, address, server)):
        scanned = (await reach.machine.run(["ssh-keyscan", "-T", "10", address])).stdout.decode().splitlines()
        keys = [" ".join(line.split()[1:3]) for line in scanned if not line.startswith("#")]
        pin(hub, address, server, [key for key in keys if fingerprint(key) in fingerprints])
    return address


def fingerprint(key: str) -> str:
    """`SHA256:…` of an OpenSSH public key line."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
