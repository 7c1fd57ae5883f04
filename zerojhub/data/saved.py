"""The hub's database as it was before the last upgrade of its chart or image, beside the current one on the hub's volume."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub.data import pods
from zerojhub.errors import ZeroJHubError
from zerojhub.hub import database
from zerojhub.hub.database import HUB
from zerojhub.hub.pods import claim_of, deployment, image_of
from zerojhub.hub.standstill import standstill
from zerojhub.kube.client import OURS
from zerojhub.kube.kinds import CONFIG_MAP, POD

if TYPE_CHECKING:
    from zerojhub.helm.client import Helm
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Deployment
    from zerojhub.text import Say

NAME = "zerojhub-before-upgrade"
"""The ConfigMap that says what was saved."""
FILE = "before-upgrade.sqlite"
"""The copy, on the hub's volume."""


@dataclass(frozen=True)
class Saved:
    """What the hub was before its last upgrade."""

    chart: str
    """Name and version, such as `jupyterhub-3.3.8`."""
    revision: int
    """Of the Helm release."""
    time: str
    """When it was saved (RFC 3339)."""
    image: str = ""
    """The hub's, with its tag; empty if an earlier zerojhub has saved it."""


async def save(kube: Kube, namespace: str, release: str, chart: str, revision: int, say: Say) -> bool:
    """Save the database of the hub, which may run. False if it is not on a volume. ZeroJHubError if it cannot be saved."""
    hub = await deployment(kube, namespace, release)
    claim = claim_of(hub)
    if claim is None:
        return False
    await _run(kube, hub, release, claim, "save", say)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    data = {key: str(value) for key, value in asdict(Saved(chart, revision, now, image_of(hub))).items()}
    meta = {"name": NAME, "namespace": namespace, "labels": OURS}
    await kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
    return True


async def saved(kube: Kube, namespace: str) -> Saved | None:
    """What was saved; None if nothing was."""
    found = await kube.get(CONFIG_MAP, NAME, namespace)
    data = found.get("data", {}) if found else {}
    try:
        return Saved(data["chart"], int(data["revision"]), data["time"], data.get("image", ""))
    except (KeyError, ValueError):
        return None


async def put_back(kube: Kube, helm: Helm, namespace: str, release: str, before: Saved, say: Say) -> None:
    """Have the hub be as it was before its last upgrade: the release, and the database. It stops meanwhile.

    ZeroJHubError if the database cannot be put back: then the release is as it is. Raises HelmError and TimedOut.
    """
    hub = await deployment(kube, namespace, release)
    claim = claim_of(hub)
    async with standstill(kube, namespace, release, say):
        if claim:
            await _run(kube, hub, release, claim, "put-back", say)
        say(f"helm rollback {release} {before.revision}")
        await helm.rollback(release, before.revision, namespace=namespace)
    await kube.delete(CONFIG_MAP, NAME, namespace)


async def _run(kube: Kube, hub: Deployment, release: str, claim: str, action: str, say: Say) -> None:
    """Run the program in a pod on the hub's node."""
    namespace = hub["metadata"]["namespace"]
    running = await kube.list(POD, namespace, labels=f"release={release},component=hub")
    node = next((each["spec"]["nodeName"] for each in running if each["spec"].get("nodeName")), None)
    program = Path(database.__file__).read_text()
    pod = pods.manifest(
        namespace,
        image_of(hub),
        ["python3", "-c", program, action, FILE],
        {HUB: claim},
        writable=[HUB],
        node=node,
    )
    doing = {"save": "saving the hub's database", "put-back": "putting the hub's database back"}[action]
    async with pods.running(kube, pod, say) as name:
        try:
            await pods.finished(kube, namespace, name, doing, say)
        except pods.PodFailed as error:
            raise ZeroJHubError(f"{doing}: {error.message}") from None
