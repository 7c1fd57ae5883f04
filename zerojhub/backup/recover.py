"""A hub from its backups alone: what it needs is fetched, and everybody's files are restored, before it is installed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from zerojhub.answers import Unexpected, checked
from zerojhub.backup import pod, work
from zerojhub.backup.night import HUB_NAME, STATE_KEY, result_of
from zerojhub.backup.pod import Settings
from zerojhub.backup.state import Entry, Noted
from zerojhub.data import claims, pods
from zerojhub.errors import ZeroJHubError
from zerojhub.kube.exec import execute
from zerojhub.kube.kinds import CONFIG_MAP, PERSISTENT_VOLUME_CLAIM, POD
from zerojhub.tasks import gather
from zerojhub.text import plural
from zerojhub.waiting import NotYet, wait_until

if TYPE_CHECKING:
    from zerojhub.data.reattach import Hub
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Manifest, PersistentVolumeClaim
    from zerojhub.text import Say

MARK = "zerojhub-from-backup"
"""The ConfigMap that is there until the hub has been restored: an interrupted run goes on."""
RESTORED = "zerojhub.io/restored"
"""The annotation of a claim that was created for restored files: PENDING, or the backup's ID."""
PENDING = "pending"
AT_ONCE = 3
"""Homes that are restored at the same time."""
FETCHED = f"{pod.SCRATCH}/fetched.json"


@dataclass(frozen=True)
class Fetched:
    """What the hub's last backup says."""

    time: str
    """When it was made (RFC 3339)."""
    noted: Noted
    """All that was noted then."""
    owners: list[Entry]
    """Those who had a volume."""
    secrets: Mapping[str, str] = field(repr=False)
    """With which the hub's database can be used as before."""


class Collected:
    """Takes what a program in a pod prints, which no log contains."""

    interactive = False

    def __init__(self) -> None:
        self.text = b""

    async def read(self) -> bytes:
        return b""

    def write(self, data: bytes, *, error: bool) -> None:
        self.text += b"" if error else data

    async def sizes(self) -> AsyncIterator[tuple[int, int]]:
        return
        yield


async def fetch(kube: Kube, settings: Settings, say: Say) -> Fetched:
    """Read the hub's last backup. ZeroJHubError if there is none, or the password does not open it."""
    task = {"action": "fetch", "name": HUB_NAME, "host": HUB_NAME, "at": ""}
    namespace = settings.namespace
    async with pods.running(kube, pod.worker(settings, task), say) as name:

        async def look() -> bytes | NotYet:
            there = await kube.get(POD, name, namespace)
            if there is None or there["status"]["phase"] != "Running":
                problem = result_of(dict(there)).get("problem") if there else "the pod was deleted"
                raise ZeroJHubError(f"the hub's backup cannot be read: {problem}")
            printed = Collected()
            code = await execute(kube, namespace, name, pod.CONTAINER, ["cat", FETCHED], printed)
            return printed.text if code == 0 else NotYet("reading the hub's backup")

        found = json.loads(await wait_until(look, pause=(0.5, 2), say=say))
    try:
        noted: Noted = checked(found["state"], Noted)
        secrets: dict[str, str] = checked(found["secrets"], dict[str, str])
    except (Unexpected, KeyError) as error:
        raise ZeroJHubError(f"the hub's backup does not say whose volumes there were: {error}") from None
    owners = [each for each in noted.get("owners", {}).values() if each.get("present") and each.get("user")]
    return Fetched(found["time"], noted, owners, secrets)


async def restore_everybody(
    kube: Kube, settings: Settings, hub: Hub, fetched: Fetched, say: Say, note: Callable[[str], None]
) -> int:
    """Create a claim for everybody who had one, and restore their files; how many were restored.

    Who has a claim already, from kept volumes or otherwise, keeps it as it is. Repeatable: what was interrupted is restored
    again. ZeroJHubError for the first one that fails.
    """
    limit, done = anyio.CapacityLimiter(AT_ONCE), 0
    restored = 0

    async def restore_one(entry: Entry) -> None:
        nonlocal done, restored
        async with limit:
            if await _restore(kube, settings, hub, entry, note):
                restored += 1
        done += 1
        say(f"{done} of {plural(len(fetched.owners), 'volume')}: {entry['label']}")

    say(f"restoring {plural(len(fetched.owners), 'volume')}")
    await gather(*map(restore_one, fetched.owners))
    return restored


async def _restore(kube: Kube, settings: Settings, hub: Hub, entry: Entry, note: Callable[[str], None]) -> bool:
    user, server, label = str(entry["user"]), entry.get("server", ""), entry["label"]
    name = entry.get("claim") or hub.scheme.claim(user, server)
    there = await kube.get(PERSISTENT_VOLUME_CLAIM, name, hub.namespace)
    state = restored_from(there) if there else PENDING
    if state != PENDING:
        if state is None:
            note(f"{label} has a volume already, which is left as it is")
        return False
    if there is None:
        await _create(kube, _manifest(hub, name, entry))
    if not entry.get("last_good"):
        note(f"{label} had no backup yet, and gets an empty volume")
        restored = "empty"
    else:
        result = await work.restore(kube, settings, entry["name"], label, name, _unsaid, over=True)
        restored = str(result["id"])
    await set_restored(kube, name, hub.namespace, restored)
    return True


@dataclass(frozen=True)
class Home:
    """A volume of the new hub that is to have exactly the files of a backup."""

    entry: Entry
    """Whose they are."""
    claim: str
    snapshot: str | None
    """The ID of the backup; None for the last one there is."""


async def bring_up_to_date(kube: Kube, settings: Settings, hub: Hub, homes: Sequence[Home], say: Say) -> int:
    """Have each volume have the files of its backup, and no others; how many had not. Repeatable.

    What is there already is only compared, so the second time takes little. ZeroJHubError for the first one that fails.
    """
    limit, done = anyio.CapacityLimiter(AT_ONCE), 0

    async def bring_one(home: Home) -> bool:
        nonlocal done
        async with limit:
            changed = await _bring(kube, settings, hub, home)
        done += 1
        say(f"{done} of {plural(len(homes), 'home')}: {home.entry['label']}")
        return changed

    return sum(await gather(*map(bring_one, homes)))


async def _bring(kube: Kube, settings: Settings, hub: Hub, home: Home) -> bool:
    entry, name = home.entry, home.claim
    if not await begin(kube, _manifest(hub, name, entry), home.snapshot):
        return False
    at = home.snapshot or ""
    result = await work.restore(
        kube, settings, entry["name"], entry["label"], name, _unsaid, at=at, over=True, exact=True
    )
    await set_restored(kube, name, hub.namespace, str(result["id"]))
    return True


def _manifest(hub: Hub, name: str, entry: Entry) -> Manifest:
    """The claim for what the entry's owner had."""
    return claims.manifest(hub, name, str(entry["user"]), entry.get("server", ""), entry.get("size") or "10Gi")


async def _create(kube: Kube, manifest: Manifest) -> None:
    """Create the claim, noted as incomplete."""
    manifest["metadata"]["annotations"][RESTORED] = PENDING
    await kube.create(PERSISTENT_VOLUME_CLAIM, manifest)


async def begin(kube: Kube, manifest: Manifest, snapshot: str | None) -> bool:
    """Have the claim be there, noted as incomplete. False if it has the files of that backup already, and is left so."""
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    there = await kube.get(PERSISTENT_VOLUME_CLAIM, name, namespace)
    if there is None:
        await _create(kube, manifest)
    elif snapshot and restored_from(there) == snapshot:
        return False
    elif restored_from(there) != PENDING:
        await set_restored(kube, name, namespace, PENDING)
    return True


def _unsaid(text: str) -> None:
    """What one of several that are restored at the same time is doing."""


def restored_from(claim: PersistentVolumeClaim) -> str | None:
    """The ID of the backup whose files are on its volume; PENDING until they are, None if it was not created for them."""
    return claim["metadata"].get("annotations", {}).get(RESTORED)


async def set_restored(kube: Kube, claim: str, namespace: str, snapshot: str) -> None:
    """Note on the claim what `restored_from` reads."""
    await kube.merge(PERSISTENT_VOLUME_CLAIM, claim, namespace, {"metadata": {"annotations": {RESTORED: snapshot}}})


async def note_again(kube: Kube, namespace: str, noted: Noted) -> None:
    """Have the cluster know when everybody was backed up last."""
    if await kube.get(CONFIG_MAP, pod.STATE, namespace) is None:
        meta: dict[str, Any] = {"name": pod.STATE, "namespace": namespace, "labels": pod.OURS}
        data = {STATE_KEY: json.dumps(noted)}
        await kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})


async def is_under_way(kube: Kube, namespace: str) -> bool:
    """Whether a run was interrupted."""
    return await kube.get(CONFIG_MAP, MARK, namespace) is not None


async def mark(kube: Kube, namespace: str) -> None:
    meta: dict[str, Any] = {"name": MARK, "namespace": namespace, "labels": pod.OURS}
    await kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})


async def unmark(kube: Kube, namespace: str) -> None:
    await kube.delete(CONFIG_MAP, MARK, namespace)
