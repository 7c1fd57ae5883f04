"""Ways into a cluster: SSH to its first master with a pinned host key, or its API with a kubeconfig that Magnum signs."""

from __future__ import annotations

import json
from pathlib import Path

import anyio.to_thread

from zerojhub import files
from zerojhub.errors import ZeroJHubError
from zerojhub.kube.client import Kube, KubeError, KubeUnavailable, connect
from zerojhub.kube.kinds import NAMESPACE
from zerojhub.kube.reach import Reach
from zerojhub.machine.host_keys import HostKeys, only_fingerprints
from zerojhub.machine.keys import PrivateKey
from zerojhub.machine.local import LocalMachine
from zerojhub.openstack import kubeconfig, masters
from zerojhub.openstack.magnum import Cluster
from zerojhub.openstack.nova import Server
from zerojhub.run import Run

ADMIN_KUBECONFIG = "/etc/kubernetes/admin.conf"
"""Where Magnum's drivers leave the administrator's kubeconfig on a master."""


async def by_ssh(run: Run, server: Server, address: str, user: str, key: PrivateKey) -> Reach:
    """Log in to the master, and open a tunnel to its API server on that connection.

    Raises MachineError, and ZeroJHubError when there is no host key to verify the master with.
    """
    from zerojhub.machine.ssh import SSHMachine

    keys = await host_keys(run, address, server)
    machine = await SSHMachine.connect(
        address,
        user,
        host_keys=keys,
        key=key,
        forget=pins(run).removal(address),
        say=run.say,
    )
    run.on_close(machine.close)
    if only_fingerprints(keys):
        pins(run).pin(address, server["id"], [machine.host_key])
    port = await machine.forward("127.0.0.1", 6443)

    async def connected() -> Kube:
        config = await machine.read(ADMIN_KUBECONFIG, sudo=True)
        return await anyio.to_thread.run_sync(lambda: connect(config, port))

    kube = await connected()
    kube.renew = connected
    run.on_close(kube.close)
    return Reach(machine=machine, kubeconfig=ADMIN_KUBECONFIG, kube=kube, address=address, version=await kube.version())


async def by_api(run: Run, cluster: Cluster) -> Reach:
    """Connect to the API server. The kubeconfig is made once and kept (0600), and made again when it stops working.

    Raises CloudError and KubeError.
    """
    path = own_kubeconfig(run, cluster)

    async def made() -> Kube:
        config = await kubeconfig.make(run.cloud, cluster)
        files.write(path, json.dumps(config).encode())
        return await anyio.to_thread.run_sync(lambda: connect(config))

    try:
        config = json.loads(path.read_bytes())
        if config["clusters"][0]["cluster"]["server"] != cluster.get("api_address"):
            raise KubeError("the API has another address now")
        kube = await anyio.to_thread.run_sync(lambda: connect(config))
        version = await _answering(run, kube)
    except KubeUnavailable:
        raise
    except (FileNotFoundError, ValueError, LookupError, TypeError, KubeError):
        # There is none yet, it is incomplete, or its address, its certificate or its CA is out of date.
        kube = await made()
        version = await _answering(run, kube)
    kube.renew = made
    return Reach(machine=LocalMachine(), kubeconfig=str(path), kube=kube, address=None, version=version)


async def _answering(run: Run, kube: Kube) -> str:
    """The API server's version. KubeError when it does not answer, or not to us."""
    run.on_close(kube.close)
    await kube.list(NAMESPACE)  # anyone may read the version
    return await kube.version()


def own_kubeconfig(run: Run, cluster: Cluster) -> Path:
    return run.folder / f"kubeconfig-{cluster['uuid']}.json"


def pins(run: Run) -> HostKeys:
    """The host keys of the deployment's servers."""
    return HostKeys(run.folder / "known_hosts")


async def host_keys(run: Run, address: str, server: Server) -> list[str]:
    """The server's host keys: the pinned ones, or at the first connection those that it printed on its console.

    Raises ZeroJHubError when there are none.
    """
    if keys := pins(run).pinned(address, server["id"]):
        return keys
    keys = await masters.host_keys(run.cloud, server)
    if not keys:
        raise ZeroJHubError(
            f"the console log of {server['name']} has no SSH host key to verify the server with",
            hint=f"verify it yourself, then: ssh-keyscan {address} | sed 's/$/ {server['id']}/' >> {pins(run).path}",
        )
    pins(run).pin(address, server["id"], keys)
    return keys
