"""Pulling the images of a hub to the nodes of its new cluster while people still work on the old one.

The chart's own pullers do so when it is installed, and the hub is not there until they are done.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

from zerojhub.hub.charts import at
from zerojhub.kube import namespaces
from zerojhub.kube.client import OURS
from zerojhub.kube.kinds import NODE, POD
from zerojhub.kube.nodes import is_master, is_ready
from zerojhub.kube.pods import containers
from zerojhub.tasks import gather
from zerojhub.text import plural
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.hub.charts import ChartValues
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import ContainerStatus, Manifest, Pod
    from zerojhub.text import Say

LABEL = "zerojhub.io/pull"
PULL_TIMEOUT = 1800
"""Seconds for all images; the chart's pullers pull what is missing then."""
HOPELESS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
"""Why an image does not come: its registry wants a password, which only the chart's own pods have, or there is no such image."""


def images_of(values: ChartValues) -> list[str]:
    """The images that the hub and its users' servers start from. `values`: merged."""
    places = [("hub",), ("proxy", "chp"), ("singleuser",)]
    if at(values, "singleuser", "cloudMetadata", "blockWithIptables"):
        places.append(("singleuser", "networkTools"))
    named = [at(values, *place, "image") or {} for place in places]
    found = [f"{each['name']}:{each['tag']}" for each in named if each.get("name") and each.get("tag")]
    for profile in at(values, "singleuser", "profileList") or []:
        if image := at(profile, "kubespawner_override", "image"):
            found.append(str(image))
    return list(dict.fromkeys(found))


async def pull(kube: Kube, namespace: str, images: Sequence[str], say: Say) -> str:
    """Pull the images to every worker, and say in a few words what came of it. What does not come is not waited for."""
    await namespaces.ensure(kube, namespace)
    await _clean(kube, namespace)
    nodes = [each["metadata"]["name"] for each in await kube.list(NODE) if is_ready(each) and not is_master(each)]
    try:
        await gather(*(kube.create(POD, manifest(namespace, node, images)) for node in nodes))

        async def look() -> list[str] | NotYet:
            pods = await kube.list(POD, namespace, labels=LABEL)
            waiting = sorted({image for pod in pods for image in _waiting(pod)})
            return NotYet(f"pulling {', '.join(waiting)}") if waiting else _hopeless(pods)

        hopeless = await wait_until(look, timeout=PULL_TIMEOUT, pause=(0.5, 3), say=say)
    except TimedOut as late:
        return str(late)
    finally:
        with anyio.CancelScope(shield=True):
            await _clean(kube, namespace)
    done = f"{plural(len(images), 'image')} on {plural(len(nodes), 'node')}"
    return f"{done}, but not {', '.join(hopeless)}" if hopeless else done


def manifest(namespace: str, node: str, images: Sequence[str]) -> Manifest:
    """A pod on that node with a container of each image, which ends at once."""
    meta = {"name": f"zerojhub-pull-{secrets.token_hex(4)}", "namespace": namespace, "labels": OURS | {LABEL: ""}}
    spec = {
        "nodeName": node,
        "containers": [
            {"name": f"image-{number}", "image": image, "command": ["sh", "-c", "exit 0"]}
            for number, image in enumerate(images)
        ],
        "restartPolicy": "Never",
        "activeDeadlineSeconds": PULL_TIMEOUT,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def _clean(kube: Kube, namespace: str) -> None:
    """Delete the pods, also those of an earlier run."""
    for pod in await kube.list(POD, namespace, labels=LABEL):
        await kube.delete(POD, pod["metadata"]["name"], namespace)


def _waiting(pod: Pod) -> list[str]:
    """The images that may still come. A container whose program cannot be started has its image."""
    if pod["status"]["phase"] != "Pending":
        return []
    if not containers(pod):
        return [each["image"] for each in pod["spec"]["containers"]]
    return [each["image"] for each in containers(pod) if _reason(each) in ("ContainerCreating", "PodInitializing")]


def _hopeless(pods: Sequence[Pod]) -> list[str]:
    return sorted({each["image"] for pod in pods for each in containers(pod) if _reason(each) in HOPELESS})


def _reason(container: ContainerStatus) -> str | None:
    """What the container waits for, if it does."""
    return container.get("state", {}).get("waiting", {}).get("reason")
