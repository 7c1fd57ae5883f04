"""A hub's Helm release: what is installed, how it differs from the deployment, and recovery of an interrupted one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zerojhub.helm.client import Helm, ReleaseNotFound
from zerojhub.tasks import gather

if TYPE_CHECKING:
    from zerojhub.hub.charts import ChartArchive, ChartValues


@dataclass(frozen=True)
class InstalledRelease:
    """The newest revision of a release, whether it succeeded or not."""

    revision: int
    status: str
    """Helm's: `deployed`, `failed`, `pending-upgrade`, …"""
    chart: str
    """Name and version of the chart, such as `jupyterhub-4.4.0`."""
    description: str
    values: ChartValues = field(repr=False)
    """The values that it was installed with, secrets included."""

    def version_of(self, chart: str) -> str | None:
        """The version of the chart of that name; None if it is another one, or a variant (`+...`)."""
        match = re.fullmatch(rf"{re.escape(chart)}-(\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?)", self.chart)
        return match[1] if match else None


async def installed_release(helm: Helm, name: str, namespace: str) -> InstalledRelease | None:
    """The release; None if it does not exist. Raises HelmError."""
    try:
        history, values = await gather(
            helm.history(name, max_revisions=1, namespace=namespace), helm.get_values(name, namespace=namespace)
        )
    except ReleaseNotFound:
        return None
    last = history[-1]
    return InstalledRelease(int(last["revision"]), last["status"], last["chart"], last.get("description") or "", values)


def description_of(chart: ChartArchive) -> str:
    """The description for Helm's history. It has the chart's digest, because a chart can change without its version."""
    return f"zerojhub, chart sha256:{chart.digest[:16]}"


def difference(installed: InstalledRelease, chart: ChartArchive, values: ChartValues) -> str | None:
    """How the release differs from the chart and values; None if it does not. Values are only named: some are secret."""
    if installed.status == "failed":
        return f"the release failed: {installed.description}"
    if installed.status != "deployed":
        return f"the release is {installed.status}: an earlier run was interrupted"
    wanted = f"{chart.name}-{chart.version}"
    if installed.chart != wanted:
        return f"the release has chart {installed.chart}, not {wanted}"
    if "sha256:" in installed.description and installed.description != description_of(chart):
        return f"the chart {wanted} has changed"
    changed = sorted(_changes(installed.values, values))
    return f"values changed: {', '.join(changed[:5])}{' …' if len(changed) > 5 else ''}" if changed else None


async def recover(helm: Helm, name: str, namespace: str, installed: InstalledRelease) -> None:
    """Roll an interrupted release back, or uninstall it, so that Helm accepts an upgrade. Raises HelmError."""
    if installed.status in ("deployed", "failed"):
        return
    history = await helm.history(name, namespace=namespace)
    good = [entry["revision"] for entry in history if entry["status"] in ("deployed", "superseded")]
    if installed.status.startswith("pending-") and good:
        await helm.rollback(name, good[-1], namespace=namespace)
    else:  # it was never deployed, or is being uninstalled
        await helm.uninstall(name, namespace=namespace, wait=True)


def _changes(old: Any, new: Any, place: str = "") -> set[str]:
    """The dotted names of the values that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = old.keys() | new.keys()
        return set().union(*(_changes(old.get(key), new.get(key), f"{place}.{key}".lstrip(".")) for key in keys))
    return set() if _as_helm_prints(old) == _as_helm_prints(new) else {place}


def _as_helm_prints(value: Any) -> str:
    """JSON whose numbers are all doubles, as Helm keeps them."""
    return json.dumps(json.loads(json.dumps(value), parse_int=float), sort_keys=True)
