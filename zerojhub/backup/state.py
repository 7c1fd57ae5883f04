"""What the cron job has noted: when each owner was backed up last, and whether that is too long ago."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from zerojhub.answers import Unexpected, checked
from zerojhub.backup.night import HUB_NAME, STATE_KEY
from zerojhub.backup.pod import NAME, STATE
from zerojhub.errors import ZeroJHubError
from zerojhub.kube.crons import read_schedule
from zerojhub.kube.kinds import CONFIG_MAP
from zerojhub.tasks import gather
from zerojhub.text import elapsed

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.crons import Crons
    from zerojhub.kube.types import CronJob

GRACE = timedelta(hours=6)
"""How long after its time a backup may take before it is overdue."""


class Entry(TypedDict, total=False):
    """What is noted of an owner."""

    name: str
    label: str
    user: str | None
    server: str
    claim: str | None
    size: str | None
    present: bool
    last_good: str
    tried: str
    snapshot: str
    files: int
    bytes: int
    added: int
    seconds: float
    note: str
    problem: str


class Noted(TypedDict, total=False):
    """All that is noted."""

    owners: dict[str, Entry]
    started: str | None
    ended: str | None
    problems: list[str]


@dataclass(frozen=True)
class OwnerRow:
    """An owner's last backup, as `zerojhub backup status` shows it. Times are RFC 3339."""

    owner: str
    last_good: str | None
    age_seconds: int | None
    overdue: bool
    files: int | None
    bytes: int | None
    added: int | None
    """Bytes that the last backup added to the store."""
    claim: str | None
    """None if the owner has no volume any more."""
    problem: str
    repository: str


@dataclass(frozen=True)
class Status:
    """How the backups of a deployment are."""

    to: str
    schedule: str
    next_run: str | None
    running: bool
    last_good: str | None
    """When the owner whose backup is the oldest was backed up; None if somebody has no backup yet."""
    age_seconds: int | None
    overdue: bool
    problems: list[str]
    owners: list[OwnerRow]

    def line(self) -> str:
        """In one line."""
        behind = [each.owner for each in self.owners if each.overdue]
        late = f"OVERDUE for {', '.join(behind[:5])}{' …' if len(behind) > 5 else ''}; " if self.overdue else ""
        if self.age_seconds is None:
            return f"{late}not everybody has a backup yet; next: {self.next_run}"
        return f"{late}last good backup of everybody {elapsed_days(self.age_seconds)} ago; next: {self.next_run}"


def elapsed_days(seconds: float) -> str:
    """40 s, 5 h, 3 days: how long ago something was."""
    if seconds < 7200:
        return elapsed(seconds)
    hours = seconds / 3600
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"


def decide(cron: CronJob, noted: Noted, claims: Sequence[str], to: str, now: datetime) -> Status:
    """How the backups are. `claims`: the names of the namespace's claims. `noted`: of the owners that had one."""
    schedule, created = read_schedule(cron), datetime.fromisoformat(cron["metadata"]["creationTimestamp"])
    rows = []
    for entry in sorted(noted.get("owners", {}).values(), key=lambda each: each["name"]):
        present = entry.get("claim") in claims or entry["name"] == HUB_NAME
        last = entry.get("last_good")
        since = datetime.fromisoformat(last) if last else created
        following = schedule.after(since, 1) if schedule else []
        rows.append(
            OwnerRow(
                owner=entry["label"],
                last_good=last,
                age_seconds=int((now - datetime.fromisoformat(last)).total_seconds()) if last else None,
                overdue=present and bool(following) and now > following[0] + GRACE,
                files=entry.get("files"),
                bytes=entry.get("bytes"),
                added=entry.get("added"),
                claim=entry.get("claim") if present else None,
                problem=entry.get("problem", ""),
                repository=entry["name"],
            )
        )
    counted = [each for each in rows if each.claim or each.repository == HUB_NAME]
    oldest = min((each.last_good or "" for each in counted), default="") or None
    following = schedule.after(created, 1) if schedule else []
    never = not counted and bool(following) and now > following[0] + GRACE
    coming = schedule.after(now, 1) if schedule and not cron["spec"].get("suspend") else []
    return Status(
        to=to,
        schedule=cron["spec"]["schedule"],
        next_run=coming[0].astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if coming else None,
        running=bool(cron["status"].get("active")),
        last_good=oldest,
        age_seconds=int((now - datetime.fromisoformat(oldest)).total_seconds()) if oldest else None,
        overdue=never or any(each.overdue for each in rows),
        problems=noted.get("problems") or [],
        owners=rows,
    )


async def read(kube: Kube, namespace: str) -> Noted:
    """What is noted; nothing before the first night. ZeroJHubError if it is not what the cron job writes."""
    found = await kube.get(CONFIG_MAP, STATE, namespace)
    text = (found or {}).get("data", {}).get(STATE_KEY) if found else None
    try:
        noted: Noted = checked(json.loads(text), Noted) if text else {"owners": {}}
    except (ValueError, Unexpected) as error:
        raise ZeroJHubError(
            f"ConfigMap {STATE} is not what the backups write: {error}",
            hint=f"delete it; the next backup writes it: kubectl -n {namespace} delete configmap {STATE}",
        ) from None
    return noted


async def status(crons: Crons, to: str) -> Status | None:
    """How the backups are now; None if they are not installed."""
    from zerojhub.kube.kinds import PERSISTENT_VOLUME_CLAIM

    cron, noted, claims = await gather(
        crons.kube.get(crons.kind, NAME, crons.namespace),
        read(crons.kube, crons.namespace),
        crons.kube.list(PERSISTENT_VOLUME_CLAIM, crons.namespace),
    )
    if cron is None:
        return None
    return decide(cron, noted, [each["metadata"]["name"] for each in claims], to, crons.kube.clock.now())
