"""What has become of the servers that had volumes or pods: whether it is certain that nothing writes to a volume any more.

A volume that two servers write to is destroyed. So nothing is detached, and no pod is declared dead, unless Nova says
that the server is off, or shows the cluster's other servers but not this one.
"""

from __future__ import annotations

from enum import Enum, auto

from zerojhub.doctor.subject import Subject
from zerojhub.errors import ZeroJHubError
from zerojhub.kube import kinds, nodes
from zerojhub.kube.types import Node
from zerojhub.openstack import nova


class Fate(Enum):
    """What has become of a server."""

    gone = auto()
    """It was deleted."""
    off = auto()
    """It is shut off."""
    alive = auto()
    """It runs, or nobody knows that it does not."""


async def of_server(subject: Subject, server_id: str) -> Fate:
    """The fate of the server with this ID."""
    there = await subject.all_servers()
    if server := there.get(server_id):
        return Fate.off if nova.is_off(server) else Fate.alive
    if not await _sees_the_others(subject):
        return Fate.alive
    # A list may be older than a server is.
    server = await nova.find_server(subject.cloud, server_id)
    return Fate.gone if server is None else Fate.alive


async def of_node(subject: Subject, node: Node) -> Fate:
    """The fate of a node's server. It is gone only if none has the node's name either."""
    fate = await of_server(subject, nodes.server_id(node))
    if fate is not Fate.gone:
        return fate
    # Without a provider ID, the server is only what the node's firmware says.
    known = node["spec"].get("providerID")
    return await of_name(subject, node["metadata"]["name"]) if known else Fate.alive


async def refuse_running(subject: Subject, server_id: str) -> None:
    """ZeroJHubError if the server runs by now: asked of Nova right before something is done that it would not survive."""
    server = await nova.find_server(subject.cloud, server_id)
    if server and not nova.is_off(server):
        raise ZeroJHubError(f"server {server['name']} is {server['status']} again; nothing was done about it")


async def of_name(subject: Subject, name: str) -> Fate:
    """The fate of the server that a node without an object was, by its name, which is that of its server."""
    named = [each for each in (await subject.all_servers()).values() if each["name"].lower() == name.lower()]
    if named:
        return Fate.off if all(nova.is_off(each) for each in named) else Fate.alive
    return Fate.gone if await _sees_the_others(subject) else Fate.alive


async def _sees_the_others(subject: Subject) -> bool:
    """Does the project see the servers of the nodes that are ready? If not, a missing one says nothing."""
    there = await subject.all_servers()
    ready = [nodes.server_id(each) for each in await subject.objects(kinds.NODE) if nodes.is_ready(each)]
    return bool(ready) and all(each in there for each in ready)
