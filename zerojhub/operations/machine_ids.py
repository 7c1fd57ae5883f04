"""Machine-ids that are not the UUID of the node's server: seen, and mended on every node.

Images come with one that is made up at the first boot, and Kubernetes reads it from /etc/machine-id. The autoscaler to 1.18
knows nodes by it, and cannot remove one that it takes for another server's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from zerojhub import journey
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import nodes
from zerojhub.kube.client import OURS
from zerojhub.stages import Access, Keypair
from zerojhub.tasks import gather

if TYPE_CHECKING:
    from zerojhub.journey import Hub
    from zerojhub.kube.reach import Reach
    from zerojhub.openstack.clusters import Say

FILE = "/etc/machine-id"
PATIENCE = 180
"""Seconds until Kubernetes shows what a restarted kubelet reads."""
NAME, NAMESPACE = "zerojhub-machine-id", "kube-system"
IMAGE, PAUSE = "docker.io/library/busybox:1.37", "registry.k8s.io/pause:3.10"
MEND = """\
wanted=$(tr -d - </sys/class/dmi/id/product_uuid | tr A-F a-f)
[ "$(cat /etc/machine-id)" = "$wanted" ] && exit
echo "$wanted" >/etc/machine-id
systemctl restart kubelet
"""
"""Run as root on a node: the firmware of a virtual machine tells its UUID."""


async def listed(hub: Hub) -> list[nodes.NodeRow]:
    """A row for each node."""
    (reach,) = await journey.reach(hub, Access)
    return sorted((nodes.row(node) for node in await reach.kube.list("v1/Node")), key=lambda row: row.name)


async def mend(hub: Hub, wanted: list[str], say: Say, *, keep: bool) -> list[nodes.NodeRow]:
    """Give these nodes (all when empty) their servers' machine-ids, and wait until Kubernetes shows them.

    Over SSH, or by a DaemonSet where there is none. With `keep` it is a DaemonSet that stays, for nodes that come later.
    Returns the rows of those that were mended. UserError for a node that is not there.
    """
    (reach,) = await journey.reach(hub, Access)
    there = {node["metadata"]["name"]: node for node in await reach.kube.list("v1/Node")}
    if unknown := [name for name in wanted if name not in there]:
        raise UserError(f"no node is named {', '.join(unknown)}", hint=f"there are: {', '.join(there)}")
    wrong = [node for name, node in there.items() if not nodes.fits(node) and (not wanted or name in wanted)]
    if keep or (wrong and reach.address is None):
        await reach.kube.apply(daemon_set())
        await gather(*(shown(reach, node, say) for node in wrong))
        if not keep:
            await reach.kube.delete("apps/v1/DaemonSet", NAME, NAMESPACE)
    else:
        await gather(*(mend_one(hub, reach, node, say) for node in wrong))
    names = {node["metadata"]["name"] for node in wrong}
    return [row for row in await listed(hub) if row.name in names]


async def mend_one(hub: Hub, reach: Reach, node: dict, say: Say) -> None:
    """Over SSH: the master's own connection leads to the node."""
    from zerojhub.machine.ssh import SSHMachine
    from zerojhub.stages.access import known_hosts, pinned

    key = hub[Keypair].private_key
    name, address, server = node["metadata"]["name"], nodes.address_of(node), nodes.server_id(node)
    answer = await hub.cloud.compute.find(f"/servers/{server}")
    if answer is None:
        raise ZeroJHubError(f"node {name} has no server in this project")
    machine = await SSHMachine.connect(
        "127.0.0.1",
        reach.machine.name.partition("@")[0],
        port=await reach.machine.forward(address, 22),
        host_keys=await pinned(hub, address, answer["server"]),
        key_files=[key] if key else [],
        forget=f"ssh-keygen -R {address} -f {known_hosts(hub)}",
        say=say,
    )
    try:
        say(f"node {name}: writing {FILE}")
        wanted = nodes.machine_id_of(server)
        # Written in place: the file may be a mount of its own.
        await machine.run(["tee", FILE], input=f"{wanted}\n".encode(), sudo=True)
        await machine.run(["systemctl", "restart", "kubelet"], sudo=True)
    finally:
        await machine.close()
    await shown(reach, node, say)


async def shown(reach: Reach, node: dict, say: Say) -> None:
    """Wait until Kubernetes shows the node Ready with its machine-id. ZeroJHubError when it does not."""
    name = node["metadata"]["name"]
    with anyio.move_on_after(PATIENCE):
        while True:
            now = await reach.kube.get("v1/Node", name)
            if now is None or (nodes.fits(now) and nodes.is_ready(now)):
                return
            say(f"node {name}: waiting until Kubernetes shows it")
            await anyio.sleep(1)
    raise ZeroJHubError(
        f"Kubernetes still shows another machine-id of node {name} after {PATIENCE} s",
        hint=f"is its kubelet running? zerojhub cluster ssh CLUSTER --node {name} -- systemctl status kubelet",
    )


def daemon_set() -> dict:
    """Mends each node once, masters too, and those that come later."""
    labels = {"app": NAME}
    mend = {
        "name": "mend",
        "image": IMAGE,
        # In the node's own namespaces, where its systemd answers.
        "command": ["nsenter", "--target=1", "--mount", "--uts", "--ipc", "--net", "--pid", "sh", "-c", MEND],
        "securityContext": {"privileged": True},
    }
    pod = {
        "hostPID": True,
        "automountServiceAccountToken": False,
        "tolerations": [{"operator": "Exists"}],
        "priorityClassName": "system-node-critical",
        "initContainers": [mend],
        "containers": [{"name": "pause", "image": PAUSE, "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": OURS | labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
