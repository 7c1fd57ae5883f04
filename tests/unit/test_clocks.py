"""What this machine takes for the time may be an hour early or late: nothing that is compared with a server's time changes."""

from __future__ import annotations

import datetime
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.unit.authority import Authority
from tests.unit.fakecloud import PROJECT, Answer, FakeCloud
from tests.unit.kubernetes import Cluster as FakeKube
from tests.unit.test_kube_client import ask, secure, tls_server, version
from zerojhub import clocks, retry
from zerojhub.backup import pod, state
from zerojhub.clocks import Clock
from zerojhub.cluster import creation
from zerojhub.data import kept
from zerojhub.data.owner import KEPT, Owner
from zerojhub.kube import jobs
from zerojhub.kube.client import Kube, KubeError
from zerojhub.kube.crons import Crons
from zerojhub.openstack import cinder, stacks
from zerojhub.openstack.session import Cloud

VOLUMES = f"/volume/v3/{PROJECT}/volumes"


@pytest.fixture(params=[timedelta(hours=-1), timedelta(hours=1)], ids=["an hour early", "an hour late"])
def server_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[datetime.datetime]:
    """The time of all servers, which is an hour away from this machine's."""
    theirs = datetime.datetime.now(UTC) + request.param

    def date(self: Any, timestamp: float | None = None) -> str:
        return format_datetime(theirs, usegmt=True)

    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", date)
    yield theirs


def told(time: datetime.datetime) -> Clock:
    clock = Clock()
    clock.hear({"Date": format_datetime(time, usegmt=True)})
    return clock


def text(time: datetime.datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def near(one: datetime.datetime, other: datetime.datetime) -> bool:
    return abs(one - other) < timedelta(minutes=5)


def test_a_clock_goes_on_from_what_it_heard_last(monkeypatch):
    seconds = [10.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    clock = told(datetime.datetime(2020, 1, 1, tzinfo=UTC))
    seconds[0] += 90
    assert clock.now() == datetime.datetime(2020, 1, 1, 0, 1, 30, tzinfo=UTC)
    clock.hear({})
    clock.hear({"Date": "soon"})
    assert clock.now() == datetime.datetime(2020, 1, 1, 0, 1, 30, tzinfo=UTC)


def test_without_a_date_it_is_this_machines_clock():
    assert near(Clock().now(), datetime.datetime.now(UTC))


def test_a_volume_is_kept_at_cinders_time(fake_cloud: FakeCloud, server_time):
    """Of several volumes of one user, the one that was kept last is given back, whichever machine kept it."""
    fake_cloud.answer(f"GET {VOLUMES}/detail", Answer(200, {"volumes": []}))
    fake_cloud.answer(f"POST {VOLUMES}/v1/metadata", Answer(200, {}))

    async def keep() -> None:
        cloud = Cloud("fake")
        await cinder.volumes(cloud)
        await kept.mark(cloud, "v1", Owner("class", "", "class", "ben"))

    anyio.run(keep)
    [request] = [each for each in fake_cloud.requests if each.method == "POST"]
    assert near(datetime.datetime.fromisoformat(request.body["metadata"][KEPT]), server_time)


def test_a_resource_is_late_by_heats_clock(monkeypatch, server_time):
    cloud = Cloud("fake")
    cloud.orchestration.clock = told(server_time)

    def resource(name: str, minutes: float) -> Any:
        since = text(server_time - timedelta(minutes=minutes))
        return {"resource_name": name, "resource_status": "CREATE_IN_PROGRESS", "updated_time": since, "links": []}

    async def of(*_: object) -> list[Any]:
        return [{}]

    async def resources(*_: object, **options: object) -> list[Any]:
        return [resource("network", 0.1), resource("kube-master", 6)]

    monkeypatch.setattr(stacks, "of", of)
    monkeypatch.setattr(stacks, "resources_of", resources)
    cluster: Any = {}
    assert anyio.run(creation.current_progress, cloud, cluster).endswith("now kube-master (6 min 00 s, late), network")


def test_the_age_of_backups_is_by_the_clusters_clock(server_time):
    last = text(server_time - timedelta(hours=8))
    cron = {
        "metadata": {"name": pod.NAME, "namespace": "hub", "creationTimestamp": text(server_time - timedelta(days=9))},
        "spec": {"schedule": f"{(server_time - timedelta(hours=8, minutes=5)).minute} * * * *"},
        "status": {},
    }
    kube = FakeKube(CronJob=[cron], ConfigMap=[], PersistentVolumeClaim=[])
    kube.clock = told(server_time)
    noted: Any = {"owners": {"hub": {"name": "hub", "label": "hub", "claim": None, "last_good": last}}}

    async def read(*_: object) -> Any:
        return noted

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(state, "read", read)
        found = anyio.run(state.status, Crons(kube, "hub", (1, 34)), "s3:x")
    assert found
    assert abs((found.age_seconds or 0) - 8 * 3600) < 60


def test_how_long_a_job_runs_is_by_the_clusters_clock(server_time):
    job = {
        "metadata": {"name": "crunch", "namespace": "hub", "creationTimestamp": text(server_time)},
        "spec": {"completions": 1, "parallelism": 1},
        "status": {"startTime": text(server_time - timedelta(seconds=40)), "active": 1},
    }
    kube = FakeKube(Job=[job], Pod=[], Event=[], PersistentVolumeClaim=[], Node=[])
    kube.clock = told(server_time)
    [row] = anyio.run(jobs.listed, kube, "hub")
    assert 39 <= row.seconds < 60


def test_a_client_of_kubernetes_hears_its_clock(tmp_path: Path, server_time):
    authority = Authority()

    async def now(kube: Kube) -> datetime.datetime:
        await kube.version()
        return kube.clock.now()

    with tls_server(authority, "127.0.0.1", tmp_path) as server:
        assert near(ask(secure(authority, f"https://127.0.0.1:{server.port}"), now), server_time)


def test_retry_after_a_date_is_a_time_from_the_answers_own_date(server_time):
    def seconds(after: timedelta) -> float | None:
        headers = {"Date": format_datetime(server_time, usegmt=True)}
        headers["Retry-After"] = format_datetime(server_time + after, usegmt=True)
        fault = retry.of_status("compute", 503, headers)
        assert fault
        return fault.retry_after

    assert seconds(timedelta(seconds=7)) == 7
    assert seconds(timedelta(seconds=-7)) == 0


def test_a_certificate_of_the_future_raises_the_question_of_the_clock(tmp_path: Path):
    """As those of a cluster that was just created are, when this machine's clock is an hour late."""
    authority = Authority()
    authority.ahead = timedelta(days=2)
    with (
        tls_server(authority, "127.0.0.1", tmp_path) as server,
        pytest.raises(KubeError, match=r"not yet valid.* \(is the clock of this machine right\?\)"),
    ):
        ask(secure(authority, f"https://127.0.0.1:{server.port}"), version)
    assert clocks.hint(ssl.SSLError("wrong version number")) is None
