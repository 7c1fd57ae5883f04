"""Volumes that are stuck, or attached to what no longer uses them.

A fix detaches a volume only from a server that is certainly off, when no pod is left there that uses it and another one
waits for it. The data stays as the server left it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from zerojhub.doctor import fate
from zerojhub.doctor.fate import Fate
from zerojhub.doctor.finding import Finding, Fix
from zerojhub.doctor.subject import Subject
from zerojhub.errors import ZeroJHubError
from zerojhub.kube import kinds
from zerojhub.kube.labels import ENDED
from zerojhub.kube.nodes import server_id
from zerojhub.kube.pods import claims_of
from zerojhub.kube.types import PersistentVolume, Pod, VolumeAttachment
from zerojhub.kube.volumes import cinder_id
from zerojhub.openstack import cinder, nova
from zerojhub.openstack.leftovers import CLUSTER_METADATA, volume_tags
from zerojhub.text import elapsed, seconds_between
from zerojhub.waiting import NotYet, wait_until

STUCK_SECONDS = 600
"""After which a volume that is still on its way between two states does not get there any more."""
DETACH_TIMEOUT = 60
"""Seconds for a volume to be detached."""

UNDER_WAY = ("creating", "attaching", "detaching", "reserved", "deleting", "extending", "downloading", "maintenance")
"""The statuses between two states."""


async def stuck(subject: Subject) -> list[Finding]:
    """Volumes that stay reserved, attaching, detaching …, or that are in an error state."""
    return [found for volume in await _own(subject) if (found := _stuck(subject, volume))]


def _stuck(subject: Subject, volume: cinder.Volume) -> Finding | None:
    status, changed = volume["status"], volume.get("updated_at") or volume["created_at"]
    seconds = seconds_between(changed, subject.cloud.volume.clock.now())
    if not status.startswith("error") and not (status in UNDER_WAY and seconds > STUCK_SECONDS):
        return None
    problem = f"it is {status}" if status.startswith("error") else f"it is {status} for {elapsed(seconds)}"
    ident = volume["id"]
    if status in ("reserved", "attaching") and not volume["attachments"]:
        # Whoever has reserved it may end that, also without being an administrator.
        attachments = subject.openstack("--os-volume-api-version 3.27 volume attachment")
        do = f"{attachments} list --volume-id {ident}; and of a server that does not use it: {attachments} delete ID"
    else:
        state = "in-use" if volume["attachments"] else "available"
        do = f"only your cloud's operators can: openstack volume set --state {state} {ident}"
    return Finding("volume", _name(volume), ident, problem, "nothing can be done with it until it is reset", do)


async def on_dead_servers(subject: Subject) -> list[Finding]:
    """Volumes that are attached to a server that is off or gone, while a pod elsewhere waits for them."""
    waiting = await _waiting(subject)
    found = []
    for volume in await _own(subject):
        for attachment in volume["attachments"]:
            server = attachment["server_id"]
            match await fate.of_server(subject, server):
                case Fate.gone:
                    found.append(_on_deleted(subject, volume, server))
                case Fate.off if volume["id"] in waiting and not await _used_on(subject, volume["id"], server):
                    found.append(_on_off(subject, volume, server, waiting[volume["id"]]))
    return found


def _on_deleted(subject: Subject, volume: cinder.Volume, server: str) -> Finding:
    return Finding(
        "volume",
        _name(volume),
        volume["id"],
        f"Cinder has it attached to server {server}, which no longer exists",
        "it cannot be attached to another server, so whoever needs it cannot start",
        f"only your cloud's operators can: openstack volume set --state available --detached {volume['id']}",
    )


def _on_off(subject: Subject, volume: cinder.Volume, server: str, pod: str) -> Finding:
    remove = subject.openstack(f"server remove volume {server} {volume['id']}")
    what = f"detach volume {volume['id']} from server {server}, which is off"
    return Finding(
        "volume",
        _name(volume),
        volume["id"],
        f"it is attached to server {server}, which is off",
        f"pod {pod} waits for it",
        f"{remove}; or start the server: {subject.openstack(f'server start {server}')}",
        Fix(what, partial(_detach, subject, volume["id"], server)),
    )


async def stale_attachments(subject: Subject) -> list[Finding]:
    """VolumeAttachments to nodes that no longer exist: they keep a volume from being attached elsewhere."""
    known = {each["metadata"]["name"] for each in await subject.objects(kinds.NODE)}
    volumes = {each["metadata"]["name"]: each for each in await subject.objects(kinds.PERSISTENT_VOLUME)}
    found = []
    for attachment in await subject.objects(kinds.VOLUME_ATTACHMENT):
        node, name = attachment["spec"]["nodeName"], attachment["metadata"]["name"]
        if node in known:
            continue
        volume = volumes.get(attachment["spec"]["source"].get("persistentVolumeName", ""))
        safe = await _holds_nothing(subject, attachment, volume)
        act = partial(_delete_attachment, subject, name)
        fix = Fix(f"delete VolumeAttachment {name} to node {node}, which no longer exists", act) if safe else None
        command = f"kubectl delete volumeattachment {name}"
        stop = "first make sure that its server is off: " + subject.openstack(f"server list --name {node}")
        found.append(
            Finding(
                "volumeattachment",
                name,
                attachment["metadata"]["uid"],
                f"it attaches {attachment['spec']['source'].get('persistentVolumeName', 'a volume')} to node {node}, "
                "which no longer exists",
                "Kubernetes does not attach the volume to another node while this one has it",
                command if safe else f"{stop}; then {command}",
                fix,
            )
        )
    return found


async def _holds_nothing(subject: Subject, attachment: VolumeAttachment, volume: PersistentVolume | None) -> bool:
    """Is it certain that no server writes to the volume because of this attachment?"""
    if await fate.of_name(subject, attachment["spec"]["nodeName"]) is Fate.alive:
        return False
    ident = cinder_id(volume) if volume else None
    there = {each["id"]: each for each in await subject.volumes()}
    record = there.get(ident or "")
    if record is None:  # deleted, or of another kind, of which nothing is known here
        return volume is None
    known = {server_id(each) for each in await subject.objects(kinds.NODE)}
    for held in record["attachments"]:
        # One that is attached to another node of the cluster by now is that node's.
        if held["server_id"] not in known and await fate.of_server(subject, held["server_id"]) is Fate.alive:
            return False
    return True


async def _own(subject: Subject) -> list[cinder.Volume]:
    """The cluster's volumes: those of its claims, and those that its servers have."""
    tags, servers = volume_tags(subject.cluster), {each["id"] for each in await subject.servers()}
    try:
        ids = {cinder_id(each) for each in await subject.objects(kinds.PERSISTENT_VOLUME)}
    except ZeroJHubError:  # the metadata says as much on most clouds; and that check reports it
        ids = set()
    return [
        each
        for each in await subject.volumes()
        if each["id"] in ids
        or each["metadata"].get(CLUSTER_METADATA) in tags
        or any(attachment["server_id"] in servers for attachment in each["attachments"])
    ]


def _name(volume: cinder.Volume) -> str:
    return volume["name"] or volume["id"]


async def _pods_of(subject: Subject, volume_id: str) -> list[Pod]:
    """The pods that use the volume, or want to."""
    claims: set[tuple[str | None, str | None]] = set()
    for volume in await subject.objects(kinds.PERSISTENT_VOLUME):
        if cinder_id(volume) == volume_id:
            reference = volume["spec"].get("claimRef", {})
            claims.add((reference.get("namespace"), reference.get("name")))
    return [
        pod
        for pod in await subject.objects(kinds.POD)
        if pod["status"]["phase"] not in ENDED
        and any((pod["metadata"].get("namespace"), name) in claims for name in claims_of(pod))
    ]


async def _used_on(subject: Subject, volume_id: str, server: str) -> bool:
    """Is there a pod on the server's node that uses the volume, even one that is being deleted?"""
    names = {each["metadata"]["name"] for each in await subject.objects(kinds.NODE) if server_id(each) == server}
    return any(pod["spec"].get("nodeName") in names for pod in await _pods_of(subject, volume_id))


async def _waiting(subject: Subject) -> dict[str, str]:
    """The volumes that pods wait for, by ID, each with the name of a pod that has not started."""
    volumes = await subject.objects(kinds.PERSISTENT_VOLUME)
    ids = [ident for each in volumes if (ident := cinder_id(each))]
    pending = {ident: _pending(await _pods_of(subject, ident)) for ident in ids}
    return {ident: name for ident, name in pending.items() if name}


def _pending(pods: Sequence[Pod]) -> str | None:
    for pod in pods:
        if pod["status"]["phase"] == "Pending" and "deletionTimestamp" not in pod["metadata"]:
            return pod["metadata"]["name"]
    return None


async def _detach(subject: Subject, volume_id: str, server: str) -> None:
    """Detach it, and have Kubernetes forget that the server's node has it."""
    await fate.refuse_running(subject, server)
    await nova.detach_volume(subject.cloud, server, volume_id)

    async def look() -> bool | NotYet:
        there = {each["id"]: each for each in await cinder.volumes(subject.cloud)}
        held = any(each["server_id"] == server for each in there[volume_id]["attachments"])
        return NotYet(f"volume {volume_id} is being detached") if held else True

    await wait_until(look, timeout=DETACH_TIMEOUT, pause=(0.5, 2))
    nodes = {each["metadata"]["name"] for each in await subject.objects(kinds.NODE) if server_id(each) == server}
    names = {
        each["metadata"]["name"]
        for each in await subject.objects(kinds.PERSISTENT_VOLUME)
        if cinder_id(each) == volume_id
    }
    for attachment in await subject.objects(kinds.VOLUME_ATTACHMENT):
        spec = attachment["spec"]
        if spec["source"].get("persistentVolumeName") in names and spec["nodeName"] in nodes:
            await _delete_attachment(subject, attachment["metadata"]["name"])


async def _delete_attachment(subject: Subject, name: str) -> None:
    await (await subject.kube()).delete(kinds.VOLUME_ATTACHMENT, name)
