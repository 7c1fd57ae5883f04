"""A hub's Helm release: how it stands, how it differs from what it should be, and what an interrupted run left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zerojhub.helm import Helm, ReleaseNotFound
from zerojhub.tasks import gather

if TYPE_CHECKING:
    from zerojhub.hub.charts import ChartArchive


@dataclass(frozen=True)
class Standing:
    """A release as Helm has it now, whatever its state."""

    revision: int
    status: str
    chart: str
    description: str
    values: dict[str, Any]


async def standing(helm: Helm, name: str, namespace: str) -> Standing | None:
    """The release, or None when there is none."""
    try:
        history, values = await gather(
            helm.history(name, max_revisions=1, namespace=namespace), helm.get_values(name, namespace=namespace)
        )
    except ReleaseNotFound:
        return None
    last = history[-1]
    return Standing(int(last["revision"]), last["status"], last["chart"], last.get("description") or "", values)


def mark(chart: ChartArchive) -> str:
    """What the release's history says of the chart: its version does not tell a chart that is being worked on."""
    return f"zerojhub, chart sha256:{chart.digest[:16]}"


def difference(there: Standing, chart: ChartArchive, values: dict[str, Any]) -> str | None:
    """How the release is not what it should be. Of values, only the names: some are secret."""
    if there.status == "failed":
        return f"the release has failed: {there.description}"
    if there.status != "deployed":
        return f"the release is {there.status} since a run that was interrupted"
    wanted = f"{chart.name}-{chart.version}"
    if there.chart != wanted:
        return f"the release has chart {there.chart}, not {wanted}"
    if "sha256:" in there.description and there.description != mark(chart):
        return f"the chart {wanted} has changed"
    changed = sorted(_changes(there.values, values))
    return f"values changed: {', '.join(changed[:5])}{' …' if len(changed) > 5 else ''}" if changed else None


async def mend(helm: Helm, name: str, namespace: str, there: Standing) -> None:
    """Bring a release that was left half-way to where Helm takes an upgrade of it."""
    if there.status in ("deployed", "failed"):
        return
    history = await helm.history(name, namespace=namespace)
    good = [entry["revision"] for entry in history if entry["status"] in ("deployed", "superseded")]
    if there.status.startswith("pending-") and good:
        await helm.rollback(name, good[-1], namespace=namespace)
    else:  # it never ran, or was on its way out
        await helm.uninstall(name, namespace=namespace, wait=True)


def _changes(old: Any, new: Any, place: str = "") -> set[str]:
    """The dotted names of what differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = old.keys() | new.keys()
        return set().union(*(_changes(old.get(key), new.get(key), f"{place}.{key}".lstrip(".")) for key in keys))
    return set() if old == new else {place}
