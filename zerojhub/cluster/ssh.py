"""The ssh command line that logs a person in to a cluster's servers, with the product's own keys and host key pins."""

from __future__ import annotations

import shlex

from zerojhub.cluster.reach import host_keys, pins
from zerojhub.errors import UserError
from zerojhub.kube import nodes
from zerojhub.kube.reach import Reach
from zerojhub.machine.host_keys import fingerprint, only_fingerprints
from zerojhub.openstack import nova
from zerojhub.run import Run


async def command(run: Run, reach: Reach, node: str | None) -> list[str]:
    """`ssh …` to the first master, or through it to the node of that name. UserError when there is no such node, or no SSH."""
    from zerojhub.machine.ssh import SSHMachine

    if not isinstance(reach.machine, SSHMachine):
        raise UserError(
            "the nodes of this cluster have no SSH access", hint="zerojhub cluster kubeconfig, then kubectl"
        )
    words = ["ssh", "-o", f"UserKnownHostsFile={pins(run).path}", "-o", "StrictHostKeyChecking=yes"]
    for key_file in reach.machine.key_files:
        words += ["-i", str(key_file)]
    if node is None:
        return [*words, reach.machine.name]
    address = await _pinned_address(run, reach, node)
    through = shlex.join([*words, "-W", "%h:%p", reach.machine.name])
    return [*words, "-o", f"ProxyCommand={through}", f"{reach.machine.user}@{address}"]


async def _pinned_address(run: Run, reach: Reach, name: str) -> str:
    """The node's address on the cluster's network, after its host keys were pinned from its own console."""
    address = nodes.address_of(await nodes.find(reach.kube, name))
    servers = await nova.servers(run.cloud, name=name)
    server = next((server for server in servers if address in nova.addresses(server)), None)
    if server is None or address is None:
        raise UserError(f"node {name} has no server in this project")
    keys = await host_keys(run, address, server)
    if only_fingerprints(keys):
        scanned = (await reach.machine.run(["ssh-keyscan", "-T", "10", address])).stdout.decode().splitlines()
        lines = [" ".join(line.split()[1:3]) for line in scanned if not line.startswith("#")]
        pins(run).pin(address, server["id"], [line for line in lines if fingerprint(line) in keys])
    return address
