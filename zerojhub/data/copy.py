"""Copying a user's files into a folder on another user's volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerojhub.data import pods
from zerojhub.errors import ZeroJHubError

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.text import Say

SCRIPT = """
set -eu
target="/to/$FOLDER" partial="/to/.$FOLDER.partial"
if [ -e "$target" ]; then echo "the folder is there already"; exit 1; fi
rm -rf "$partial"
needed=$(du -sk /from | cut -f1) free=$(df -k --output=avail /to | tail -n 1)
if [ "$needed" -gt "$free" ]; then echo "it needs $((needed / 1024)) MB, and $((free / 1024)) MB are free"; exit 1; fi
mkdir "$partial"
cp -a /from/. "$partial/"
rm -rf "$partial/lost+found"
mv "$partial" "$target"
sync
printf %s "$needed" > /dev/termination-log
"""
"""Nobody sees a folder that is not complete."""


@dataclass(frozen=True)
class Copied:
    """What was copied."""

    source: str
    target: str
    folder: str
    """Its name in the target's home."""
    kilobytes: int


async def copy(
    kube: Kube, namespace: str, image: str, source: tuple[str, str], target: tuple[str, str], say: Say
) -> Copied:
    """Copy everything on a volume to the folder `from-USER` on another, with modes, times and links.

    `source`, `target`: user and claim, which no pod uses. ZeroJHubError if there is not enough room, or the folder exists.
    """
    folder = f"from-{source[0]}"
    await pods.refuse_if_used(kube, namespace, [source[1], target[1]])
    mounts = {"/from": source[1], "/to": target[1]}
    environment = {"FOLDER": folder}
    pod = pods.manifest(namespace, image, ["sh", "-c", SCRIPT], mounts, writable=["/to"], environment=environment)
    async with pods.running(kube, pod, say) as name:
        try:
            kilobytes = await pods.finished(kube, namespace, name, f"copying the files of {source[0]}", say)
        except pods.PodFailed as error:
            raise ZeroJHubError(f"cannot copy to folder {folder} of {target[0]}: {error.message}") from None
    return Copied(source[0], target[0], folder, int(kilobytes))
