"""Machine ids that differ from the UUID of the node's server: found, and corrected on every node.

Images generate one at the first boot, and Kubernetes reads it from /etc/machine-id. The cluster-autoscaler up to 1.18
identifies nodes by it, and cannot remove one whose id belongs to no server.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zerojhub.cluster.reach import host_keys, pins
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import kinds, nodes
from zerojhub.kube.client import OURS
from zerojhub.kube.nodes import NodeRow
from zerojhub.kube.reach import Reach
from zerojhub.kube.types import Node
from zerojhub.openstack import nova
from zerojhub.run import Run
from zerojhub.tasks import gather
from zerojhub.text import Say
from zerojhub.waiting import NotYet, TimedOut, wait_until

FILE = "/etc/machine-id"
RESTART_TIMEOUT = 180
"""Seconds until Kubernetes reports what a restarted kubelet has read."""
NAME, NAMESPACE = "zerojhub-machine-id", "kube-system"
IMAGE, PAUSE = "docker.io/library/busybox:1.37", "registry.k8s.io/pause:3.10"
SCRIPT = """\
wanted=$(tr -d - </sys/class/dmi/id/product_uuid | tr A-F a-f)
[ "$(cat /etc/machine-id)" = "$wanted" ] && exit
echo "$wanted" >/etc/machine-id
systemctl restart kubelet
"""
"""Runs as root on a node: the firmware of a virtual machine has its UUID."""


async def list_nodes(reach: Reach) -> list[NodeRow]:
    """All nodes, by name."""
    return _rows(await reach.kube.list(kinds.NODE))


def _rows(found: Iterable[Node]) -> list[NodeRow]:
    return sorted(map(nodes.row, found), key=lambda row: row.name)


async def fix(run: Run, reach: Reach, wanted: list[str], say: Say, *, keep: bool) -> list[NodeRow]:
    """Set the machine ids of these nodes (all when empty) to their servers' UUIDs, and wait until Kubernetes shows them.

    Over SSH, or by a DaemonSet where there is no SSH. With `keep` always by a DaemonSet, which stays for nodes added later.
    Returns the nodes that were changed, by name; without those deleted meanwhile. UserError for an unknown node.
    """
    listed = {node["metadata"]["name"]: node for node in await reach.kube.list(kinds.NODE)}
    if unknown := [name for name in wanted if name not in listed]:
        raise UserError(f"no node named {', '.join(unknown)}", hint=f"nodes: {', '.join(listed)}")
    wrong = [node for name, node in listed.items() if not nodes.matches(node) and (not wanted or name in wanted)]
    if keep or (wrong and reach.road == "api"):
        await reach.kube.apply(daemon_set())
        fixed = await gather(*(wait_until_shown(reach, node, say) for node in wrong))
        if not keep:
            await reach.kube.delete(kinds.DAEMON_SET, NAME, NAMESPACE)
    else:
        fixed = await gather(*(fix_over_ssh(run, reach, node, say) for node in wrong))
    # As each was then: an autoscaler that waited for this may already have removed some.
    return _rows(filter(None, fixed))


async def fix_over_ssh(run: Run, reach: Reach, node: Node, say: Say) -> Node | None:
    """Log in to the node through the master's connection. Returns the node as Kubernetes then shows it. Raises MachineError."""
    from zerojhub.machine.ssh import SSHMachine

    master = reach.machine
    assert isinstance(master, SSHMachine)
    name, address = node["metadata"]["name"], nodes.address_of(node)
    server = await nova.find_server(run.cloud, nodes.server_id(node))
    if server is None or address is None:
        raise ZeroJHubError(f"node {name} has no server in this project")
    machine = await SSHMachine.connect(
        "127.0.0.1",
        master.user,
        port=await master.forward(address, 22),
        host_keys=await host_keys(run, address, server),
        key=master.key,
        forget=pins(run).removal(address),
        say=say,
    )
    try:
        say(f"node {name}: writing {FILE}")
        # Written in place: the file may be a mount of its own.
        await machine.run(
            ["tee", FILE], input=f"{nodes.machine_id_of(server['id'])}\n".encode(), sudo=True, repeatable=True
        )
        await machine.run(["systemctl", "restart", "kubelet"], sudo=True, repeatable=True)
    finally:
        await machine.close()
    return await wait_until_shown(reach, node, say)


async def wait_until_shown(reach: Reach, node: Node, say: Say) -> Node | None:
    """Wait until Kubernetes shows the node as Ready with its machine id, and return it; None once it is deleted.

    ZeroJHubError when it does not.
    """
    name = node["metadata"]["name"]

    async def shown() -> Node | NotYet | None:
        now = await reach.kube.get(kinds.NODE, name)
        if now is None or (nodes.matches(now) and nodes.is_ready(now)):
            return now
        return NotYet(f"node {name}: waiting until Kubernetes shows the new machine-id")

    try:
        return await wait_until(shown, timeout=RESTART_TIMEOUT, pause=(1, 1), say=say)
    except TimedOut:
        raise ZeroJHubError(
            f"Kubernetes still shows the old machine-id of node {name} after {RESTART_TIMEOUT} s",
            hint=f"is its kubelet running? zerojhub cluster ssh CLUSTER --node {name} -- systemctl status kubelet",
        ) from None


def daemon_set() -> dict[str, Any]:
    """Corrects each node once, masters and nodes added later included."""
    labels = {"app": NAME}
    fix_once = {
        "name": "fix",
        "image": IMAGE,
        # In the node's own namespaces, where its systemd answers.
        "command": ["nsenter", "--target=1", "--mount", "--uts", "--ipc", "--net", "--pid", "sh", "-c", SCRIPT],
        "securityContext": {"privileged": True},
    }
    pod = {
        "hostPID": True,
        "automountServiceAccountToken": False,
        "tolerations": [{"operator": "Exists"}],
        "priorityClassName": "system-node-critical",
        "initContainers": [fix_once],
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
