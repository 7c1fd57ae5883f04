"""The program of the cron job: backs up the hub and every user, each in a pod of its own, and notes how it went.

A volume can be mounted on one node only. So the pod of a home that is in use is put on the node that has it; and where a server
is to start on another node, the pod that has its volume gives way, and the backup is made again later.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from zerojhub.backup import pod
from zerojhub.backup.pod import HOME, Settings, Volume
from zerojhub.hub.database import HUB
from zerojhub.hub.names import HUB_CLAIM, escape, unescape
from zerojhub.kube.labels import ENDED, SERVERNAME, USER_STORAGE, USERNAME

Object = dict[str, Any]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CHECK = "zerojhub-check"
"""The user of `zerojhub hub check`, who has no files."""
HUB_NAME = "hub"
"""The repository of the hub."""
AT_ONCE = 3
"""Pods that run at the same time."""
ATTEMPTS = 3
"""How often the backup of one owner is tried."""
PAUSE = 2.0
"""Seconds between two looks."""
LATER = 60.0
"""Seconds until a backup that gave way, or failed, is tried again."""
START = 600.0
"""Seconds for a pod to start."""
API_ATTEMPTS = 6
ONLY = "ONLY"
"""The variable with the repositories to back up to, separated by commas."""


class ApiError(Exception):
    """Kubernetes refused a request, or did not answer."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Api:
    """What is used of the Kubernetes API, in one namespace. Raises ApiError."""

    def __init__(self, namespace: str, url: str, token: Path, authority: Path):
        self._url, self._namespace, self._token = url, namespace, token
        self._tls = ssl.create_default_context(cafile=str(authority))

    @classmethod
    def here(cls, namespace: str) -> Api:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        host = f"[{host}]" if ":" in host else host
        return cls(namespace, f"https://{host}:{port}", ACCOUNT / "token", ACCOUNT / "ca.crt")

    def pods(self) -> list[Object]:
        return list(self._request("GET", "pods")["items"])

    def claims(self) -> list[Object]:
        return list(self._request("GET", "persistentvolumeclaims")["items"])

    def create(self, manifest: Object) -> None:
        """Create a pod. One that is there already was created by a request whose answer was lost."""
        try:
            self._request("POST", "pods", manifest)
        except ApiError as error:
            if error.status != 409:
                raise

    def delete(self, name: str) -> None:
        try:
            self._request("DELETE", f"pods/{name}")
        except ApiError as error:
            if error.status != 404:
                raise

    def state(self) -> Object:
        """What was noted."""
        return read_state(self._request("GET", f"configmaps/{pod.STATE}"))

    def note(self, state: Object) -> None:
        self._request("PATCH", f"configmaps/{pod.STATE}", {"data": {STATE_KEY: json.dumps(state)}})

    def _request(self, method: str, path: str, body: Object | None = None) -> Object:
        request = urllib.request.Request(
            f"{self._url}/api/v1/namespaces/{self._namespace}/{path}",
            data=json.dumps(body).encode() if body is not None else None,
            method=method,
        )
        request.add_header("Authorization", f"Bearer {self._token.read_text()}")
        request.add_header("Content-Type", "application/merge-patch+json" if method == "PATCH" else "application/json")
        for attempt in range(1, API_ATTEMPTS + 1):
            try:
                with urllib.request.urlopen(request, timeout=30, context=self._tls) as answer:
                    found: Object = json.load(answer)
                return found
            except urllib.error.HTTPError as error:
                if attempt == API_ATTEMPTS or (error.code < 500 and error.code != 429):
                    raise ApiError(error.code, error.read().decode(errors="replace")[:300]) from None
            except (OSError, ValueError) as error:
                if attempt == API_ATTEMPTS:
                    raise ApiError(0, str(error)) from None
            time.sleep(2**attempt)
        raise AssertionError


STATE_KEY = "state.json"


def read_state(config_map: Object) -> Object:
    """What a ConfigMap has noted."""
    text = (config_map.get("data") or {}).get(STATE_KEY)
    return json.loads(text) if text else {"owners": {}}


@dataclass(frozen=True)
class Owner:
    """Whose backups are in a repository."""

    name: str
    """Of the repository."""
    label: str
    """The user, with the name of a named server, or `hub`."""
    user: str | None
    server: str
    claim: str | None
    size: str | None
    """Of the volume, such as `10Gi`."""


def owner_of(user: str, server: str, claim: str | None = None, size: str | None = None) -> Owner:
    """A user's server."""
    name = "--".join(["user", escape(user), *([escape(server)] if server else [])])
    if len(name) > 200:
        name = f"user--{hashlib.sha256(name.encode()).hexdigest()}"
    return Owner(name, f"{user} (server {server})" if server else user, user, server, claim, size)


def owners(claims: Sequence[Object], *, database: bool) -> tuple[list[Owner], list[str]]:
    """Whose volumes there are, the hub first, and what cannot be backed up. `database`: the hub's is on its volume."""
    found: dict[str, Owner] = {}
    problems: list[str] = []
    hub: Owner | None = Owner(HUB_NAME, HUB_NAME, None, "", None, None)
    for claim in sorted(claims, key=lambda each: str(each["metadata"]["creationTimestamp"]), reverse=True):
        meta, name = claim["metadata"], claim["metadata"]["name"]
        if claim["status"].get("phase") != "Bound" or "deletionTimestamp" in meta:
            continue
        size = claim["status"].get("capacity", {}).get("storage")
        labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
        if name == HUB_CLAIM or name.endswith(f"-{HUB_CLAIM}"):
            hub = Owner(HUB_NAME, HUB_NAME, None, "", name if database else None, size)
            continue
        user = annotations.get(USERNAME)
        if user is None and labels.get("component") == USER_STORAGE:
            user = unescape(name[len("claim-") :]) if name.startswith("claim-") else name
        if not user or user == CHECK:
            continue
        owner = owner_of(user, annotations.get(SERVERNAME, ""), name, size)
        if owner.name in found:
            problems.append(f"{owner.label} has two claims, and {name} is not backed up")
            continue
        found[owner.name] = owner
    return [*([hub] if hub else []), *sorted(found.values(), key=lambda each: each.name)], problems


@dataclass
class Work:
    """A backup that is to be made, or is being made."""

    owner: Owner
    attempts: int = 0
    not_before: float = 0.0
    pod: str = ""
    node: str | None = None
    since: float = 0.0


@dataclass
class Night:
    """One run of the cron job."""

    api: Api
    settings: Settings
    me: Mapping[str, str]
    """Name and uid of this pod."""
    only: Sequence[str] = ()
    """The repositories to back up to; empty for all."""
    state: Object = field(default_factory=dict)
    failed: int = 0

    def run(self) -> int:
        """The exit code: 1 if somebody has no new backup."""
        self._wait_for_turn()
        every, problems = owners(self.api.claims(), database=self.settings.database)
        self.state = self.api.state()
        self._note_owners(every)
        wanted = [each for each in every if not self.only or each.name in self.only]
        if not wanted:
            print("there is no volume any more", flush=True)
            return 1
        for problem in problems:
            print(problem, flush=True)
        self.state |= {"started": now(), "ended": None, "problems": problems}
        self._save()
        self._work([Work(each) for each in sorted(wanted, key=self._last_good)])
        self.state["ended"] = now()
        self._save()
        print(f"{len(wanted) - self.failed} of {len(wanted)} backed up", flush=True)
        return 1 if self.failed or problems else 0

    def _last_good(self, owner: Owner) -> tuple[bool, str]:
        """The hub first; then those whose last backup is the oldest, so that nobody is always cut off."""
        return owner.name != HUB_NAME, self.state["owners"][owner.name].get("last_good") or ""

    def _note_owners(self, every: Sequence[Owner]) -> None:
        """Who there is, before anything is backed up: the hub's backup contains it."""
        known = self.state.setdefault("owners", {})
        for entry in known.values():
            entry["present"] = False
        for owner in every:
            known[owner.name] = known.get(owner.name, {}) | asdict(owner) | {"present": True}

    def _save(self) -> None:
        self.api.note(self.state)

    def _wait_for_turn(self) -> None:
        """Wait until no other run of the cron job that was created earlier is there."""
        said = False
        while True:
            nights = [each for each in self.api.pods() if role(each) == "night" and not has_ended(each)]
            own = next((each for each in nights if each["metadata"]["uid"] == self.me["uid"]), None)
            if own is None or not any(_age(each) < _age(own) for each in nights):
                return
            if not said:
                print("waiting for another backup", flush=True)
                said = True
            time.sleep(5)

    def _work(self, queue: list[Work]) -> None:
        running: list[Work] = []
        total, done = len(queue), 0
        while queue or running:
            pods = {each["metadata"]["name"]: each for each in self.api.pods()}
            for work in list(running):
                outcome = self._look(work, pods)
                if outcome is None:
                    continue
                running.remove(work)
                self.api.delete(work.pod)
                if outcome.get("again") and work.attempts < ATTEMPTS:
                    work.not_before = time.monotonic() + LATER
                    queue.append(work)
                    print(f"{work.owner.label}: {outcome['problem']}; later again", flush=True)
                    continue
                done += 1
                self._record(work, outcome)
                print(f"{done} of {total}: {_line(work.owner, outcome)}", flush=True)
            for work in list(queue):
                if len(running) < AT_ONCE and work.not_before <= time.monotonic():
                    queue.remove(work)
                    self._start(work, pods)
                    running.append(work)
            if queue or running:
                time.sleep(PAUSE)

    def _start(self, work: Work, pods: Mapping[str, Object]) -> None:
        owner = work.owner
        work.attempts, work.since = work.attempts + 1, time.monotonic()
        work.node = node_of(owner.claim, pods.values()) if owner.claim else None
        others = (each for each in pods.values() if role(each) == "worker" and not has_ended(each))
        task = task_of(self.settings, owner) | {"alone": all(repository(each) != owner.name for each in others)}
        volume = Volume(owner.claim, HOME if owner.user is not None else HUB) if owner.claim else None
        manifest = pod.worker(self.settings, task, volume=volume, node=work.node, owner=self.me)
        work.pod = manifest["metadata"]["name"]
        self.api.create(manifest)

    def _look(self, work: Work, pods: Mapping[str, Object]) -> Object | None:
        """What became of it; None while it runs."""
        there = pods.get(work.pod)
        if there is None:
            return {"problem": "its pod was deleted", "again": True}
        if there["status"].get("phase") == "Succeeded":
            return {"problem": "its pod left no result"} | result_of(there)
        if there["status"].get("phase") == "Failed":
            return {"problem": "its pod was stopped"} | result_of(there) | {"again": True}
        here = there["spec"].get("nodeName")
        for other in pods.values():
            elsewhere = other["spec"].get("nodeName") not in (None, here)
            wants_it = not has_ended(other) and role(other) != "worker" and work.owner.claim in claims_of(other)
            if here and elsewhere and wants_it:
                return {"problem": "it gave way to the user's server", "again": True}
        if there["status"].get("phase") == "Pending" and time.monotonic() - work.since > START:
            return {"problem": f"its pod did not start within {START:.0f} s", "again": True}
        return None

    def _record(self, work: Work, outcome: Object) -> None:
        entry = self.state["owners"][work.owner.name]
        entry["tried"] = now()
        if "snapshot" in outcome:
            kept = {key: outcome.get(key) for key in ("snapshot", "files", "bytes", "added", "seconds", "note")}
            entry |= kept | {"last_good": now(), "problem": ""}
        else:
            self.failed += 1
            entry["problem"] = outcome["problem"]
        self._save()


def task_of(settings: Settings, owner: Owner) -> Object:
    """What a pod is to do to back it up."""
    tags = [f"deployment={settings.deployment}", f"chart={settings.chart}", f"claim={owner.claim or ''}"]
    task: Object = {"name": owner.name, "host": owner.label, "keep": dict(settings.keep), "tags": tags}
    if owner.user is None:
        return task | {"action": "back up hub", "database": owner.claim is not None}
    return task | {"action": "back up"}


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")  # noqa: UP017 (older Pythons)


def role(of: Object) -> str:
    return str((of["metadata"].get("labels") or {}).get(pod.ROLE, ""))


def repository(of: Object) -> str:
    return str((of["metadata"].get("annotations") or {}).get(pod.REPOSITORY, ""))


def has_ended(of: Object) -> bool:
    return of["status"].get("phase") in ENDED


def claims_of(of: Object) -> list[str]:
    volumes = of["spec"].get("volumes") or []
    return [each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each]


def node_of(claim: str, pods: Any) -> str | None:
    """The node of a pod that uses the claim."""
    using = (each for each in pods if claim in claims_of(each) and not has_ended(each))
    return next((each["spec"]["nodeName"] for each in using if each["spec"].get("nodeName")), None)


def result_of(ended: Object) -> Object:
    """What its program has left behind."""
    for container in ended["status"].get("containerStatuses") or []:
        terminated = container.get("state", {}).get("terminated", {})
        if terminated.get("reason") == "OOMKilled":
            return {"problem": "it needs more memory than backup.memory allows"}
        message = terminated.get("message") or ""
        try:
            found = json.loads(message)
        except ValueError:
            return {"problem": " ".join(message.split())[-300:]} if message else {}
        return found if isinstance(found, dict) else {}
    reason = ended["status"].get("message") or ended["status"].get("reason")
    return {"problem": str(reason)} if reason else {}


def _age(of: Object) -> tuple[str, str]:
    return str(of["metadata"]["creationTimestamp"]), str(of["metadata"]["uid"])


def _line(owner: Owner, outcome: Object) -> str:
    if "snapshot" not in outcome:
        return f"{owner.label}: {outcome['problem']}"
    new = f"{outcome['files']} files, {outcome['added'] / 2**20:.1f} MB new, {outcome['seconds']} s"
    return f"{owner.label}: {new}" + (f" ({outcome['note']})" if outcome.get("note") else "")


def main() -> int:
    settings = Settings(**json.loads((Path(pod.LIBRARY) / "settings.json").read_text()))
    me = {"name": os.environ["POD_NAME"], "uid": os.environ["POD_UID"]}
    try:
        only = [each for each in os.environ.get(ONLY, "").split(",") if each]
        return Night(Api.here(settings.namespace), settings, me, only).run()
    except ApiError as error:
        print(f"Kubernetes: {error}", flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
