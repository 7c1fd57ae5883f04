"""How often the cloud is asked about a cluster that it creates, and what is said meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer, FakeCloud, record
from zerojhub import waiting
from zerojhub.clocks import Clock
from zerojhub.cluster import creation, lifecycle
from zerojhub.errors import ZeroJHubError
from zerojhub.openstack import heat, magnum
from zerojhub.openstack.session import Cloud

MAGNUM, HEAT = "GET /container-infra/v1", f"GET /orchestration/v1/{PROJECT}"
CLUSTER = record(
    magnum.Cluster,
    uuid="u",
    name="k8s",
    cluster_template_id="t",
    master_count=1,
    stack_id="s",
    status="CREATE_IN_PROGRESS",
)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def after(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat()


class Simulated:
    """A cloud whose cluster is complete after so many seconds, on a clock that only waiting moves on."""

    def __init__(self, fake: FakeCloud, monkeypatch: pytest.MonkeyPatch, *, status: str = "CREATE_COMPLETE") -> None:
        self.fake, self.seconds, self.ends, self.status = fake, 0.0, 840.0, status
        self.said: list[tuple[float, str]] = []
        self.asked: list[float] = []
        monkeypatch.setattr(waiting, "clock", lambda: self.seconds)
        monkeypatch.setattr(waiting, "sleep", self._sleep)
        monkeypatch.setattr(Clock, "now", lambda _: BEGAN + timedelta(seconds=self.seconds))
        monkeypatch.setattr(magnum, "show_cluster", self._show)
        fake.answer(f"{MAGNUM}/clusters", Answer(200, {"clusters": [CLUSTER]}))
        fake.answer(f"{MAGNUM}/clusters/u/nodegroups", Answer(200, {"nodegroups": []}))
        self.stack("s")
        master = record(
            heat.StackResource,
            resource_name="kube-master",
            resource_type="OS::Nova::Server",
            resource_status="CREATE_IN_PROGRESS",
            updated_time=after(0),
        )
        fake.answer(f"{HEAT}/stacks/of-s/s/resources", Answer(200, {"resources": [master]}))

    def stack(self, stack_id: str) -> None:
        stack = record(heat.Stack, id=stack_id, stack_name=f"of-{stack_id}", creation_time=after(0))
        self.fake.answer(f"{HEAT}/stacks/{stack_id}", Answer(200, {"stack": stack}))

    def another(self, *events: tuple[str, str, float], status: str = "CREATE_COMPLETE", template: str = "t") -> None:
        """Another cluster, with the events of its stack: physical ID, status and second."""
        other = {**CLUSTER, "uuid": "o", "stack_id": "other", "status": status, "cluster_template_id": template}
        self.fake.answer(f"{MAGNUM}/clusters", Answer(200, {"clusters": [other, CLUSTER]}))
        self.stack("other")
        listed = [
            {"physical_resource_id": physical, "resource_status": status, "event_time": after(second)}
            for physical, status, second in events
        ]
        self.fake.answer(f"{HEAT}/stacks/of-other/other/events", Answer(200, {"events": listed}))

    async def _sleep(self, seconds: float) -> None:
        self.seconds += seconds

    async def _show(self, cloud: Cloud, uuid: str) -> Any:
        self.asked.append(self.seconds)
        status = self.status if self.seconds >= self.ends else "CREATE_IN_PROGRESS"
        return CLUSTER | {"status": status, "created_at": after(0)}

    def wait(self) -> None:
        """Wait for the cluster; until it is noticed, `said` and `asked` get the seconds at which something was."""

        async def wait() -> None:
            def say(text: str) -> None:
                self.said.append((self.seconds, text))

            await lifecycle.wait_until_idle(Cloud("fake"), "u", say, minutes=60)

        anyio.run(wait)


@pytest.fixture
def cloud(fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> Simulated:
    return Simulated(fake_cloud, monkeypatch)


def test_where_nobody_knows_how_long_it_takes_it_is_asked_every_three_seconds(cloud: Simulated) -> None:
    cloud.wait()
    assert cloud.seconds - cloud.ends <= creation.SOON
    assert len(cloud.asked) <= 840 / creation.SOON + 5
    assert len(cloud.fake.requests) <= 30  # details


def test_the_line_goes_on_without_questions(cloud: Simulated) -> None:
    cloud.another(("other", "CREATE_COMPLETE", 840.0))
    cloud.wait()
    moments = [second for second, _ in cloud.said]
    assert max(later - earlier for earlier, later in pairwise(moments)) < 3.01
    assert max(later - earlier for earlier, later in pairwise(cloud.asked)) > 30
    shown = dict((int(second) // 60, text) for second, text in cloud.said)
    for minute in (2, 5, 9):
        assert f"CREATE_IN_PROGRESS: 0 of 1 resources, now kube-master ({minute} min " in shown[minute]
    assert shown[5].endswith("late) (another took 14 min 00 s)")


def test_of_a_cluster_that_another_resembles_it_is_asked_seldom_until_the_end_is_near(cloud: Simulated) -> None:
    cloud.another(
        ("network", "CREATE_COMPLETE", 9.0), ("other", "CREATE_COMPLETE", 840.0), ("other", "UPDATE_COMPLETE", 9e3)
    )
    cloud.wait()
    assert cloud.seconds - cloud.ends <= creation.SOON
    assert len(cloud.asked) < 40
    early = [second for second in cloud.asked if second < 600]
    assert max(later - earlier for earlier, later in pairwise(early)) <= creation.SELDOM + creation.SOON


@pytest.mark.parametrize(
    "other",
    [
        {"status": "CREATE_FAILED"},
        {"status": "CREATE_IN_PROGRESS"},
        {"template": "another"},
    ],
)
def test_a_cluster_of_another_kind_says_nothing(cloud: Simulated, other: dict[str, str]) -> None:
    cloud.another(("other", "CREATE_COMPLETE", 840.0), **other)
    cloud.wait()
    assert len(cloud.asked) > 250


def test_what_heat_has_forgotten_or_does_not_tell_says_nothing(cloud: Simulated) -> None:
    cloud.another(("network", "CREATE_COMPLETE", 9.0))
    cloud.fake.answer(f"{HEAT}/stacks/of-s/s/resources", Answer(403, {"error": {"message": "no"}}))
    cloud.ends = 60
    cloud.wait()
    assert len(cloud.asked) > 15


def test_a_failure_long_before_the_expected_end_is_noticed_within_a_minute(
    fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Simulated(fake_cloud, monkeypatch, status="CREATE_FAILED")
    cloud.another(("other", "CREATE_COMPLETE", 3000.0))
    cloud.ends = 300
    monkeypatch.setattr(lifecycle, "failure", _broken)
    with pytest.raises(ZeroJHubError, match="it broke"):
        cloud.wait()
    assert cloud.seconds - cloud.ends <= creation.SELDOM + creation.SOON


async def _broken(*_: object) -> str:
    return "it broke"


@pytest.mark.parametrize(
    ("since", "expected", "pause"),
    [
        (400, None, 0),
        (400, 300, 0),
        (835, 840, 0),
        (740, 840, 20),
        (10, 840, 5),
        (100, 3600, 50),
        (900, 3600, 60),
    ],
)
def test_pauses_end_well_before_the_end(since: float, expected: float | None, pause: float) -> None:
    assert creation.pause(since, expected) == pytest.approx(pause)
