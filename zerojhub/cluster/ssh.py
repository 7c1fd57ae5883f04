"""The ssh command line that logs a person in to a cluster's servers, with the product's own keys and host key pins."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub.cluster.reach import host_keys, pins
from zerojhub.errors import UserError
from zerojhub.kube import nodes
from zerojhub.kube.reach import Reach
from zerojhub.machine import failure, keyfiles
from zerojhub.machine.host_keys import fingerprint, only_fingerprints
from zerojhub.machine.keys import PrivateKey
from zerojhub.machine.local import LocalMachine
from zerojhub.openstack import nova
from zerojhub.run import Run

if TYPE_CHECKING:
    from zerojhub.machine.keyfiles import Loaded


async def command(run: Run, reach: Reach, node: str | None) -> list[str]:
    """`ssh …` to the first master, or through it to the node of that name. UserError when there is no such node, or no SSH.

    The process that becomes this command has to keep its open files: one may be a pipe with the private key.
    """
    from zerojhub.machine.ssh import SSHMachine

    if not isinstance(reach.machine, SSHMachine):
        raise UserError(
            "the nodes of this cluster have no SSH access", hint="zerojhub cluster kubeconfig, then kubectl"
        )
    words = ["ssh", "-o", f'UserKnownHostsFile="{pins(run).path}"', "-o", "StrictHostKeyChecking=yes"]
    words += ["-o", "IdentitiesOnly=yes", "-i", str(await _identity(run, reach.machine.key))]
    if node is None:
        words += ["--", reach.machine.name]
    else:
        address = await _pinned_address(run, reach, node)
        through = shlex.join([*words, "-W", "%h:%p", "--", reach.machine.name])
        words += ["-o", f"ProxyCommand={through}", "--", f"{reach.machine.user}@{address}"]
    key = reach.machine.key
    return _with_agent(words, key.loaded) if key.loaded and _is_encrypted(key) else words


def _is_encrypted(key: PrivateKey) -> bool:
    return key.file is not None and keyfiles.read(key.file).encrypted


def _with_agent(words: list[str], key: Loaded) -> list[str]:
    """The command with an SSH agent of its own that has the key: ssh would ask for the passphrase once more, for each hop."""
    read, write = os.pipe()
    os.write(write, keyfiles.openssh_format(key))
    os.close(write)
    os.set_inheritable(read, True)
    return ["ssh-agent", "sh", "-c", f'ssh-add -q - </dev/fd/{read} && exec "$@"', "zerojhub", *words]


async def _identity(run: Run, key: PrivateKey) -> Path:
    """The file by which ssh finds the key: the private key, or the public half of one that an SSH agent has.

    UserError when ssh will not read the private key.
    """
    if key.file is None or key.loaded is None or _is_encrypted(key):
        public = run.folder / "identity.pub"
        public.write_text(f"{key.public}\n")
        return public
    answer = await LocalMachine().run(["ssh-keygen", "-y", "-P", "", "-f", str(key.file)], check=False)
    if answer.code:
        others = "bad permissions" in (reason := failure(answer))
        hint = f"chmod 600 {key.file}" if others else "save it in OpenSSH's format and with Unix line ends"
        raise UserError(f"ssh does not read this private key: {reason}", where=str(key.file), hint=hint)
    return key.file


async def _pinned_address(run: Run, reach: Reach, name: str) -> str:
    """The node's address on the cluster's network, after its host keys were pinned from its own console."""
    address = nodes.address_of(await nodes.find(reach.kube, name))
    servers = await nova.servers(run.cloud, name=name)
    server = next((server for server in servers if address in nova.addresses(server)), None)
    if server is None or address is None:
        raise UserError(f"node {name} has no server in this project")
    keys = await host_keys(run, address, server)
    if only_fingerprints(keys):
        scanned = (
            (await reach.machine.run(["ssh-keyscan", "-T", "10", address], repeatable=True))
            .stdout.decode()
            .splitlines()
        )
        lines = [" ".join(line.split()[1:3]) for line in scanned if not line.startswith("#")]
        pins(run).pin(address, server["id"], [line for line in lines if fingerprint(line) in keys])
    return address
