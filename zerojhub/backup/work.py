"""Having a pod do something with the backups of one owner, and waiting for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zerojhub.backup import pod
from zerojhub.backup.night import HUB_NAME, node_of, result_of
from zerojhub.backup.pod import HOME, NAME, Settings, Task, Volume
from zerojhub.data import pods
from zerojhub.errors import ZeroJHubError
from zerojhub.hub.database import HUB
from zerojhub.kube.kinds import CONFIG_MAP, POD
from zerojhub.waiting import NotYet, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.text import Say

Result = dict[str, Any]


class WorkFailed(ZeroJHubError):
    """A pod could not do its task (exit code 1); `problem` is what its program says."""

    def __init__(self, doing: str, problem: str):
        super().__init__(f"{doing}: {problem}")
        self.problem = problem


async def settings_of(kube: Kube, namespace: str) -> Settings:
    """How the backups are installed. ZeroJHubError if they are not."""
    found = await kube.get(CONFIG_MAP, NAME, namespace)
    if found is None:
        raise ZeroJHubError("no backups are installed", hint="add a section backup to hub.yaml, then: zerojhub up")
    return Settings(**json.loads(found.get("data", {})["settings.json"]))


async def perform(
    kube: Kube,
    settings: Settings,
    task: Task,
    say: Say,
    *,
    doing: str,
    volume: Volume | None = None,
    line: Callable[[Any], None] | None = None,
) -> Result:
    """The result of the task, done by a pod on the node where the volume is in use. WorkFailed with what went wrong.

    `doing`: what it does, for progress. `line`: takes each line that it prints.
    """
    namespace = settings.namespace
    node = node_of(volume.claim, await kube.list(POD, namespace)) if volume else None
    async with pods.running(kube, pod.worker(settings, task, volume=volume, node=node), say) as name:

        async def look() -> Result | NotYet:
            there = await kube.get(POD, name, namespace)
            if there is None:
                raise ZeroJHubError(f"pod {name} was deleted")
            if there["status"]["phase"] in ("Running", "Pending"):
                return NotYet(doing)
            found: Result = result_of(dict(there))
            if there["status"]["phase"] != "Succeeded":
                raise WorkFailed(doing, str(found.get("problem", "the pod was stopped")))
            return found

        result = await wait_until(look, pause=(0.5, 3), say=say)
        if line:
            for text in (await kube.logs(namespace, name, pod.CONTAINER, lines=None)).splitlines():
                line(json.loads(text))
    return result


async def open_place(kube: Kube, settings: Settings, say: Say) -> None:
    """Open the place of the backups with the password. WorkFailed if it does not open, or does not respond."""
    task = {"action": "prepare", "name": HUB_NAME, "host": HUB_NAME}
    await perform(kube, settings, task, say, doing=f"opening {settings.to}")


async def restore(
    kube: Kube,
    settings: Settings,
    repository: str,
    label: str,
    claim: str,
    say: Say,
    *,
    at: str = "",
    path: str = "",
    into: str | None = None,
    over: bool,
    exact: bool = False,
) -> Result:
    """Restore the files of the owner with that label, from their repository, on the volume of that claim. WorkFailed.

    `exact`: nothing else is on the volume then, and what was written is compared with the backup.
    """
    task = {"action": "restore", "name": repository, "host": label, "at": at, "path": path, "into": into, "over": over}
    task["exact"] = exact
    doing, volume = f"restoring the files of {label}", Volume(claim, HOME, writable=True)
    return await perform(kube, settings, task, say, doing=doing, volume=volume)


async def restore_hub(kube: Kube, settings: Settings, claim: str, say: Say, *, at: str, folder: str = "") -> Result:
    """Replace the database on the hub's volume, in that folder of it. The hub must not run. WorkFailed."""
    task = {
        "action": "restore hub",
        "name": HUB_NAME,
        "host": HUB_NAME,
        "at": at,
        "path": f"{HUB}/{folder}".rstrip("/"),
    }
    volume = Volume(claim, HUB, writable=True)
    return await perform(kube, settings, task, say, doing="restoring the hub's database", volume=volume)
