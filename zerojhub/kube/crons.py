"""Cron jobs: the jobs that they make, when, and what became of them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from zerojhub.errors import UserError
from zerojhub.kube import jobs, manifests, minor, schedule
from zerojhub.kube.client import Kube
from zerojhub.kube.kinds import JOB
from zerojhub.kube.reach import Reach
from zerojhub.tasks import gather
from zerojhub.text import Say, nearest

SINCE = (1, 21)
"""The Kubernetes that cron jobs of batch/v1 came with; before, they were of batch/v1beta1, with the same fields."""
ZONES_SINCE = (1, 25)
BY_HAND = {"cronjob.kubernetes.io/instantiate": "manual"}
"""The annotation of a job that was not made by the schedule, as kubectl has it."""


@dataclass(frozen=True)
class Crons:
    """The cron jobs of a namespace."""

    kube: Kube
    namespace: str
    version: tuple[int, int]

    @classmethod
    def of(cls, reach: Reach, namespace: str) -> Crons:
        return cls(reach.kube, namespace, minor(reach.version))

    @property
    def api(self) -> str:
        return "batch/v1" if self.version >= SINCE else "batch/v1beta1"

    @property
    def kind(self) -> str:
        return f"{self.api}/CronJob"

    async def create(self, manifest: dict, path: Path | None, document: Any) -> dict:
        """Make the cron job, as `manifests.create`. UserError for a time zone that the cluster's Kubernetes knows nothing of."""
        if manifest["spec"].get("timeZone") and self.version < ZONES_SINCE:
            raise UserError(
                f"Kubernetes {self.version[0]}.{self.version[1]} knows no time zones of cron jobs",
                hint="give the schedule in the time of the cluster's masters",
            )
        return await manifests.create(self.kube, manifest | {"apiVersion": self.api}, self.namespace, path, document)

    async def find(self, name: str) -> dict:
        """The cron job. UserError when there is none of the name."""
        if found := await self.kube.get(self.kind, name, self.namespace):
            return found
        names = [each["metadata"]["name"] for each in await self.kube.list(self.kind, self.namespace)]
        meant = nearest(name, names)
        hint = f"did you mean {meant!r}?" if meant else None
        raise UserError(f"no cron job named {name!r} in {self.namespace}", hint=hint)

    async def listed(self) -> list[dict[str, Any]]:
        """A row for each: name, schedule, words, time_zone, suspended, active, last_run, last_state, next_run."""
        crons, made = await gather(self.kube.list(self.kind, self.namespace), self.kube.list(jobs.KIND, self.namespace))
        return [_row(cron, _own(cron, made)) for cron in crons]

    async def run_of(self, name: str, run: str | None) -> dict:
        """Its job of that name, or its last one. UserError when there is none."""
        cron, made = await gather(self.find(name), self.kube.list(jobs.KIND, self.namespace))
        own = {each["metadata"]["name"]: each for each in _own(cron, made)}
        if not own:
            raise UserError(f"{name} has not run yet, or its jobs are gone", hint=f"zerojhub cron run {name}")
        if run and run not in own:
            raise UserError(f"no job of {name} is named {run!r}", hint=f"there are: {', '.join(own)}")
        return own[run or list(own)[-1]]

    async def suspend(self, name: str, *, on: bool) -> dict:
        """Have the schedule make no more jobs, or make them again. Jobs that run go on. Returns the cron job."""
        await self.find(name)
        return await self.kube.merge(self.kind, name, self.namespace, {"spec": {"suspend": on}})

    async def run(self, name: str) -> dict:
        """Make a job of it now, as `kubectl create job --from` does. Returns the job."""
        cron = await self.find(name)
        template = cron["spec"]["jobTemplate"]
        given = template.get("metadata", {})
        owner = {"apiVersion": self.api, "kind": "CronJob", "name": name, "uid": cron["metadata"]["uid"]}
        manifest = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": f"{name}-{secrets.token_hex(4)}",
                "namespace": self.namespace,
                "labels": given.get("labels", {}),
                "annotations": given.get("annotations", {}) | BY_HAND,
                "ownerReferences": [owner | {"controller": True}],
            },
            "spec": template["spec"],
        }
        return await self.kube.create(JOB, manifest)

    async def delete(self, name: str, say: Say) -> list[str]:
        """Delete the cron job with its jobs and their pods, and wait until they are gone. Returns the jobs' names."""
        cron = await self.find(name)
        names = await self._names_of(cron)
        await self.kube.delete(self.kind, name, self.namespace, wait=jobs.GRACE)
        names |= await self._names_of(cron)  # one that was due in between
        for each in names:
            await self.kube.delete(jobs.KIND, each, self.namespace, wait=jobs.GRACE)
        await jobs.wait_for_pods(self.kube, self.namespace, names, say)
        return sorted(names)

    async def _names_of(self, cron: dict) -> set[str]:
        return {job["metadata"]["name"] for job in _own(cron, await self.kube.list(jobs.KIND, self.namespace))}


def read_schedule(cron: dict) -> schedule.Schedule | None:
    """Its schedule; None for what older versions of Kubernetes took and do not explain."""
    try:
        return schedule.read(cron["spec"]["schedule"], cron["spec"].get("timeZone"))
    except UserError:
        return None


def next_run(cron: dict) -> datetime | None:
    """When the schedule makes its next job; None while it is suspended."""
    read = read_schedule(cron)
    if read is None or cron["spec"].get("suspend"):
        return None
    made, last = cron["metadata"]["creationTimestamp"], cron.get("status", {}).get("lastScheduleTime")
    moments = [datetime.fromisoformat(each) if each else None for each in (made, last)]
    return read.next(*moments)


def _own(cron: dict, made: list[dict]) -> list[dict]:
    """The jobs that the cron job owns, the oldest first."""
    uid = cron["metadata"]["uid"]
    own = [job for job in made if any(o["uid"] == uid for o in job["metadata"].get("ownerReferences", []))]
    return sorted(own, key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))


def _row(cron: dict, own: list[dict]) -> dict[str, Any]:
    last = jobs.standing(own[-1], []) if own else None
    read, coming = read_schedule(cron), next_run(cron)
    return {
        "name": cron["metadata"]["name"],
        "schedule": cron["spec"]["schedule"],
        "words": read and read.words(),
        "time_zone": cron["spec"].get("timeZone"),
        "suspended": bool(cron["spec"].get("suspend")),
        "active": len(cron.get("status", {}).get("active", [])),
        "last_run": own[-1]["metadata"]["creationTimestamp"] if own else cron.get("status", {}).get("lastScheduleTime"),
        "last_state": last and last.state,
        "next_run": coming and coming.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
