"""The way in: SSH to the first master through its floating IP, or the cluster's API with a kubeconfig from Magnum."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube.reach import Reach
from zerojhub.openstack import kubeconfig as certificates
from zerojhub.openstack import masters
from zerojhub.openstack.roads import road_of
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.cluster import Cluster
from zerojhub.stages.floating_ip import FloatingIP
from zerojhub.stages.keypair import Keypair
from zerojhub.stages.template import Template

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube

ADMIN_KUBECONFIG = "/etc/kubernetes/admin.conf"
"""Where Magnum's drivers leave the administrator's kubeconfig on a master."""


class Access(Stage):
    """A connection to the cluster: SSH to the master, its host key pinned, or its API.

    Puts the floating IP on the first master and takes the host key from its console log; or has Magnum sign a kubeconfig.
    `down` forgets both.
    """

    name = "access"
    needs = (Cluster, FloatingIP, Keypair)

    async def look(self, hub) -> Found | Missing | Wrong:
        if road_of(hub.deployment, hub[Template]) == "api":
            return await by_api(hub)
        floating_ip = await current(hub)
        if floating_ip is None:
            return await by_ssh(
                hub, hub[Cluster]["master_addresses"][0], await masters.first_master(hub.cloud, hub[Cluster])
            )
        if floating_ip["port_id"] is None:
            return Missing(f"floating IP {floating_ip['floating_ip_address']} is not on the master yet")
        server = await masters.first_master(hub.cloud, hub[Cluster])
        if floating_ip["fixed_ip_address"] not in masters.addresses(server):
            return Wrong(f"floating IP {floating_ip['floating_ip_address']} is on another port than the master's")
        return await by_ssh(hub, floating_ip["floating_ip_address"], server)

    async def do(self, hub, state: Missing | Wrong) -> None:
        floating_ip = await current(hub)
        if floating_ip is None:
            raise ZeroJHubError(state.why if isinstance(state, Missing) else state.how)
        if isinstance(state, Wrong) and hub.deployment.access.floating_ip:
            raise UserError(state.how, hint="detach it first, or leave access.floating_ip out to have one taken")
        server = await masters.first_master(hub.cloud, hub[Cluster])
        port = await masters.port_of(hub.cloud, server)
        await hub.cloud.network.put(f"/floatingips/{floating_ip['id']}", {"floatingip": {"port_id": port}})

    async def undo(self, hub) -> None:
        known_hosts(hub).unlink(missing_ok=True)
        own_kubeconfig(hub).unlink(missing_ok=True)


async def current(hub) -> dict | None:
    """The floating IP that the kit puts on the master, as it is now; None where Magnum gave the master one."""
    if hub[FloatingIP] is None:
        return None
    return (await hub.cloud.network.get(f"/floatingips/{hub[FloatingIP]['id']}"))["floatingip"]


async def by_ssh(hub, address: str, server: dict) -> Found:
    """Log in to the master and open a way to its API server through the same connection."""
    import anyio

    from zerojhub.kube import client
    from zerojhub.machine.ssh import SSHMachine

    user = hub.deployment.access.user or masters.LOGINS.get(hub[Template].get("cluster_distro"), "core")
    key = hub[Keypair].private_key
    host_keys = await pinned(hub, address, server)
    machine = await SSHMachine.connect(
        address,
        user,
        host_keys=host_keys,
        key_files=[key] if key else [],
        forget=f"ssh-keygen -R {address} -f {known_hosts(hub)}",
        say=hub.say,
    )
    hub.on_close(machine.close)
    if only_fingerprints(host_keys):
        pin(hub, address, server, [machine.host_key])
    config = await machine.read(ADMIN_KUBECONFIG, sudo=True)
    port = await machine.forward("127.0.0.1", 6443)
    kube = await anyio.to_thread.run_sync(lambda: client.connect(config, port))
    hub.on_close(kube.close)
    version = await kube.version()
    reach = Reach(machine=machine, kubeconfig=ADMIN_KUBECONFIG, kube=kube, address=address, version=version)
    return Found(f"{user}@{address}, Kubernetes {version}", reach)


async def by_api(hub) -> Found:
    """Reach the API server itself. The kubeconfig is made once and kept (0600); a new one is made when it does not work."""
    from zerojhub.kube.client import KubeError
    from zerojhub.machine.local import LocalMachine

    path = own_kubeconfig(hub)
    try:
        kube, version = await answering(hub, json.loads(path.read_bytes()))
    except (FileNotFoundError, KubeError):  # none yet; or its certificate is of the past, or its CA
        config = await certificates.make(hub.cloud, hub[Cluster])
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(config, file)
        kube, version = await answering(hub, config)
    reach = Reach(machine=LocalMachine(), kubeconfig=str(path), kube=kube, address=None, version=version)
    return Found(f"{hub[Cluster]['api_address']}, Kubernetes {version}", reach)


async def answering(hub, config: dict) -> tuple[Kube, str]:
    """A client for the kubeconfig, and the version that the API server gives it. KubeError when it gives none."""
    import anyio

    from zerojhub.kube import client

    kube = await anyio.to_thread.run_sync(lambda: client.connect(config))
    hub.on_close(kube.close)
    await kube.list("v1/Namespace")  # the version is told to strangers, too
    return kube, await kube.version()


def own_kubeconfig(hub) -> Path:
    return hub.state / f"kubeconfig-{hub[Cluster]['uuid']}.json"


def known_hosts(hub) -> Path:
    return hub.state / "known_hosts"


async def pinned(hub, address: str, server: dict) -> list[str]:
    """The master's host keys: as pinned at the first visit, or else as it printed them on its console.

    Lines of known_hosts carry the server's UUID as their comment: another server on the address has keys of its own.
    """
    path = known_hosts(hub)
    lines = path.read_text().splitlines() if path.exists() else []
    own = [
        line.split(None, 1)[1].rsplit(None, 1)[0]
        for line in lines
        if line.startswith(f"{address} ") and line.endswith(server["id"])
    ]
    if own:
        return own
    keys = await masters.host_keys(hub.cloud, server)
    if not keys:
        raise ZeroJHubError(
            f"the console log of {server['name']} shows no SSH host key to check the master by",
            hint=f"check it yourself, then: ssh-keyscan {address} | sed 's/$/ {server['id']}/' >> {path}",
        )
    pin(hub, address, server, keys)
    return keys


def only_fingerprints(host_keys: list[str]) -> bool:
    """Some images print no whole keys on the console: enough to check by, and nothing that an ssh client can read."""
    return all(key.startswith("SHA256:") for key in host_keys)


def pin(hub, address: str, server: dict, keys: list[str]) -> None:
    """Have the server on the address known by these keys, in place of others of the address."""
    path = known_hosts(hub)
    lines = path.read_text().splitlines() if path.exists() else []
    others = [line for line in lines if not line.startswith(f"{address} ")]
    path.write_text("".join(f"{line}\n" for line in [*others, *(f"{address} {key} {server['id']}" for key in keys)]))
