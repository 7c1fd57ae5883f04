"""What `hub check` notes although the hub works: its URL from inside, and connections that are idle."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import anyio
import pytest

from tests.unit import fakecloud
from tests.unit.fakecloud import Answer, FakeCloud
from zerojhub.hub import surroundings
from zerojhub.openstack.session import Cloud

LISTENERS = "GET /load-balancer/v2.0/lbaas/listeners"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's server is this machine."""

    async def run_cell(server: Any, code: str, *, timeout: float) -> str:
        done = await anyio.run_process([sys.executable, "-c", code], check=True, stderr=subprocess.STDOUT)
        return done.stdout.decode()

    monkeypatch.setattr(surroundings, "run_cell", run_cell)


def from_inside(url: str) -> str | None:
    server: Any = None
    return anyio.run(surroundings.from_inside, server, url)


def test_a_hub_that_its_own_pods_reach_is_nothing_to_say(here):
    with fakecloud.served() as cloud:  # which answers 404
        assert from_inside(f"{cloud.url}/") is None
        assert cloud.requests[0].path == "/hub/health"


def test_a_hub_that_its_own_pods_do_not_reach_is_noted_with_the_reason(here):
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    said = from_inside(url)
    assert said
    assert said.startswith(
        f"pods cannot reach {url} ([Errno 111] Connection refused): programs in users' servers have to"
    )


@pytest.mark.parametrize(
    ("client", "member", "balancer", "seconds"),
    [
        (50_000, 600_000, "lb1", 50),
        (600_000, 30_000, "lb1", 30),
        (600_000, 600_000, "lb1", None),
        (1, 1, "other", None),
    ],
)
def test_connections_that_end_soon_are_noted(
    fake_cloud: FakeCloud, client: int, member: int, balancer: str, seconds: int | None
):
    listener = {"id": "l", "timeout_client_data": client, "timeout_member_data": member}
    fake_cloud.answer(LISTENERS, Answer(200, {"listeners": [listener | {"loadbalancers": [{"id": balancer}]}]}))
    ours: Any = [{"id": "lb1"}]
    said = anyio.run(surroundings.idle_limit, Cloud("fake"), ours)
    assert (said or "").startswith(
        f"the load balancer ends connections that are idle for {seconds} s" if seconds else ""
    )
    assert (said is None) == (seconds is None)


def test_a_cloud_without_octavia_has_no_such_limit(fake_cloud: FakeCloud):
    del fake_cloud.catalog["load-balancer"]
    assert anyio.run(surroundings.idle_limit, Cloud("fake"), []) is None
