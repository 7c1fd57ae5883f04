"""Cron jobs: the jobs that they create, when, and the state of these."""

from __future__ import annotations

import secrets
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from zerojhub.errors import UserError
from zerojhub.kube import jobs, manifests, minor, schedule
from zerojhub.kube.creation import create
from zerojhub.kube.kinds import JOB, Kind
from zerojhub.tasks import gather
from zerojhub.text import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zerojhub.kube.client import Kube
    from zerojhub.kube.reach import Reach
    from zerojhub.kube.types import CronJob, Job, Manifest
    from zerojhub.text import Say

SINCE = (1, 21)
"""The first Kubernetes with cron jobs in batch/v1. Before, they were in batch/v1beta1, with the same fields."""
ZONES_SINCE = (1, 25)
"""The first Kubernetes whose cron jobs have time zones."""
MANUAL = {"cronjob.kubernetes.io/instantiate": "manual"}
"""kubectl's annotation of a job that was not created by the schedule."""


@dataclass(frozen=True)
class CronJobRow:
    """A cron job, as `zerojhub cron list` shows it. Times are RFC 3339."""

    name: str
    schedule: str
    words: str | None
    """The schedule in words; None if it is of a form that only older versions of Kubernetes accept."""
    time_zone: str | None
    suspended: bool
    active: int
    """Running jobs."""
    last_run: str | None
    last_state: str | None
    """The state of its last job (see JobRow); None if that is gone."""
    next_run: str | None
    """None while it is suspended."""


@dataclass(frozen=True)
class Crons:
    """The cron jobs of a namespace."""

    kube: Kube
    namespace: str
    version: tuple[int, int]
    """Of Kubernetes, such as (1, 34)."""

    @classmethod
    def of(cls, reach: Reach, namespace: str) -> Crons:
        return cls(reach.kube, namespace, minor(reach.version))

    @property
    def api(self) -> str:
        return "batch/v1" if self.version >= SINCE else "batch/v1beta1"

    @property
    def kind(self) -> Kind[CronJob]:
        return Kind(f"{self.api}/CronJob")

    async def create(self, source: manifests.Source) -> CronJob:
        """Create the cron job, as `creation.create`. UserError for a time zone if the cluster does not support them."""
        if source.manifest["spec"].get("timeZone") and self.version < ZONES_SINCE:
            raise UserError(
                f"Kubernetes {self.version[0]}.{self.version[1]} does not support time zones for cron jobs",
                where=source.where("spec", "timeZone"),
                hint="give the schedule in the time zone of the cluster's masters",
            )
        given = replace(source, manifest=source.manifest | {"apiVersion": self.api})
        return await create(self.kube, self.kind, given, self.namespace)

    async def find(self, name: str) -> CronJob:
        """The cron job. UserError if there is none with that name."""
        if found := await self.kube.get(self.kind, name, self.namespace):
            return found
        names = [each["metadata"]["name"] for each in await self.kube.list(self.kind, self.namespace)]
        meant = nearest(name, names)
        hint = f"did you mean {meant!r}?" if meant else None
        raise UserError(f"no cron job named {name!r} in {self.namespace}", hint=hint)

    async def listed(self) -> list[CronJobRow]:
        crons, every = await gather(self.kube.list(self.kind, self.namespace), self.kube.list(JOB, self.namespace))
        return [_row(cron, _own(cron, every)) for cron in crons]

    async def run_of(self, name: str, run: str | None) -> Job:
        """Its job with that name, or its last one. UserError if there is none."""
        cron, every = await gather(self.find(name), self.kube.list(JOB, self.namespace))
        own = {each["metadata"]["name"]: each for each in _own(cron, every)}
        if not own:
            raise UserError(f"{name} has not run yet, or its jobs have been deleted", hint=f"zerojhub cron run {name}")
        if run and run not in own:
            raise UserError(f"{name} has no job named {run!r}", hint=f"its jobs: {', '.join(own)}")
        return own[run or list(own)[-1]]

    async def suspend(self, name: str, *, on: bool) -> CronJob:
        """Suspend the schedule, or resume it; running jobs are not affected. Returns the cron job."""
        await self.find(name)
        return await self.kube.merge(self.kind, name, self.namespace, {"spec": {"suspend": on}})

    async def run(self, name: str, environment: Mapping[str, str] | None = None) -> Job:
        """Create one of its jobs right now, as `kubectl create job --from` does, and return it.

        `environment`: more variables for its containers.
        """
        cron = await self.find(name)
        template = deepcopy(cron["spec"]["jobTemplate"])
        for container in template["spec"]["template"]["spec"]["containers"] if environment else ():
            added = [{"name": key, "value": value} for key, value in (environment or {}).items()]
            container["env"] = [*container.get("env", []), *added]
        meta = template.get("metadata", {})
        owner = {"apiVersion": self.api, "kind": "CronJob", "name": name, "uid": cron["metadata"]["uid"]}
        manifest: Manifest = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": f"{name}-{secrets.token_hex(4)}",
                "namespace": self.namespace,
                "labels": meta.get("labels", {}),
                "annotations": meta.get("annotations", {}) | MANUAL,
                "ownerReferences": [owner | {"controller": True}],
            },
            "spec": template["spec"],
        }
        return await self.kube.create(JOB, manifest)

    async def end(self, name: str, say: Say) -> None:
        """Delete those of its jobs that have not ended, with their pods, and wait until they are gone."""
        cron, every = await gather(self.find(name), self.kube.list(JOB, self.namespace))
        names = {job["metadata"]["name"] for job in _own(cron, every) if not jobs.has_ended(job)}
        for each in names:
            await self.kube.delete(JOB, each, self.namespace, dependents_first=True, wait=jobs.GRACE)
        await jobs.wait_for_pods(self.kube, self.namespace, names, say)

    async def delete(self, name: str, say: Say) -> list[str]:
        """Delete the cron job with its jobs, their pods and what was created from its file, and wait until they are gone.

        Returns the jobs' names.
        """
        cron = await self.find(name)
        names = await self._job_names(cron)
        await self.kube.delete(self.kind, name, self.namespace, dependents_first=True)
        names |= await self._job_names(cron)  # one may have been due in between
        for each in names:
            await self.kube.delete(JOB, each, self.namespace, dependents_first=True)
        await jobs.wait_for_pods(self.kube, self.namespace, names, say)
        for each in names:
            await self.kube.delete(JOB, each, self.namespace, dependents_first=True, wait=jobs.GRACE)
        await self.kube.delete(self.kind, name, self.namespace, dependents_first=True, wait=jobs.GRACE)
        return sorted(names)

    async def _job_names(self, cron: CronJob) -> set[str]:
        return {job["metadata"]["name"] for job in _own(cron, await self.kube.list(JOB, self.namespace))}


def read_schedule(cron: CronJob) -> schedule.Schedule | None:
    """Its schedule; None for a form that only older versions of Kubernetes accept."""
    try:
        return schedule.read(cron["spec"]["schedule"], cron["spec"].get("timeZone"))
    except UserError:
        return None


def next_run(cron: CronJob) -> datetime | None:
    """When the schedule creates its next job; None while it is suspended."""
    read = read_schedule(cron)
    if read is None or cron["spec"].get("suspend"):
        return None
    last = cron["status"].get("lastScheduleTime")
    created = datetime.fromisoformat(cron["metadata"]["creationTimestamp"])
    return read.next(created, datetime.fromisoformat(last) if last else None)


def _own(cron: CronJob, every: Sequence[Job]) -> list[Job]:
    """The jobs that the cron job owns, oldest first."""
    uid = cron["metadata"]["uid"]
    own = [job for job in every if any(o["uid"] == uid for o in job["metadata"].get("ownerReferences", []))]
    return sorted(own, key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))


def _row(cron: CronJob, own: Sequence[Job]) -> CronJobRow:
    spec, status, last = cron["spec"], cron["status"], own[-1] if own else None
    read, coming = read_schedule(cron), next_run(cron)
    return CronJobRow(
        name=cron["metadata"]["name"],
        schedule=spec["schedule"],
        words=read.words() if read else None,
        time_zone=spec.get("timeZone"),
        suspended=bool(spec.get("suspend")),
        active=len(status.get("active", [])),
        last_run=last["metadata"]["creationTimestamp"] if last else status.get("lastScheduleTime"),
        last_state=jobs.row(last, []).state if last else None,
        next_run=coming.isoformat(timespec="seconds").replace("+00:00", "Z") if coming else None,
    )
