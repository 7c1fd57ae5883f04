"""The results of `up`, `plan`, `status` and `down`: how the stages are, the hub's URL, and what to do next."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerojhub.graph import AnyStage, StageStatus
from zerojhub.openstack.leftovers import KeptVolume
from zerojhub.report.plain import print
from zerojhub.report.results import Output, show, show_line, table
from zerojhub.text import minute, plural

if TYPE_CHECKING:
    from zerojhub.backup.state import Status as Backups
    from zerojhub.data.saved import Saved
    from zerojhub.openstack.remains import Remains


def show_up(url: str | None, statuses: Sequence[StageStatus], output: Output, *, quiet: bool) -> None:
    """The hub's URL; the next step goes with the progress, so that scripts read nothing but the URL."""

    def people() -> None:
        if url:
            if not quiet:
                print(
                    "next: open the URL; `zerojhub status` checks the hub, `zerojhub down` deletes it",
                    file=sys.stderr,
                )
            print(f"url: {url}")

    show({"url": url, "ready": _is_ready(statuses), "stages": [_row(status) for status in statuses]}, output, people)


def show_plan(statuses: Sequence[StageStatus], output: Output) -> None:
    """What `up` would do."""
    rows = [
        _row(status) | {"would": "" if status.state == "found" else status.stage.description()} for status in statuses
    ]
    show({"stages": rows}, output, lambda: table(rows, ("name", "state", "would", "detail")))


def show_status(
    url: str | None,
    statuses: Sequence[StageStatus],
    drift: Sequence[str],
    output: Output,
    backups: Backups | None = None,
) -> None:
    """The state of the stages, then the URL or the next step; a failure to look is an error with a hint of its own.

    Without statuses: why the deployment cannot be compared. `backups`: how old they are, where there are some.
    """
    rows = [_row(status) for status in statuses]
    ready = bool(statuses) and _is_ready(statuses)

    def people() -> None:
        if rows:
            table(rows, ("name", "state", "detail"))
        else:
            for line in drift:
                print(f"error: {line}", file=sys.stderr)
        if backups:
            print(f"backup: {backups.line()}")
            if backups.overdue:
                print("next: zerojhub backup status")
        if url:
            print(f"url: {url}")
        if not ready and not any(status.failure for status in statuses):
            print("next: zerojhub up" if rows else "next: correct the deployment, then zerojhub up")

    result: dict[str, object] = {"url": url, "ready": ready, "stages": rows, "drift": list(drift)}
    if backups:
        result["backup"] = {
            "last_good": backups.last_good,
            "age_seconds": backups.age_seconds,
            "overdue": backups.overdue,
        }
    show(result, output, people)


def show_stages(stages: Sequence[AnyStage], output: Output) -> None:
    """The stages there are, with what each needs and does."""
    rows = [
        {"name": stage.name, "needs": ", ".join(need.name for need in stage.needs), "does": stage.description()}
        for stage in stages
    ]
    show(rows, output, lambda: table(rows, ("name", "needs", "does")))


def show_kept(kept: Sequence[KeptVolume], output: Output, left: Sequence[Remains] = ()) -> None:
    """The volumes that `down` kept, and what is left although it was to go."""

    def people() -> None:
        for each in left:
            print(f"left: {each.kind} {each.name or each.id}; delete it: {each.command}")
        if kept:
            total = sum(volume.size_gb for volume in kept)
            print(f"kept: {plural(len(kept), 'volume')}, {total} GB; the next `zerojhub up` gives them back")
            table(kept, ("owner", "size_gb", "id", "name"))
            print("delete them: zerojhub down --delete-data")

    show({"kept": list(kept), "left": list(left)}, output, people)


def show_undone(before: Saved, output: Output, *, image: bool) -> None:
    """What the hub is again, and how it stays so. `image`: only its image had changed, not its chart."""
    version = before.chart.rpartition("-")[2]
    what, stays = f"chart {before.chart}", f"set hub.version to {version}"
    if image:
        what, stays = f"image {before.image}", "set hub.image in the values to it"
    lines = [
        f"the hub has {what} and the accounts of {minute(before.time)} again",
        f"next: {stays}, or the next `zerojhub up` may upgrade it again",
    ]
    show_line(before, output, "\n".join(lines))


def show_doomed(volumes: Sequence[KeptVolume]) -> None:
    """Whose data is going to be deleted, on standard error: the question that follows is about it."""
    for volume in volumes:
        print(f"{volume.owner or volume.name}  {volume.size_gb} GB  {volume.id}", file=sys.stderr)


def _row(status: StageStatus) -> dict[str, object]:
    return {
        "name": status.stage.name,
        "state": status.state,
        "seconds": round(status.seconds, 2),
        "detail": status.detail,
    }


def _is_ready(statuses: Sequence[StageStatus]) -> bool:
    return all(status.state == "found" for status in statuses)
