"""The proxy that injects faults into requests to clusters and hubs, in front of a small server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from tests.contract.clouds import fronted, served, until
from zerojhub.practice.faults import HUB, Fault, Faults, What

BODY = {"name": "ada", "servers": list(range(100))}


class Behind:
    """The server behind, the faults in front of it, and the URL of the front."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.faults = Faults()
        self.url = ""

        async def answer(request: Request) -> JSONResponse:
            self.requests.append(f"{request.method} {request.url.path} {(await request.body()).decode()}".strip())
            return JSONResponse(BODY)

        async def echo(socket: WebSocket) -> None:
            await socket.accept()
            while True:
                await socket.send_text(await socket.receive_text())

        self.app = Starlette(
            routes=[Route("/{path:path}", answer, methods=["GET", "POST"]), WebSocketRoute("/echo", echo)]
        )


@pytest.fixture
def behind() -> Iterator[Behind]:
    behind = Behind()
    with served(behind.app) as url, fronted(url, behind.faults) as behind.url:
        yield behind


def test_requests_pass(behind):
    with httpx.Client(base_url=behind.url) as client:
        assert [client.post("/users", content=body).json() for body in ("a", "b" * 100_000)] == [BODY, BODY]
    assert behind.requests == ["POST /users a", "POST /users " + "b" * 100_000]


def test_a_connection_that_changes_its_protocol_passes(behind):
    with connect(behind.url.replace("http", "ws") + "/echo") as socket:
        for text in ("one", "two"):
            socket.send(text)
            assert socket.recv(timeout=5) == text


@pytest.mark.parametrize("what", [What.error, What.bad_gateway, What.unavailable, What.too_many])
def test_a_status(behind, what):
    behind.faults.add(Fault(HUB, what, retry_after=3, path="/users"))
    assert httpx.get(behind.url).status_code == 200
    answer = httpx.get(f"{behind.url}/users?limit=1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (int(what), "3")
    assert behind.requests == ["GET /"]
    assert httpx.get(f"{behind.url}/users").json() == BODY


@pytest.mark.parametrize("what", [What.refused, What.reset_before, What.reset_after, What.truncated_body, What.hang])
def test_an_answer_that_does_not_arrive(behind, what):
    behind.faults.add(Fault(HUB, what))
    with pytest.raises(httpx.TransportError):
        httpx.post(behind.url, content="work", timeout=1 if what is What.hang else 30)
    done = what in (What.reset_after, What.truncated_body)
    until(lambda: behind.requests == (["POST / work"] if done else []))
    assert httpx.get(behind.url).json() == BODY


def test_json_that_is_cut_short_is_complete_by_its_length(behind):
    behind.faults.add(Fault(HUB, What.truncated_json))
    answer = httpx.get(behind.url)
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_slow_answer_arrives(behind):
    behind.faults.add(Fault(HUB, What.slow, seconds=0.3))
    answer = httpx.get(behind.url)
    assert (answer.json(), answer.elapsed.total_seconds() > 0.3) == (BODY, True)
