"""The client for the hub's API, against a fake JupyterHub."""

from __future__ import annotations

import functools
import json
from urllib.parse import unquote

import anyio
import httpx
import pytest

from tests.unit.fakehub import FakeHub
from zerojhub.hub import client
from zerojhub.hub.client import HubClient, HubError, User, UserServer


@pytest.fixture
def hub(monkeypatch) -> FakeHub:
    """A fake hub at http://hub, for every HTTP client."""
    return FakeHub.install(monkeypatch)


def ask(method: str, *words, **options):
    """Call a method of the client, and return its result."""

    async def run():
        async with HubClient("http://hub/", "t0ken") as asking:
            return await getattr(asking, method)(*words, **options)

    return anyio.run(run)


def test_requests_carry_the_token(hub):
    ask("user", "ada")
    assert hub.requests[-1].headers["authorization"] == "token t0ken"


def test_users_of_all_pages_are_listed(hub, monkeypatch):
    monkeypatch.setattr(client, "PAGE", 2)
    for name in ("ada", "ben", "cleo", "dan", "eve"):
        hub.users[name] = {"name": name}
    assert [user.name for user in ask("users")] == ["ada", "ben", "cleo", "dan", "eve"]


def test_a_user_with_a_server(hub):
    hub.users["ada"] = {"name": "ada", "admin": True, "last_activity": "2026-01-31T10:00:00Z", "pending": None}
    hub.users["ada"]["servers"] = {"": {"url": "/user/ada/", "pending": "stop", "started": "2026-01-31T09:00:00Z"}}
    server = UserServer("/user/ada/", "stop", "2026-01-31T09:00:00Z")
    assert ask("user", "ada") == User("ada", True, "2026-01-31T10:00:00Z", None, {"": server})


def test_a_user_of_an_old_jupyterhub_without_servers(hub):
    hub.users["ada"] = {"name": "ada", "servers": None}
    assert ask("user", "ada") == User("ada", False, None, None, {})


@pytest.mark.parametrize("name", ["../../proxy", "a/b", "a?b=c", "a#b", "a%2Fb", "a b", "$(id)", "\x1b[2J"])
def test_a_name_is_one_part_of_the_path_whatever_is_in_it(hub, name):
    ask("user", name)
    path = hub.requests[-1].url.raw_path.decode()
    assert path.rpartition("/")[0] == "/hub/api/users"
    assert unquote(path.rpartition("/")[2]) == name


def test_a_user_who_does_not_exist(hub):
    assert ask("user", "nobody") is None
    ask("delete_user", "nobody")
    with pytest.raises(HubError, match="the hub responded 404: no such user"):
        ask("create_token", "nobody", seconds=60)


def test_an_answer_that_is_not_the_hubs_names_who_answered(hub):
    hub.fail = httpx.Response(502, text="<html>", headers={"server": "openresty"})
    with pytest.raises(HubError) as caught:
        ask("users")
    assert str(caught.value) == (
        "GET http://hub/hub/api/users?offset=0&limit=100: the hub responded 502: Bad Gateway (openresty), after 5 attempts"
    )


def test_no_response(hub):
    hub.fail = httpx.ConnectError("All connection attempts failed")
    hub.fail.__cause__ = ConnectionRefusedError()
    for method in ("users", "is_healthy"):
        with pytest.raises(HubError, match="http://hub: no response: connection refused"):
            ask(method)


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_health(hub, status, healthy):
    hub.fail = httpx.Response(status)
    assert ask("is_healthy") is healthy


def test_a_server_that_is_already_running_is_started(hub):
    hub.users["ada"] = {"name": "ada", "servers": {}}
    ask("start_server", "ada")
    ask("start_server", "ada")
    hub.fail = httpx.Response(400, json={"message": "ada's server is stopping"})
    with pytest.raises(HubError, match="is stopping"):
        ask("start_server", "ada")


async def follow(timeout: float = 5) -> list[str]:
    async with HubClient("http://hub") as asking:
        return [message async for message in asking.progress("ada", timeout=timeout)]


def test_progress_ends_when_the_server_is_ready(hub):
    hub.events = [{"message": "requested"}, {"progress": 50}, {"message": "ready", "ready": True}, {"message": "more"}]
    assert anyio.run(follow) == ["requested"]


def test_a_server_that_fails_to_start(hub):
    hub.events = [{"message": "requested"}, {"message": "no room", "failed": True}]
    with pytest.raises(HubError, match="the server of ada failed to start: no room"):
        anyio.run(follow)


def test_progress_that_breaks_off(hub):
    hub.events = [{"message": "requested"}]
    with pytest.raises(HubError, match="stopped reporting"):
        anyio.run(follow)


@pytest.mark.usefixtures("short_pauses")
def test_stopping_waits_until_the_server_is_gone(hub):
    hub.users["ada"] = {"name": "ada", "servers": {"": {"url": "/user/ada/"}}}
    hub.looks_until_stopped = 3
    ask("stop_server", "ada")
    assert hub.users["ada"]["servers"] == {}
    ask("stop_server", "ada")


@pytest.mark.usefixtures("short_pauses")
def test_a_server_that_does_not_stop(hub):
    hub.users["ada"] = {"name": "ada", "servers": {"": {"url": "/user/ada/"}}}
    hub.looks_until_stopped = 1000
    with pytest.raises(HubError, match=r"still running 0\.1 s after it was stopped"):
        ask("stop_server", "ada", timeout=0.1)


def test_a_refusal_to_stop(hub):
    hub.users["ada"] = {"name": "ada", "servers": {"": {"url": "/user/ada/"}}}
    hub.refuse = functools.partial(httpx.Response, 403, json={"message": "forbidden"})
    with pytest.raises(HubError, match="403: forbidden"):
        ask("stop_server", "ada", timeout=1)


def test_a_token_expires(hub):
    hub.users["ada"] = {"name": "ada"}
    assert ask("create_token", "ada", seconds=600) == "token of ada"
    assert json.loads(hub.requests[-1].content)["expires_in"] == 600


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"admin": True}, "no 0.name in it"),
        ({"name": None}, "0.name: input should be a valid string, not null"),
        ({"name": "ada", "servers": ["x"]}, "0.servers: input should be a valid dictionary, not a list"),
        ({"name": "ada", "servers": {"": {"url": 7}}}, "0.servers..url: input should be a valid string, not a number"),
    ],
)
def test_an_answer_of_another_type_is_one_line(hub, user, said):
    hub.users["ada"] = user
    with pytest.raises(HubError) as refused:
        ask("users")
    assert str(refused.value) == f"http://hub/hub/api/users: the hub answered something unexpected: {said}"


UNAVAILABLE = httpx.Response(503, headers={"retry-after": "2"})
RESET = httpx.ReadError("")


@pytest.mark.parametrize("fault", [UNAVAILABLE, RESET, httpx.Response(200, text='[{"name": "a')])
def test_reads_and_what_can_be_repeated_survive_a_fault(hub, fault):
    hub.users["ada"] = {"name": "ada", "servers": {}}
    hub.faults = [fault]
    assert [user.name for user in ask("users")] == ["ada"]
    hub.faults = [fault]
    assert ask("create_token", "ada", seconds=600) == "token of ada"


def test_a_user_whose_creation_got_lost_is_created_once(hub):
    hub.faults = [RESET]
    ask("create_user", "ada")
    assert [request.method for request in hub.requests] == ["POST", "GET"]
    hub.faults = [UNAVAILABLE]  # and nothing was done
    ask("create_user", "ben")
    assert list(hub.users) == ["ada", "ben"]


def test_a_server_whose_start_or_deletion_got_lost(hub):
    hub.users["ada"] = {"name": "ada", "servers": {}}
    hub.faults = [RESET]
    ask("start_server", "ada")
    hub.faults = [RESET]
    ask("stop_server", "ada")
    hub.faults = [RESET]
    ask("delete_user", "ada")
    assert hub.users == {}


class Broken(httpx.AsyncByteStream):
    """A stream that breaks off."""

    async def __aiter__(self):
        yield b'data: {"message": "requested"}\n\ndata: {"mess'
        raise RESET


def test_progress_goes_on_where_it_broke_off(hub):
    hub.events = [{"message": "requested"}, {"message": "pulling"}, {"ready": True}]
    hub.faults = [httpx.Response(200, stream=Broken()), UNAVAILABLE]
    assert anyio.run(follow) == ["requested", "pulling"]


def test_whether_the_hub_is_healthy_is_one_request(hub):
    hub.fail = UNAVAILABLE
    assert ask("is_healthy") is False
    hub.fail = RESET
    with pytest.raises(HubError, match="no response: connection closed"):
        ask("is_healthy")
    assert len(hub.requests) == 2
